"""Every pass that the records do not allow, and every outcome that nobody with the authority decided, is named."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_audit.balance import balance
from linewarden_audit.findings import BalanceReport
from linewarden_audit.ledger import AuditLedger
from linewarden_history.reading import WrittenAt
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Returned
from linewarden_schemas.decision import Shown
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import slot_id
from linewarden_schemas.inspection import Location, MeasuredDefect, SourceRef
from linewarden_schemas.line import LineStateRef
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.recipe import Criterion, Locate, Recipe, Thresholds, Zone
from linewarden_schemas.vocabulary import (
    Act,
    CameraCondition,
    Cause,
    CloseReason,
    Judgement,
    LineMode,
    Outcome,
    Role,
    Routing,
    Undecidable,
    Verdict,
    VerdictRule,
)
from tests.support.shift import (
    AT,
    BUDGET,
    RECIPE,
    capture,
    decided,
    decision,
    disposition,
    diverted,
    frame,
    inspection,
    outcome,
    recipe,
    slot_close,
    slot_open,
    told,
    visit,
    waiting,
)

LONG_AFTER = AT + 3_600_000
SIDE: dict[str, Any] = {"frame_id": "side-frame", "view_id": "side"}
OTHER = "b" * 64


def of(*messages: Message, append_ms: int | None = None) -> BalanceReport:
    """The balance an hour later; dispositions were written at `append_ms`, everything else at once."""
    ledger = AuditLedger()
    for offset, message in enumerate(messages):
        late = append_ms if isinstance(message, type(disposition(0, Routing.REJECTED))) else None
        ledger.learn(message, WrittenAt(offset, late or AT + 100))
    return balance(ledger, LONG_AFTER)


def two_views(side: dict[str, Any] | None = None, answer: dict[str, Any] | None = None) -> list[Message]:
    """A pass with two views; changes of what was captured and of what was said of the second."""
    seen = inspection(0, **(SIDE | (answer or {})))
    both = (told(inspection(0)), told(seen))
    return [
        recipe("top", "side"),
        capture(0),
        capture(0, sequence=1, **(SIDE | (side or {}))),
        inspection(0),
        seen,
        disposition(0, Routing.TRUSTED_PASS, views=both),
    ]


def changed(**changes: Any) -> Recipe:
    return recipe().model_copy(update=changes)


def asking(**more: Any) -> Recipe:
    """A recipe that lets go what is at most 1 mm long."""
    views = tuple(view.model_copy(update={"mm_per_pixel": 0.1}) for view in recipe().views)
    accept = (Criterion(accept=True, max_length_mm=1.0),)
    return changed(**({"views": views, "criteria": accept, "verdict_rule": VerdictRule.EITHER} | more))


def locating() -> Recipe:
    """A recipe that has the part located."""
    where = Locate(template_png=b"png", x=0, y=0, max_shift_px=5.0, least_score=0.5)
    return changed(views=tuple(view.model_copy(update={"locate": where}) for view in recipe().views))


HERE = Location(shift_x_px=1.0, shift_y_px=0.0, turn_deg=0.5, score=0.9, error_px=0.1, error_deg=0.1)


def mark(length_mm: float, **more: Any) -> MeasuredDefect:
    errors: dict[str, Any] = {"length_error_mm": 0.1, "area_error_mm2": 0.1}
    return MeasuredDefect(x=0, y=0, width=1, height=1, length_mm=length_mm, area_mm2=0.1, **errors, **more)


SETUP = LineStateRef(mode=LineMode.SETUP, since_ms=AT)
ZONE = Zone(zone_id="z", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
ONE = [capture(0), inspection(0), disposition(0, Routing.TRUSTED_PASS)]

WRONG: dict[str, list[Message]] = {
    "two serials": [recipe("top", "side"), capture(0, part_id="p1"), *two_views({"part_id": "p2"})[2:]],
    "two lots": [recipe("top", "side"), capture(0, lot_id="a"), *two_views({"lot_id": "b"})[2:]],
    "two places": [recipe("top", "side"), capture(0, bin_slot="a"), *two_views({"bin_slot": "b"})[2:]],
    "two authorities": [
        recipe("top", "side"),
        capture(0, returned=Returned(previous_visit_id="v", authority="order-7")),
        *two_views({"returned": Returned(previous_visit_id="v", authority="order-8")})[2:],
    ],
    "two stations": two_views({"station_id": "st2"}),
    "two line states": two_views({"line_state": LineStateRef(mode=LineMode.PRODUCTION, since_ms=AT + 1)}),
    "two recipes": two_views({"recipe": RECIPE.model_copy(update={"version": 2})}),
    "simulated and real": two_views({"is_simulated": True}),
    "another product": [recipe(), capture(0, product_id="cover"), *ONE[1:]],
    "a camera that is frozen": [recipe(), capture(0, conditions=(CameraCondition.FROZEN,)), *ONE[1:]],
    "a line in setup": [recipe(), capture(0, line_state=SETUP), *ONE[1:]],
    "a view that the recipe expects and nobody captured": [recipe("top", "side"), *ONE],
    "a view that is not in the recipe": [recipe("side"), *ONE],
    "another picture": [recipe(), capture(0), inspection(0, frame_sha256=OTHER), ONE[2]],
    "an inspection without a digest": [recipe(), capture(0), inspection(0, frame_sha256=None), ONE[2]],
    "another bundle": [recipe(), capture(0), inspection(0, bundle_digest=OTHER), ONE[2]],
    "another camera": [recipe(), capture(0), inspection(0, camera_id="cam2"), ONE[2]],
    "another camera than the recipe's": [
        recipe(), capture(0, camera_id="cam2"), inspection(0, camera_id="cam2"), ONE[2]
    ],
    "p over the recipe's threshold": [changed(thresholds=Thresholds(defect=0.05, suspicion=0.6)), *ONE],
    "suspicion at the recipe's threshold": [changed(thresholds=Thresholds(defect=0.5, suspicion=0.1)), *ONE],
    "criteria that nobody judged": [changed(criteria=(Criterion(defect_class="scratch"),)), *ONE],
    "criteria that inspect did not judge": [asking(), *ONE],
    "a defect beyond its limits": [asking(), capture(0), inspection(0, defects=(mark(1.0),), accepted=True), ONE[2]],
    "a defect that nothing accepts": [
        asking(criteria=(Criterion(max_length_mm=1.0),)),
        capture(0),
        inspection(0, defects=(mark(0.5),), accepted=True),
        ONE[2],
    ],
    "accepted above the threshold, which the recipe does not allow": [
        asking(),
        capture(0),
        inspection(0, defects=(mark(0.5),), accepted=True, p=0.9, verdict=Verdict.OK),
        ONE[2],
    ],
    "a part that nobody located": [locating(), *ONE],
    "more defects than a criterion allows": [
        asking(criteria=(Criterion(accept=True, max_length_mm=1.0, max_count=1),)),
        capture(0),
        inspection(0, defects=(mark(0.5), mark(0.4)), accepted=True),
        ONE[2],
    ],
    "an unknown class, of which one that it may be is not accepted": [
        asking(criteria=(Criterion(defect_class="pit", accept=True, max_length_mm=1.0),)),
        capture(0),
        inspection(0, defects=(mark(0.5, may_be=("pit", "scratch")),), accepted=True),
        ONE[2],
    ],
    "marks in ignored zones alone, above the threshold": [
        asking(accepts_above_threshold=True),
        capture(0),
        inspection(0, defects=(mark(0.5, is_ignored=True),), accepted=True, p=0.9, verdict=Verdict.OK),
        ONE[2],
    ],
    "zones that nobody judged": [changed(zones=(ZONE,)), *ONE],
    "a known-bad": [recipe(), capture(0, known_bad=True), *ONE[1:]],
    "a return without authority": [recipe(), capture(0, returned=Returned(previous_visit_id="v")), *ONE[1:]],
    "an unknown recipe": ONE,
    "a recipe of two contents": [recipe(), changed(bundle_digest=OTHER), *ONE],
    "a contradiction afterwards": [recipe(), *ONE, inspection(0, p=0.9)],
    "another picture afterwards": [recipe(), *ONE, capture(0, sha256=OTHER)],
    "a condition of the camera afterwards": [recipe(), *ONE, capture(0, conditions=(CameraCondition.TORN,))],
    "another time of capture afterwards": [recipe(), *ONE, capture(0, captured_ms=AT + 1)],
    "a serial that only a capture sent again names": [
        recipe("top", "side"), capture(0, part_id="p1"), *two_views()[2:], capture(0, sequence=1, part_id="p2", **SIDE)
    ],
    "a place that only a capture sent again names": [
        recipe("top", "side"), capture(0, bin_slot="a"), *two_views()[2:], capture(0, sequence=1, bin_slot="b", **SIDE)
    ],
    "an answer that is none afterwards": [recipe(), *ONE, inspection(0, undecidable=Undecidable.UNREADABLE)],
}  # fmt: skip


@pytest.mark.parametrize("shift", WRONG.values(), ids=WRONG)
def test_a_pass_that_its_records_do_not_allow_is_unsafe(shift: list[Message]) -> None:
    report = of(*shift)
    assert visit(0) in report.unsafe
    assert all(one.reason for one in report.findings)


def test_a_pass_with_accepted_defects_of_known_or_unknown_class_is_none() -> None:
    pit = Criterion(defect_class="pit", accept=True, max_length_mm=1.0, max_count=2)
    scratch = pit.model_copy(update={"defect_class": "scratch"})
    asked = asking(criteria=(pit, scratch), accepts_above_threshold=True)
    marks = (mark(0.5, may_be=("pit", "scratch")), mark(0.4, defect_class="pit"), mark(9.0, is_ignored=True))
    said = inspection(0, defects=marks, accepted=True, p=0.9, verdict=Verdict.OK)
    passed = disposition(0, Routing.TRUSTED_PASS, views=(told(said),))
    assert of(asked, capture(0), said, passed).closes
    assert visit(0) in of(asked, capture(0), said.model_copy(update={"accepted": False}), passed).unsafe


def test_a_pass_that_everything_allows_is_none() -> None:
    assert of(recipe(), *ONE).closes
    assert of(*two_views()).closes
    assert of(locating(), ONE[0], inspection(0, location=HERE), ONE[2]).closes
    assert of(recipe(), *ONE, inspection(0, undecidable=Undecidable.LATE), inspection(0, p=0.11)).closes
    again = capture(0, sequence=1, part_id="p1", **SIDE)
    late = [recipe("top", "side"), capture(0, part_id="p1"), *two_views()[2:], again]
    assert of(*late).closes, "a serial that is bound late"
    returned = Returned(previous_visit_id="v", authority="order-7")
    assert of(recipe(), capture(0, returned=returned), *ONE[1:]).closes


def test_a_pass_that_was_written_at_its_decide_by_is_unsafe_unless_it_was_taken_back() -> None:
    budget = recipe().time.decide_by_ms
    assert of(recipe(), *ONE, append_ms=AT + BUDGET - 1).closes
    assert of(recipe(), *ONE, append_ms=AT + BUDGET).unsafe == (visit(0),)
    hurried = [changed(time=recipe().time.model_copy(update={"decide_by_ms": budget - 5_000})), *ONE]
    assert of(*hurried, append_ms=AT + 100 + budget - 5_000).unsafe == (visit(0),), "no later than its first record"
    alarm = disposition(0, Routing.TRUSTED_PASS, revision=1, final=False, alarm="visible too late")
    report = of(recipe(), *ONE, alarm, slot_open(0, cause=Cause.REJECT_REVIEW), append_ms=AT + BUDGET)
    assert (report.closes, report.taken_back) == (True, (visit(0),))


def test_a_reject_without_a_defect_and_a_diversion_that_no_record_shows_are_named() -> None:
    assert of(recipe(), capture(0), inspection(0), disposition(0, Routing.REJECTED)).unsound == (visit(0),)
    wrong = [recipe(), capture(0), inspection(0), diverted(0, views=(told(inspection(0)),)), slot_open(0)]
    assert of(*wrong).unsound == (visit(0),)
    audit = disposition(0, Routing.DIVERTED, Cause.AUDIT, final=False)
    assert of(recipe(), capture(0), inspection(0), audit, slot_open(0, cause=Cause.AUDIT)).closes


@pytest.mark.parametrize(
    ("written_ms", "waiting_is_sound", "pass_is_safe"),
    [
        ((-5_000,), True, True),
        ((-5_000, 3_000), True, True),
        ((-5_000, 3_000, 8_000), True, True),
        ((-5_000, -1_000), True, False),
        ((-5_000, -1_000, 3_000), True, False),
        ((-90_000, 3_000), True, True),
        ((-90_000, -60_000), False, False),
        ((), False, False),
    ],
)
def test_contents_of_a_recipe_count_that_whoever_routed_can_have_read(
    written_ms: tuple[int, ...], waiting_is_sound: bool, pass_is_safe: bool
) -> None:
    """By when each content was written, from the routing on; no record names a digest."""

    def report(routed: list[Message]) -> BalanceReport:
        ledger = AuditLedger()
        for offset, ms in enumerate(written_ms):
            ledger.learn(changed(note=f"content {offset}"), WrittenAt(offset, AT + 100 + ms))
        for offset, message in enumerate(routed):
            ledger.learn(message, WrittenAt(offset, AT + 100))
        return balance(ledger, LONG_AFTER)

    assert (report(waiting(0)).unsound == ()) is waiting_is_sound
    assert (report(ONE).unsafe == ()) is pass_is_safe


def test_a_diversion_whose_writer_stood_still_owes_nothing_to_contents_written_meanwhile_and_a_pass_does() -> None:
    def report(routed: list[Message]) -> BalanceReport:
        ledger = AuditLedger()
        for offset, ms in enumerate((0, 20_000)):
            ledger.learn(changed(note=f"content {offset}"), WrittenAt(offset, AT + ms))
        for offset, message in enumerate(routed):
            ledger.learn(message, WrittenAt(offset, AT + (90_000 if isinstance(message, Disposition) else 100)))
        return balance(ledger, LONG_AFTER)

    assert report(waiting(0)).unsound == ()
    assert "recipe bracket@1 has 2 contents" in {one.reason for one in report(ONE).findings}


REVIEWED = decided(0)
FINAL = outcome(0)
BEFORE = REVIEWED[:-1]
RECALLED = slot_close(0, AT + 6_000).model_copy(update={"reason": CloseReason.UNDONE, "decision_id": "u1"})

UNSOUND: dict[str, list[Message]] = {
    "two final revisions": [*REVIEWED, FINAL.model_copy(update={"outcome": Outcome.SCRAP})],
    "a hole": [*BEFORE, FINAL.model_copy(update={"revision": 2})],
    "an outcome that nobody decided": [*BEFORE, FINAL.model_copy(update={"decision_ids": ()})],
    "a decision that is not there": [*waiting(0), slot_close(0, AT + 5_000), FINAL],
    "a slot that never was": [*BEFORE[:3], decision(0), FINAL],
    "another outcome": [*BEFORE, FINAL.model_copy(update={"outcome": Outcome.SCRAP})],
    "other people": [*BEFORE, FINAL.model_copy(update={"actors": ("berta",)})],
    "a frame that nobody looked at": [*waiting(0), decision(0, covers=()), *REVIEWED[-2:]],
    "a frame of which another picture was looked at": [
        *waiting(0),
        decision(0, shown=(Shown(frame_id=frame(0), sha256="0" * 64),)),
        *REVIEWED[-2:],
    ],
    "an outcome without authority": [
        *waiting(0),
        decision(0, Judgement.NG, outcome=Outcome.USE_AS_IS, concession="c"),
        slot_close(0, AT + 5_000),
        FINAL.model_copy(update={"outcome": Outcome.USE_AS_IS, "concession": "c"}),
    ],
    "somebody who may not": [*waiting(0), decision(0, role=Role.ENGINEER), *REVIEWED[-2:]],
    "one of two judgements": [changed(review=recipe().review.model_copy(update={"reviews_required": 2})), *REVIEWED],
    "a judgement that was undone": [*BEFORE, RECALLED, FINAL],
    "an open slot": [*REVIEWED, slot_open(0, 1)],
    "a slot that was closed twice": [*REVIEWED, slot_close(0, AT + 6_000).model_copy(update={"decision_id": "d9"})],
    "a slot of another generation": [*waiting(0), slot_open(0, 2)],
    "a second open slot": [*waiting(0), slot_open(0, 1)],
    "final without an alarm": [recipe(), *ONE, FINAL],
}


@pytest.mark.parametrize("shift", UNSOUND.values(), ids=UNSOUND)
def test_revisions_slots_and_outcomes_that_nobody_decided_are_named(shift: list[Message]) -> None:
    known = [] if any(isinstance(one, Recipe) for one in shift) else [recipe()]
    report = of(*known, *shift)
    assert visit(0) in {*report.unsound, *report.doubled}


def test_an_answer_and_its_undoing_are_sound_when_both_are_read_again_after_a_torn_transaction() -> None:
    undoing = decision(0, act=Act.UNDO, judgement=None, covers=(), decision_id="u1", undoes="d0")
    told = [slot_close(0, AT + 5_000), RECALLED]
    before, after = [recipe(), *waiting(0), decision(0), undoing, *told, slot_open(0)], slot_open(0, 1)
    assert of(*before, *told, after).closes
    assert of(*before, *told, slot_open(0), *told, after).closes
    assert of(*before, after).unsound == (visit(0),)
    assert of(*before, told[1], told[0], after).unsound == (visit(0),)


def test_an_undoing_that_did_not_come_through_is_answered_by_the_close_that_is_told_again() -> None:
    closed = slot_close(0, AT + 5_000)
    undoing = decision(0, act=Act.UNDO, judgement=None, covers=(), decision_id="u1", undoes="d0")
    before = [recipe(), *waiting(0), decision(0), undoing, closed, RECALLED]
    assert of(*before, closed, FINAL).closes
    assert of(*before, FINAL).unsound == (visit(0),)
    assert of(*before, closed.model_copy(update={"decision_id": "d9"}), FINAL).unsound == (visit(0),)


def test_two_people_who_agree_make_an_outcome_and_one_person_twice_does_not() -> None:
    second = slot_id(visit(0), 1, 0)
    twice = changed(review=recipe().review.model_copy(update={"reviews_required": 2}))
    opened = slot_open(0).model_copy(update={"slot_id": second, "round": 1})

    def history(actor: str) -> list[Message]:
        again = decision(0, decision_id="d0b", slot_id=second, actor=actor)
        closed = slot_close(0, AT + 5_000).model_copy(update={"slot_id": second, "decision_id": "d0b", "actor": actor})
        fields = {"decision_ids": ("d0", "d0b"), "actors": tuple(dict.fromkeys(("anna", actor)))}
        return [twice, *BEFORE, opened, again, closed, FINAL.model_copy(update=fields)]

    assert of(*history("berta")).closes
    assert of(*history("anna")).unsound == (visit(0),)


def test_a_frame_that_was_never_inspected_is_excused_by_a_dead_letter_of_its_own_alone() -> None:
    late = disposition(0, Routing.DIVERTED, Cause.LATE, final=False, views=())
    asked = slot_open(0, cause=Cause.LATE, shown=((SIDE["frame_id"], "side"),))
    shift = [recipe("top", "side"), capture(0), capture(0, sequence=1, **SIDE), late, asked]

    def letter(topic: str, offset: int = 0, **named: Any) -> DeadLetter:
        source = SourceRef(topic=f"line1.{topic}", partition=0, offset=offset)
        return DeadLetter(service="s", cause="c", detail="d", source=source, at_ms=AT, key=visit(0).encode(), **named)

    both = {frame(0), SIDE["frame_id"]}
    assert set(of(*shift).lost) == both
    assert set(of(*shift, letter("captures", visit_id=visit(0), frame_id=frame(0))).lost) == both
    assert set(of(*shift, letter("decisions", visit_id=visit(0))).lost) == both
    assert set(of(*shift, letter("frames", frame_id=frame(0))).lost) == {SIDE["frame_id"]}
    assert set(of(*shift, letter("frames", headers=(("ce_id", SIDE["frame_id"].encode()),))).lost) == {frame(0)}
    assert len(of(*shift, letter("frames"), letter("frames")).lost) == 1, "one record stands for one frame"
    assert of(*shift, letter("frames"), letter("frames", 1)).closes


def test_every_finding_says_why() -> None:
    report = of(recipe(), capture(0, known_bad=True, line_state=SETUP), *ONE[1:])
    reasons = {one.reason for one in report.findings}
    assert {"it is a known-bad", "the line was in setup, not in production"} <= reasons
    assert report.as_dict()["unsafe"] == (visit(0),)
