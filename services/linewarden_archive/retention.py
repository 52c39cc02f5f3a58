"""Delete by rule what is kept long enough, and nothing of a lot on hold; every deletion is a line of the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from linewarden_runtime.clock import Clock

from .archive import Archive, ArchiveWriter
from .entries import Deletion, Segment
from .places import Place
from .rules import Facts, Policy
from .segments import delete_files, thin_segment
from .visits import Visits, known_visits

Looked = Callable[[Segment], None]
Kind = tuple[str, str, str]
"""Topic, product and class; empty where they are not known."""


@dataclass(slots=True)
class Cut:
    """What of a segment is due, by offset, and the rules that say so."""

    segment: Segment
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
                _judge(made, archive, segment, _Judge(policy, visits, held, now_ms))
                looked(segment)
    return made


def apply(
    writer: ArchiveWriter, policy: Policy, actor: str, clock: Clock, looked: Looked = lambda _segment: None
) -> RetentionPlan:
    """Delete what is due, one segment after the other; a run that was killed is gone on with by the next one.

    A segment's new file lasts before its line, and its line before the old file goes. Raises as `plan` does.
    """
    archive = Archive(writer.root)
    _sweep(archive)
    made = plan(archive, policy, clock.now_ms(), looked)
    for cut in made.cuts:
        reason = f"retention: {'; '.join(sorted(cut.rules))}"[:2000]
        deletion = Deletion(records=len(cut.offsets), actor=actor, reason=reason)
        topic = archive.namespace.topic(cut.segment.topic)
        writer.enter(thin_segment(archive.root, cut.segment, topic, cut.offsets, deletion, clock.now_ms()))
        delete_files(archive.root, cut.segment.place)
    return made


@dataclass(frozen=True, slots=True)
class _Judge:
    policy: Policy
    visits: Visits
    held: frozenset[str]
    now_ms: int


def _judge(made: RetentionPlan, archive: Archive, segment: Segment, judge: _Judge) -> None:
    if not segment.records:
        return
    contents, cut = archive.contents(segment), Cut(segment)
    of = cache(judge.visits.of)
    for place in contents.kept():
        visit = contents.visits[place]
        facts = None if visit is None else of(visit)
        kind = _kind(segment.topic, facts)
        if facts is None or not facts.is_final:
            made.open[kind] += 1
            continue
        rule = judge.policy.due(segment.topic, facts, judge.now_ms)
        if rule is not None and judge.held.intersection(facts.lots):
            made.held[kind] += 1
        elif rule is not None:
            made.due[kind] += 1
            cut.offsets.add(contents.offsets[place])
            cut.rules.add(str(rule))
    if cut.offsets:
        made.cuts.append(cut)


def _kind(topic: str, facts: Facts | None) -> Kind:
    return (topic, "", "") if facts is None else (topic, facts.product_id or "", facts.routing.value)


def _sweep(archive: Archive) -> None:
    """Delete what a run that was killed left of older generations."""
    for segment in archive.segments():
        for generation in range(segment.generation):
            delete_files(archive.root, Place(*segment.place[:3], generation))
