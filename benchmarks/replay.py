"""How fast a part is found among many: `python -m benchmarks.replay [--parts N] [--built N]`.

The records of the first parts are generated and taken in as they would be from the topics, decoding apart; their rows
are copied under other names until there are enough. Then parts are looked up at random by serial and by visit, every
look-up giving the whole story, with what the field reported of the part.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.machine import machine
from linewarden_audit.summary import percentile
from linewarden_history.index.facts import Statement, statements_of
from linewarden_history.index.store import StoryIndex
from linewarden_history.index.story import stories, unmatched
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.samples import SAMPLES

_TOPICS: tuple[tuple[str, type[Message]], ...] = (
    ("captures", Capture),
    ("inspections", Inspection),
    ("dispositions", Disposition),
)
_BATCH = 2_000
_NEW = "CAST(substr(visit_id, 11, 13) AS INTEGER) / 1000 + :shift"
_VISIT = f"printf('line1.st1.%013d.%06d', ({_NEW}) * 1000, {_NEW})"
_RENAMED = {
    "visit_id": _VISIT,
    "frame_id": f"printf('%s.top.1-%x', {_VISIT}, {_NEW})",
    "part_id": f"printf('P%07d', {_NEW})",
    "captured_ms": f"({_NEW}) * 1000",
    "offset": _NEW,
    "told": f"replace(told, visit_id, {_VISIT})",
}
_LOOKS = 2_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print: the figures are the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=1_000_000)
    parser.add_argument("--built", type=int, default=100_000, help="taken in record by record; divides --parts")
    given = parser.parse_args(argv)
    parts, built = given.parts, min(given.built, given.parts)
    print(machine())
    folder = Path(tempfile.mkdtemp(prefix="linewarden-bench-"))
    with StoryIndex(folder / "index.sqlite", "line1") as index:
        began = time.perf_counter()
        for first in range(0, built, _BATCH):
            index.take(_records(first, min(first + _BATCH, built)), {}, {})
        seconds = time.perf_counter() - began
        print(f"taken in           {built * len(_TOPICS) / seconds:8.0f} records/s ({built} parts in {seconds:.0f} s)")
        _copy(index, built, parts)
        _look(index, parts)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"file               {size / parts:8.0f} bytes a part")
    shutil.rmtree(folder)
    return 0


def _records(first: int, end: int) -> Iterator[Statement]:
    for number in range(first, end):
        ids = {"visit_id": _visit(number), "frame_id": f"{_visit(number)}.top.1-{number:x}"}
        of_part = ids | {"part_id": f"P{number:07d}", "captured_ms": number * 1000, "offset": number}
        for sql, values in _TEMPLATES:
            yield sql, values | {name: value for name, value in of_part.items() if name in values}


def _copy(index: StoryIndex, built: int, parts: int) -> None:
    """The rows of the first parts once more under other names, until there are as many parts as wanted."""
    for setting in ("journal_mode=DELETE", "journal_mode=OFF", "synchronous=OFF"):
        list(index.rows(f"PRAGMA {setting}"))  # a file that is lost here is made again
    for shift in range(built, parts, built):
        for table in ("visits", "frames", "entries"):
            columns = [str(row["name"]) for row in index.rows(f"PRAGMA table_info({table})")]
            chosen = ", ".join(_RENAMED.get(name, name) for name in columns)
            copied = f"INSERT INTO {table} SELECT {chosen} FROM {table} WHERE visit_id < :end ORDER BY visit_id"
            list(index.rows(copied, {"shift": shift, "end": _visit(built)}))


def _of_sample(logical: str, kind: type[Message]) -> list[Statement]:
    message = next(one for one in SAMPLES if isinstance(one, kind))
    return statements_of(InRecord(logical, 0, 0, 0, b"", b""), logical, message)


_TEMPLATES = [statement for topic in _TOPICS for statement in _of_sample(*topic)]


def _visit(number: int) -> str:
    return f"line1.st1.{number * 1000:013d}.{number:06d}"


def _look(index: StoryIndex, parts: int) -> None:
    dice = random.Random(7)
    for what in ("serial", "visit"):
        times = []
        for _ in range(_LOOKS):
            number = dice.randrange(parts)
            began = time.perf_counter()
            (story,) = stories(index, f"P{number:07d}" if what == "serial" else _visit(number))
            times.append((time.perf_counter() - began) * 1000)
            assert len(story.happened) == len(_TOPICS)
            assert unmatched(index, f"P{number:07d}") == []
        ordered = sorted(times)
        p50, p99 = percentile(ordered, 0.5) or 0.0, percentile(ordered, 0.99) or 0.0
        print(f"story by {what:9s} p50 {p50:.2f} ms, p99 {p99:.2f} ms, most {ordered[-1]:.2f} ms, n {_LOOKS}")


if __name__ == "__main__":
    raise SystemExit(main())
