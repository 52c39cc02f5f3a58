"""What a re-run found, in one SQLite file: kept after every batch, so that a killed run is gone on with.

Memory does not grow with the range: answers of then, of now and routings lie in the file and are joined there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter

from linewarden_domain.agreement import deviation
from linewarden_replay.compare import Difference, DifferenceCause, DifferenceKind, FrameAnswer
from linewarden_replay.rerun.judge import JudgedFrame
from linewarden_runtime.errors import Fatal
from linewarden_runtime.records import Position
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import Inspection, Maps

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (identity TEXT, namespace TEXT, done INT NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS then_said (
  frame TEXT PRIMARY KEY, visit TEXT, answer TEXT, maps TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS then_by_visit ON then_said (visit);
CREATE TABLE IF NOT EXISTS now_said (
  frame TEXT PRIMARY KEY, visit TEXT, answer TEXT, kind TEXT, causes TEXT, apart REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS now_by_visit ON now_said (visit);
CREATE INDEX IF NOT EXISTS now_by_kind ON now_said (kind) WHERE kind IS NOT NULL;
CREATE TABLE IF NOT EXISTS routed (visit TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS followed (topic TEXT, at INT, next INT, PRIMARY KEY (topic, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (frame TEXT PRIMARY KEY, as_captured TEXT, marked TEXT) WITHOUT ROWID;
CREATE TEMP TABLE taken (frame TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_ANSWERS = TypeAdapter(FrameAnswer)


class ResultsUnusable(Fatal):
    """A file of results is of another run, or no such file."""

    exit_code = 78


@dataclass(frozen=True, slots=True)
class RerunVisit:
    """A visit with a frame inspected again: first routing, answers by frame, causes of what can reroute it."""

    visit_id: str
    first: Disposition | None
    then: dict[str, FrameAnswer]
    now: dict[str, FrameAnswer]
    causes: tuple[DifferenceCause, ...]


class Results:
    """The file of one run; belongs to one thread.

    A file that is complete is begun anew, one that is not is gone on with.

    Raises:
        ResultsUnusable: for a file of another run, or none at all of ours.
    """

    def __init__(self, path: Path | None, identity: str, namespace: str) -> None:
        try:
            self._file = sqlite3.connect("" if path is None else path)
        except sqlite3.OperationalError as error:
            raise ResultsUnusable(f"{path} cannot hold results of a replay ({error}); name another file") from error
        try:
            self._file.executescript("PRAGMA temp_store = FILE;" + _SCHEMA)
            self._begin(path, identity, namespace)
        except sqlite3.DatabaseError as error:
            self._file.close()
            raise ResultsUnusable(f"{path} holds no results of a replay ({error}); name another file") from error
        self.resumed = self.frames

    def _begin(self, path: Path | None, identity: str, namespace: str) -> None:
        held = self._file.execute("SELECT identity, namespace, done FROM run").fetchone()
        if held is not None and held[:2] != (identity, namespace):
            self._file.close()
            raise ResultsUnusable(
                f"{path} holds results of another run ({held[1]}): another selection, bundle, recipe or version of "
                "the code; name another file, or delete it"
            )
        with self._file:
            if held is None:
                self._file.execute("INSERT INTO run (identity, namespace) VALUES (?, ?)", (identity, namespace))
            elif held[2]:
                for table in ("then_said", "now_said", "routed", "followed", "pictures"):
                    self._file.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed words
                self._file.execute("UPDATE run SET done = 0")

    @property
    def frames(self) -> int:
        """How many frames are answered."""
        return int(self._file.execute("SELECT COUNT(*) FROM now_said").fetchone()[0])

    def record(self, inspections: Iterable[Inspection]) -> None:
        """Keep what was answered then; of several answers the first counts."""
        with self._file:
            told = (
                (
                    one.frame_id,
                    one.visit_id,
                    _told(FrameAnswer.of(one)),
                    None if one.maps is None else one.maps.model_dump_json(),
                )
                for one in inspections
            )
            self._file.executemany("INSERT OR IGNORE INTO then_said VALUES (?, ?, ?, ?)", told)

    def route(self, dispositions: Iterable[Disposition]) -> None:
        """Keep how visits were routed; of several dispositions of a visit the first counts."""
        with self._file:
            told = ((one.visit_id, one.to_json()) for one in dispositions)
            self._file.executemany("INSERT OR IGNORE INTO routed VALUES (?, ?)", told)

    def follow(self, offsets: Mapping[Position, int]) -> None:
        """Keep up to where topics were followed (offset of the next record), after what was read is kept."""
        with self._file:
            told = ((place.topic, place.partition, at) for place, at in offsets.items())
            self._file.executemany("INSERT OR REPLACE INTO followed VALUES (?, ?, ?)", told)

    @property
    def followed(self) -> dict[Position, int]:
        """Up to where topics were followed."""
        told = self._file.execute("SELECT topic, at, next FROM followed")
        return {Position(topic, at): following for topic, at, following in told}

    def take(self, frame_id: str) -> bool:
        """Whether the frame is to be inspected: not done yet, and not met before in this process."""
        if self._file.execute("SELECT 1 FROM now_said WHERE frame = ?", (frame_id,)).fetchone():
            return False
        return self._file.execute("INSERT OR IGNORE INTO taken VALUES (?)", (frame_id,)).rowcount == 1

    def then(self, frame_id: str) -> tuple[FrameAnswer, Maps | None] | None:
        """What was answered then, with its maps until the frame is answered again; None where nothing was."""
        row = self._file.execute("SELECT answer, maps FROM then_said WHERE frame = ?", (frame_id,)).fetchone()
        if row is None:
            return None
        return _ANSWERS.validate_json(row[0]), None if row[1] is None else Maps.model_validate_json(row[1])

    def enter(self, judged: Sequence[JudgedFrame], pictures: Iterable[tuple[str, str, str]] = ()) -> None:
        """Keep answers of now and pictures (frame, as captured, marked: both as data), all or none."""
        told = []
        for one in judged:
            then, now, found = one.recorded.then, one.now, one.difference
            is_twice = then is not None and None not in {then.p_defect, now.p_defect}
            apart = deviation(then, now) if then is not None and is_twice else 0.0
            kind, causes = (None, ()) if found is None else (found.kind.value, found.causes)
            told.append((one.inspection.frame_id, one.inspection.visit_id, _told(now), kind, "+".join(causes), apart))
        with self._file:
            self._file.executemany("INSERT OR IGNORE INTO now_said VALUES (?, ?, ?, ?, ?, ?)", told)
            self._file.executemany("UPDATE then_said SET maps = NULL WHERE frame = ?", ((one[0],) for one in told))
            self._file.executemany("INSERT OR IGNORE INTO pictures VALUES (?, ?, ?)", pictures)

    def finish(self) -> None:
        """Say that nothing is missing."""
        with self._file:
            self._file.execute("UPDATE then_said SET maps = NULL")
            self._file.execute("UPDATE run SET done = 1")

    def counts(self) -> tuple[dict[str, int], dict[str, int], float]:
        """Differences by kind and by causes (joined by +), and the largest deviation of what was decided twice."""
        counted = "SELECT {0}, COUNT(*) FROM now_said WHERE kind IS NOT NULL GROUP BY {0}"
        kinds, causes = (dict(self._file.execute(counted.format(column))) for column in ("kind", "causes"))
        (apart,) = self._file.execute("SELECT MAX(apart) FROM now_said").fetchone()
        return kinds, causes, float(apart or 0.0)

    def differences(self, most: int) -> Iterator[Difference]:
        """At most so many differences, the weightiest kinds first and by frame."""
        weights = " ".join(f"WHEN '{kind.value}' THEN {at}" for at, kind in enumerate(DifferenceKind))
        differing = f"""
        SELECT n.frame, n.visit, n.kind, t.answer, n.answer, n.causes
        FROM now_said n LEFT JOIN then_said t USING (frame)
        WHERE n.kind IS NOT NULL ORDER BY CASE n.kind {weights} END, n.frame LIMIT ?
        """  # noqa: S608 - fixed words
        for frame, visit, kind, then, now, causes in self._file.execute(differing, (most,)):
            before = None if then is None else _ANSWERS.validate_json(then)
            yield Difference(frame, visit, DifferenceKind(kind), before, _ANSWERS.validate_json(now), _causes(causes))

    def visits(self) -> Iterator[RerunVisit]:
        """Every visit with a frame that was answered, one at a time."""
        for (visit,) in self._file.execute("SELECT DISTINCT visit FROM now_said ORDER BY visit"):
            yield self.visit(visit)

    def visit(self, visit_id: str) -> RerunVisit:
        """What is known of one visit."""
        first = self._file.execute("SELECT body FROM routed WHERE visit = ?", (visit_id,)).fetchone()
        then = self._file.execute("SELECT frame, answer FROM then_said WHERE visit = ?", (visit_id,))
        now = self._file.execute(
            "SELECT frame, answer, kind, causes FROM now_said WHERE visit = ?", (visit_id,)
        ).fetchall()
        rerouting = {DifferenceKind.NOT_RECORDED, DifferenceKind.VERDICT, DifferenceKind.TRUST}
        told = "+".join(causes for *_, kind, causes in now if kind in rerouting)
        return RerunVisit(
            visit_id,
            None if first is None else Disposition.from_json(first[0]),
            {frame: _ANSWERS.validate_json(answer) for frame, answer in then},
            {frame: _ANSWERS.validate_json(answer) for frame, answer, *_ in now},
            tuple(dict.fromkeys(_causes(told))),
        )

    def pictures(self) -> int:
        """How many frames have pictures."""
        return int(self._file.execute("SELECT COUNT(*) FROM pictures").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def pictures_in(path: Path) -> dict[str, tuple[str, str]]:
    """Pictures that a run kept, by frame: as captured, and with today's mask (empty where it is), both as data."""
    with closing(sqlite3.connect(path)) as file:
        return {frame: (plain, marked) for frame, plain, marked in file.execute("SELECT * FROM pictures")}


def _told(answer: FrameAnswer) -> str:
    return _ANSWERS.dump_json(answer).decode()


def _causes(told: str) -> tuple[DifferenceCause, ...]:
    return tuple(map(DifferenceCause, filter(None, told.split("+"))))
