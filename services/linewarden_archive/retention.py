"""Delete by rule what is kept long enough, and nothing of a lot on hold; every deletion is a line of the manifest."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from linewarden_archive.archive import Archive, ArchiveWriter
from linewarden_archive.entries import ArchiveSegment, Deletion, Looked
from linewarden_archive.places import SegmentPlace
from linewarden_archive.rules import Facts, Policy
from linewarden_archive.segments import delete_files, thin_segment
from linewarden_runtime.clock import Clock
from linewarden_runtime.records import InRecord
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.vocabulary import Routing

Kind = tuple[str, str, str]
"""Topic, product and class; empty where they are not known."""


@dataclass(slots=True)
class Cut:
    """What of a segment is due, by offset, and the rules that say so."""

    segment: ArchiveSegment
    offsets: set[int] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)


@dataclass(slots=True)
class RetentionPlan:
    """What is due now. `held`: due but for a hold; `open`: of visits without last word, or unknown to the archive."""

    cuts: list[Cut] = field(default_factory=list)
    due: Counter[Kind] = field(default_factory=Counter)
    held: Counter[Kind] = field(default_factory=Counter)
    open: Counter[Kind] = field(default_factory=Counter)

    def rows(self) -> list[dict[str, str | int]]:
        """By topic, product and class, as a table."""
        kinds = sorted({*self.due, *self.held, *self.open})
        return [
            dict(zip(("topic", "product", "class"), kind, strict=True))
            | {"delete": self.due[kind], "on hold": self.held[kind], "not final": self.open[kind]}
            for kind in kinds
        ]


def plan(archive: Archive, policy: Policy, now_ms: int, looked: Looked = lambda _segment: None) -> RetentionPlan:
    """Say what is due at a time; nothing is changed. Raises ArchiveDamaged where the archive cannot tell."""
    made, held = RetentionPlan(), frozenset(archive.held_lots())
    with known_visits(archive) as visits:
        for name in policy.topics:
            for segment in archive.segments(name):
                _judge(made, archive, segment, policy, visits, held, now_ms)
                looked(segment)
    return made


def apply(
    writer: ArchiveWriter, policy: Policy, actor: str, clock: Clock, looked: Looked = lambda _segment: None
) -> RetentionPlan:
    """Delete what is due, one segment after the other; a run that was killed is gone on with by the next one.

    A segment's new file lasts before its line, and its line before the old file goes. Raises as `plan` does.
    """
    archive = Archive(writer.root)
    for segment in archive.segments():
        for generation in range(segment.generation):  # what a run that was killed left of older ones
            delete_files(archive.root, SegmentPlace(*segment.place[:3], generation))
    made = plan(archive, policy, clock.now_ms(), looked)
    for cut in made.cuts:
        reason = f"retention: {'; '.join(sorted(cut.rules))}"[:2000]
        deletion = Deletion(records=len(cut.offsets), actor=actor, reason=reason)
        topic = archive.namespace.topic(cut.segment.topic)
        writer.enter(thin_segment(archive.root, cut.segment, topic, cut.offsets, deletion, clock.now_ms()))
        delete_files(archive.root, cut.segment.place)
    return made


def _judge(
    made: RetentionPlan,
    archive: Archive,
    segment: ArchiveSegment,
    policy: Policy,
    visits: ArchivedVisits,
    held: frozenset[str],
    now_ms: int,
) -> None:
    if not segment.records:
        return
    contents, cut = archive.contents(segment), Cut(segment)
    of = cache(visits.of)
    for place in contents.kept():
        visit = contents.visits[place]
        facts = None if visit is None else of(visit)
        product, way = ("", "") if facts is None else (facts.product_id or "", facts.routing.value)
        kind = segment.topic, product, way
        if facts is None or not facts.is_final:
            made.open[kind] += 1
            continue
        rule = policy.due(segment.topic, facts, now_ms)
        if rule is not None and held.intersection(facts.lots):
            made.held[kind] += 1
        elif rule is not None:
            made.due[kind] += 1
            cut.offsets.add(contents.offsets[place])
            cut.rules.add(str(rule))
    if cut.offsets:
        made.cuts.append(cut)


class ArchivedVisits:
    """Dispositions of all visits, and the lots that any record names for them, in a temporary SQLite file.

    Memory does not grow with the archive.
    """

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def learn(self, record: InRecord) -> None:
        """Take in a capture or a disposition; what is none of ours tells nothing, so that its visit stays unknown."""
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError:
            return
        if not isinstance(message, Capture | Disposition):
            return
        if message.lot_id is not None:
            self._file.execute("INSERT OR IGNORE INTO lots VALUES (?, ?)", (message.visit_id, message.lot_id))
        if isinstance(message, Disposition):
            told = (message.product_id, message.recipe.recipe_id, message.routing.value, message.final)
            say = "INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?, ?, ?, ?)"
            self._file.execute(say, (message.visit_id, message.revision, *told, message.decided_ms))

    def of(self, visit_id: str) -> Facts | None:
        """What is known of a visit; None where its routing is not in the archive."""
        told = "SELECT product, recipe, routing, final, at_ms FROM said WHERE visit = ? ORDER BY revision"
        said = self._file.execute(told, (visit_id,)).fetchall()
        if not said:
            return None
        lots = self._file.execute("SELECT lot FROM lots WHERE visit = ?", (visit_id,))
        product, recipe, routing, _, _ = said[0]
        _, _, _, is_final, at_ms = said[-1]
        return Facts(product, recipe, Routing(routing), bool(is_final), at_ms, tuple(lot for (lot,) in lots))


@contextmanager
def known_visits(archive: Archive) -> Iterator[ArchivedVisits]:
    """Read what is archived of `captures` and `dispositions`; raises ArchiveDamaged."""
    with (
        tempfile.TemporaryDirectory(prefix="linewarden-retention-") as folder,
        closing(sqlite3.connect(Path(folder) / "visits.sqlite")) as file,
    ):
        file.executescript("""
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            CREATE TABLE said (visit TEXT, revision INTEGER, product TEXT, recipe TEXT, routing TEXT, final INTEGER,
              at_ms INTEGER, PRIMARY KEY (visit, revision)) WITHOUT ROWID;
            CREATE TABLE lots (visit TEXT, lot TEXT, PRIMARY KEY (visit, lot)) WITHOUT ROWID;
            """)
        visits = ArchivedVisits(file)
        for name in ("captures", "dispositions"):
            for record in archive.records(name):
                visits.learn(record)
        yield visits
