"""One thing altered at a time, over everything that a real history holds: the balance names each.

What is said of dispositions and decisions is chained, so that any change of one of their bytes is named by
`audit verify` (`test_notary_alterations.py`); here the balance is asked for what it can tell of them alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache

import pytest

from linewarden_audit import audit
from linewarden_audit.audit import balance_records
from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import EnvelopeError, decode
from tests.support.history import History, whole_history
from tests.unit.audit.altering import Alteration, alterations, kind_of

SOUND = ("passed", "rejected", "waiting", "unsure")
"""Visits of which no record contradicts another, and of every end: their fields are altered, one by one."""
CHAINED = ("disposition", "decision")

UNNAMED = {
    "change camera-heartbeat.at_ms": "when it was told; the number counts",
    "drop camera-heartbeat*": "a beat that is missing is made good by the next one, or by a higher number that is seen",
    "double camera-heartbeat": "the same number twice",
    "swap camera-heartbeat": "the highest number counts, whatever the order",
    "move camera-heartbeat": "beats lie in any partition",
    "rekey camera-heartbeat": "nothing is joined by the key of a beat",
    "postpone *": "when the broker wrote it only matters to a deadline: that of a pass is tried below",
    "change capture.clock_checked": "whether the node had compared its clock; route judges by the broker's time alone",
    "drop capture.part_id": "a serial may be bound late or never",
    "drop capture.lot_id": "as the serial",
    "drop capture.bin_slot": "as the serial",
    "drop slot-open.bin_slot": "where it lies is not told, and who is asked looks for it",
    "drop capture.product_id": "as the serial; the recipe says what the product is",
    "double capture": "the same frame captured twice is a duplicate, and counted",
    "swap capture": "views are joined in any order",
    "double inspection": "the same answer twice is a duplicate, and counted",
    "swap inspection": "frames are joined in any order",
    "change inspection.clock_checked": "as of the capture",
    "drop inspection.recipe.digest": "an old writer names none: then the one content that is known is meant",
    "drop capture.recipe.digest": "as of the inspection",
    "drop slot-open.recipe.digest": "as of the inspection",
    "change inspection.code_version": "told to reproduce; whether it does shows by a replay",
    "change inspection.inspected_ms": "told for figures; deadlines go by what the broker wrote",
    "change inspection.source.*": "where the picture lies, of a visit that nobody is asked about; the digest says so",
    "double recipe": "the same content twice",
    "move recipe": "recipes have one partition",
    "rekey recipe": "compaction goes by the key; the content is told by its digest",
    "change slot-close.closed_ms": "when it was closed; the order in the log counts",
    "* slot-close.detail": "words for people",
    "double slot-close": "the same close twice",
    "forget slot-open": "a tombstone of a slot that is closed, as after the horizon",
    "forget slot-close": "the same",
    "drop slot-open": "compaction keeps the last record of a slot alone, which is its close",
    "double slot-open": "a request that is sent again under its id",
    "change slot-open.due_ms": "the order of the queue, not what becomes of a part",
    "change slot-open.opened_ms": "as when it is due",
    "change slot-open.risk": "as when it is due",
    "* slot-open.max_age_ms": "asks for a slower line, and decides nothing",
    "* slot-open.reasons*": "words for people",
    "drop slot-open.frames.*.frame*": "where the picture lies is not told: the keeper says that it is missing",
    "* slot-open.frames.*.inspection*": "where the answer lies; what it says is told beside it",
    "drop slot-open.frames.*.sha256": "no digest is told; the evidence carries its own",
    "drop slot-open.frames.*.verdict": "an answer that is not told yet",
    "drop line-state": "a line of which nothing is known says nothing: its topic may have been kept shorter",
    "double line-state": "the same state twice",
    "move line-state": "states have one partition",
    "rekey line-state": "the message tells the line",
    "change line-state.line_id": "as where it is dropped",
    "change line-state.since_ms": "when it was told is what the broker wrote",
    "change line-state.actor": "who told it; what it was counts",
    "change line-state.has_gate": "what counts is pinned into each capture",
    "change line-state.mode": "what a pass was decided in is named; of others people decide",
    "drop slot-open.handover": "who handed it on: for people",
    "change slot-open.handover.*": "the same",
    "drop slot-open.frames*": "of a slot that is closed: route asks what was covered, whatever was shown",
}
"""Alterations that the balance does not name, each with the reason why none of them lets a part pass or be lost."""

OF_CLOSED_SLOTS = {
    "drop slot-open",
    "drop slot-close",
    "forget slot-open",
    "drop slot-open.frames",
    "drop slot-open.frames.*",
}
"""Of these a slot that waits for a person lets nothing pass unnamed."""


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    made = whole_history()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of histories differ in one record each; the others are read once."""
    monkeypatch.setattr(audit, "decode", cache(decode))


def is_named(records: list[InRecord], history: History) -> bool:
    report = balance_records(records, history.now_ms() + 3_600_000, None, history.counts())
    return not report.closes or bool(report.strays)


def says_the_same(alteration: Alteration, records: list[InRecord]) -> bool:
    """Whether an alteration is none: a default that was left out, a number that is its own opposite."""
    changed = [(one, two) for one, two in zip(records, alteration.records, strict=False) if one != two]
    if alteration.act not in {"change", "drop"} or len(records) != len(alteration.records):
        return False
    try:
        return all(
            decode(one.headers, one.value).message == decode(two.headers, two.value).message for one, two in changed
        )
    except EnvelopeError:
        return False


def test_untouched_every_visit_closes_alone_and_together(history: History) -> None:
    assert not is_named(history.records(), history)
    for visit, records in history.of_visits().items():
        assert not is_named(records, history), visit


def test_a_slot_that_is_forgotten_while_it_waits_for_a_person_strands_its_visit(history: History) -> None:
    records = history.of_visits()["waiting"]
    opened = next(one for one in records if one.topic.endswith(".reinspections"))
    gone = replace(opened, value=None, headers=(), offset=opened.offset + 100)
    report = balance_records([*records, gone], history.now_ms() + 3_600_000, None, history.counts())
    assert report.lost == ("waiting",)


def test_a_slot_that_sends_somebody_to_another_place_or_picture_is_named(history: History) -> None:
    records = history.of_visits()["waiting"]
    paths = ("slot-open.bin_slot", "slot-open.frames.*.frame.offset")
    for path in paths:
        altered = [one for one in alterations(records) if (one.act, one.path) == ("change", path)]
        assert altered
        assert all(is_named(one.records, history) for one in altered)


def test_whatever_is_altered_in_what_nobody_chains_is_named(history: History) -> None:
    unnamed: dict[str, set[str]] = {}
    tried = 0
    for visit in SOUND:
        records = history.of_visits()[visit]
        for one in alterations(records, [place for place, each in enumerate(records) if kind_of(each) not in CHAINED]):
            tried += 1
            if not is_named(one.records, history) and not says_the_same(one, records):
                unnamed.setdefault(f"{one.act} {one.path}", set()).add(visit)
    unlisted = {name: of for name, of in unnamed.items() if not any(fnmatch(name, pattern) for pattern in UNNAMED)}
    assert not unlisted
    of_open = {name for name, of in unnamed.items() if "waiting" in of}
    assert not of_open & OF_CLOSED_SLOTS
    assert tried > 1_000
    stale = [pattern for pattern in UNNAMED if not any(fnmatch(name, pattern) for name in unnamed)]
    assert not stale, "\n".join(stale)
