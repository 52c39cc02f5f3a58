"""One line a revision, on the disk before it is acknowledged; a reader that follows never takes half a line."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linewarden_onward.interface import Notice, OutputAway, OutputRun
from linewarden_onward.outputs.file import FileOptions, FileOutput
from linewarden_onward.permission import permission_of
from linewarden_onward.testing import BUDGET_MS, decided
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError

Open = Callable[..., FileOutput]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "told.jsonl"


@pytest.fixture
def opened(clock: ManualClock, path: Path) -> Iterator[Open]:
    made: list[FileOutput] = []

    def open_it(**changes: object) -> FileOutput:
        settings = {"output_id": "log", "path": path, "rotate_daily": False, **changes}
        options = FileOptions.model_validate(settings)
        made.append(options.open(OutputRun("line1", 1, clock, threading.Event(), clock.now_ms)))
        return made[-1]

    yield open_it
    for one in made:
        one.close()


def notices(clock: ManualClock, *numbers: int) -> list[Notice]:
    said = [decided(number, clock.now_ms()) for number in numbers]
    now_ms = clock.now_ms()
    return [Notice(one, permission_of(one, now_ms, now_ms, epoch=1, sequence=1)) for one in said]


def keys(path: Path) -> list[str]:
    text = path.read_text()
    assert text.endswith("\n") or not text
    return [json.loads(line)["id"] for line in text.splitlines()]


def test_each_revision_is_a_line_in_its_order(opened: Open, clock: ManualClock, path: Path) -> None:
    told = notices(clock, 1, 2, 3)
    opened().tell(told)
    assert keys(path) == [one.key for one in told]
    data = json.loads(path.read_text().splitlines()[0])["data"]
    assert (data["disposition"]["routing"], data["permission"]["counter"]) == ("trusted_pass", 1)


def test_a_permission_that_expired_is_not_in_it(opened: Open, clock: ManualClock, path: Path) -> None:
    told = notices(clock, 1)
    clock.advance(BUDGET_MS / 1000)
    opened().tell(told)
    assert json.loads(path.read_text())["data"]["permission"] is None


def test_it_is_on_the_disk_before_it_is_acknowledged(
    opened: Open, clock: ManualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _file: synced.append(path.stat().st_size))
    file.tell(notices(clock, 1, 2))
    assert synced == [path.stat().st_size]
    assert synced[0] > 0


def test_at_its_size_it_is_renamed_and_a_new_one_begun(opened: Open, clock: ManualClock, path: Path) -> None:
    file = opened(rotate_bytes=1024)
    told = notices(clock, *range(6))
    file.tell(told)
    parts = sorted(path.parent.glob("told-*.jsonl"), key=lambda one: one.stat().st_mtime_ns)
    assert len(parts) == 5  # each line is larger than half of it
    assert [key for one in (*parts, path) for key in keys(one)] == [one.key for one in told]


def test_with_a_new_day_it_is_renamed(opened: Open, clock: ManualClock, path: Path) -> None:
    file = opened(rotate_daily=True)
    os.utime(path, (clock.now_ms() / 1000,) * 2)
    file.tell(notices(clock, 1))
    clock.advance(86_400)
    later = notices(clock, 2)
    file.tell(later)
    assert keys(path) == [later[0].key]
    assert len(list(path.parent.glob("told-*.jsonl"))) == 1


def test_what_somebody_moved_away_is_begun_anew(opened: Open, clock: ManualClock, path: Path) -> None:
    file = opened()
    file.tell(notices(clock, 1))
    path.rename(path.with_name("moved"))
    later = notices(clock, 2)
    file.tell(later)
    assert keys(path) == [later[0].key]


def test_a_write_that_a_full_disk_cut_short_is_taken_back(
    opened: Open, clock: ManualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened()
    first, second = notices(clock, 1, 2)
    file.tell([first])
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, line: write(file, line[:100]))
        with pytest.raises(OutputAway, match="full"):
            file.tell([second])
    assert keys(path) == [first.key]
    file.tell([second])
    assert keys(path) == [first.key, second.key]


def test_a_disk_that_fails_is_away(opened: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened()

    def fail(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputAway, match="Input/output error"):
        file.tell(notices(clock, 1))


def test_what_a_power_failure_left_of_a_line_is_put_aside_untouched(
    opened: Open, clock: ManualClock, path: Path
) -> None:
    path.write_bytes(b'{"id": "whole"}\n{"id": "ha')
    told = notices(clock, 1)
    opened().tell(told)
    assert keys(path) == [told[0].key]
    (aside,) = path.parent.glob("told-*.jsonl")
    assert aside.read_bytes() == b'{"id": "whole"}\n{"id": "ha'


def test_a_reader_that_follows_takes_every_line_whole_and_once(opened: Open, clock: ManualClock, path: Path) -> None:
    told = notices(clock, *range(150))
    file = opened(rotate_bytes=80_000)  # once on the way
    done, taken = threading.Event(), list[str]()

    def is_renamed(file: int) -> bool:
        try:
            return os.fstat(file).st_ino != path.stat().st_ino
        except FileNotFoundError:
            return False  # between two names

    def follow() -> None:
        """What has its end of line; of a file that was renamed the rest, and then what has its name."""
        at, rest = path.open("rb"), b""
        while True:
            is_last, is_ended = done.is_set(), is_renamed(at.fileno())
            *lines, rest = (rest + at.read()).split(b"\n")
            taken.extend(json.loads(line)["id"] for line in lines)
            if is_ended:
                at.close()
                at = path.open("rb")
            elif is_last:
                at.close()
                return

    reader = threading.Thread(target=follow)
    reader.start()
    for one in told:
        file.tell([one])
    done.set()
    reader.join()
    assert len(list(path.parent.glob("told-*.jsonl"))) == 1
    assert taken == [one.key for one in told]


@pytest.mark.parametrize("place", ["missing/told.jsonl", "."], ids=["no folder", "a folder"])
def test_a_place_that_is_none_is_refused(opened: Open, tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        opened(path=tmp_path / place)
