"""A file is replaced whole and durably, its name included."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from linewarden_runtime.files import replace_file


def test_content_is_durable_before_the_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(b"old")
    synced: list[tuple[bool, bytes]] = []
    really = os.fsync

    def watched(handle: int) -> None:
        really(handle)
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.read_bytes()))

    monkeypatch.setattr(os, "fsync", watched)
    replace_file(path, b"new")
    assert synced == [(False, b"old"), (True, b"new")]
    assert [one.name for one in tmp_path.iterdir()] == ["sheet.csv"]


def test_where_it_cannot_be_written_the_old_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(b"old")

    def broken(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
