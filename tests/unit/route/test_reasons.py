"""Every reason that route tells is told twice: as a sentence, and as the code that says the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linewarden_domain.words import in_words, said, sentences
from linewarden_route import visit as machine
from linewarden_route.bounds import MOST_FRAMES, MOST_PARAMETERS, MOST_REASONS
from linewarden_route.events import Event, RoutingSeen, Step, TimerDue
from linewarden_schemas.disposition import Disposition, SlotOpen
from linewarden_schemas.reason import Reason
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Loss, Undecidable, Verdict
from linewarden_vision.inspecting.reasons import doubted
from linewarden_vision.trust.registry import CHEAP_NAMES, SECOND_NAMES
from tests.unit.route.builders import T0, captured, context, dispositions, inspected, opens, the

DOUBT = said("network_mask", p=0.12)


def told(*events: Event) -> tuple[Disposition, Step]:
    """The last disposition after these events and the deadline, and the step that it came with."""
    visit: VisitSnapshot | None = None
    last: Step | None = None
    for event in (*events, TimerDue()):
        step = machine.step(visit, event, context(T0 + 20_000 if isinstance(event, TimerDue) else T0))
        visit = step.visit
        last = step if dispositions(step) else last
    assert last is not None
    return dispositions(last)[-1], last


def require_both(record: Disposition | SlotOpen | VisitSnapshot) -> None:
    assert [in_words(one, "en") for one in record.reasons_coded] == list(record.reasons)
    assert all(in_words(one, "de") not in {None, in_words(one, "en")} for one in record.reasons_coded)


@pytest.mark.parametrize(
    "events",
    [
        (captured("top"), inspected("top")),
        (captured("top"), captured("side", lost=Loss.OVERSIZE), inspected("top")),
        (captured("top"), captured("side"), inspected("top"), inspected("side", suspicion=0.9)),
        (captured("top"), captured("side"), inspected("top"), inspected("side", verdict=Verdict.NG)),
        (captured("top"), inspected("side", verdict=Verdict.NOT_DECIDABLE, undecidable=Undecidable.LATE)),
        (captured("top", part_id="P-1"), captured("side", part_id="P-2"), inspected("top"), inspected("side")),
        (captured("top"), captured("side"), inspected("top"), inspected("side", frame_sha256=None)),
        (captured("top"), captured("side"), inspected("top"), inspected("side", margin=9.0)),
        tuple(captured("top", frame_id=f"v1.{number}") for number in range(MOST_FRAMES + 1)),
    ],
    ids=["missing", "lost", "low trust", "NG", "late", "serials", "no digest", "margin", "crowded"],
)
def test_dispositions_slots_and_state_carry_sentence_and_code(events: tuple[Event, ...]) -> None:
    routed, step = told(*events)
    assert routed.reasons
    require_both(routed)
    require_both(the(step.visit))
    for slot in opens(step):
        require_both(slot)


def test_a_fault_that_route_finds_is_said_in_another_language_too() -> None:
    routed, _ = told(captured("top"), captured("side"), inspected("top"), inspected("side", frame_sha256=None))
    assert routed.reasons == ("view side: its inspection does not say which picture was looked at",)
    (german,) = (in_words(one, "de") for one in routed.reasons_coded)
    assert german == "Ansicht side: das Ergebnis nennt nicht, welches Bild angesehen wurde"


def test_a_fault_that_a_record_names_in_its_own_words_keeps_them() -> None:
    routed, _ = told(captured("top", doubt="the clock stood"), captured("side"), inspected("top"), inspected("side"))
    assert routed.reasons == ("view top: the clock stood",)
    assert [in_words(one, "de") for one in routed.reasons_coded] == ["Ansicht top: the clock stood"]


def test_a_slot_carries_the_codes_of_what_was_said_of_each_frame() -> None:
    _, step = told(captured("top"), inspected("top", suspicion=0.9, **sentences((DOUBT,))))
    (frame,) = (one for slot in opens(step) for one in slot.frames)
    assert (frame.reasons, frame.reasons_coded) == ((DOUBT.sentence,), (DOUBT.reason,))


def test_an_adopted_routing_keeps_its_codes() -> None:
    seen, _ = told(captured("top"), inspected("top", suspicion=0.9))
    step = machine.step(None, RoutingSeen(seen), context())
    assert the(step.visit).reasons_coded == seen.reasons_coded
    assert [slot.reasons_coded for slot in opens(step)] == [seen.reasons_coded]


def test_a_state_from_before_the_codes_goes_on_and_what_is_said_next_has_both() -> None:
    _, step = told(captured("top"), captured("side"), inspected("top"), inspected("side", suspicion=0.9))
    old = json.loads(the(step.visit).to_json())
    del old["reasons_coded"]
    restored = VisitSnapshot.from_json(json.dumps(old).encode())
    assert restored.reasons
    worse = machine.step(restored, inspected("side", frame_id="v1.more", verdict=Verdict.NG), context())
    (revised,) = dispositions(worse)
    require_both(revised)


@pytest.mark.parametrize("ingredient", [*CHEAP_NAMES, "novelty", *SECOND_NAMES])
def test_a_visit_remembers_what_a_trust_score_found_in_every_language(ingredient: str) -> None:
    doubt = doubted(1 / 3, 2 / 3, 5 / 9, ingredient)
    seen = inspected("top", reasons=(doubt.sentence,), reasons_coded=(doubt.reason,))
    (view,) = the(machine.step(None, seen, context()).visit).views
    assert view.reasons_coded == (doubt.reason,)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ({"code": "a", "parameters": {"x": "w" * MOST_PARAMETERS}}, MOST_REASONS),
        ({"code": "a", "parameters": {"x": "w" * MOST_PARAMETERS, "y": 1}}, 0),
    ],
)
def test_a_visit_remembers_few_codes_and_none_that_is_long(reason: dict[str, Any], kept: int) -> None:
    many: dict[str, Any] = {"reasons": ("r",) * 20, "reasons_coded": (Reason(**reason),) * 20}
    step = machine.step(None, inspected("top", **many), context())
    (view,) = the(step.visit).views
    assert (len(view.reasons), len(view.reasons_coded)) == (MOST_REASONS, kept)
