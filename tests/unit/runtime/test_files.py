"""A file is replaced whole and durably, its name included; a folder lasts with its parents."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from linewarden_runtime.files import make_folders, replace_file
from tests.simulation.filesystem import SimulatedFiles

PATH = Path("/study/sheet.csv")


@pytest.fixture
def files() -> SimulatedFiles:
    files = SimulatedFiles(1)
    make_folders(PATH.parent, files)
    replace_file(PATH, b"old", files)
    return files


def test_what_was_replaced_is_there_after_a_power_cut(files: SimulatedFiles) -> None:
    replace_file(PATH, b"new", files)
    files.cut_power()
    assert files.content(PATH) == b"new"


@pytest.mark.parametrize("step", ["write", "sync", "replace", "sync_folder"])
@pytest.mark.parametrize("seed", range(8))
def test_a_power_cut_meanwhile_leaves_the_old_or_the_new_file(files: SimulatedFiles, step: str, seed: int) -> None:
    files.chance.seed(seed)
    files.fail(step, errno.EIO)
    with pytest.raises(OSError, match="error"):
        replace_file(PATH, b"new", files)
    files.cut_power()
    assert files.content(PATH) in {b"old", b"new"}


def test_where_there_is_no_room_the_old_one_stands(files: SimulatedFiles) -> None:
    files.capacity_bytes = files.used_bytes
    with pytest.raises(OSError, match="No space"):
        replace_file(PATH, b"new", files)
    assert files.content(PATH) == b"old"


def test_a_folder_lasts_with_its_parents(files: SimulatedFiles) -> None:
    make_folders(Path("/a/b/c"), files)
    files.cut_power()
    assert files.names(Path("/a/b/c")) == []


def test_a_folder_whose_maker_died_before_its_name_was_durable_lasts_all_the_same(files: SimulatedFiles) -> None:
    files.make_folder(Path("/a"))
    make_folders(Path("/a"), files)
    files.cut_power()
    assert files.names(Path("/a")) == []


def test_on_the_machine_it_syncs_folders_content_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, str]] = []

    def watch(name: str) -> None:
        really = getattr(os, name)

        def watched(handle: int) -> None:
            really(handle)
            synced.append((name, Path(f"/proc/self/fd/{handle}").resolve().name))

        monkeypatch.setattr(os, name, watched)

    watch("fsync")
    watch("fdatasync")
    make_folders(tmp_path / "a" / "b")
    replace_file(tmp_path / "a" / "b" / "sheet.csv", b"new")
    folders = [("fsync", name) for name in (tmp_path.parent.name, tmp_path.name, "a")]
    assert synced == [*folders, ("fdatasync", "sheet.csv.partial"), ("fsync", "b")]
    assert [(one.name, one.read_bytes()) for one in (tmp_path / "a" / "b").iterdir()] == [("sheet.csv", b"new")]
