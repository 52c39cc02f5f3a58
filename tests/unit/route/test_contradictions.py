"""Whatever two sources say differently of one visit withholds it, in words; what says the same again does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden_domain.words import catalogue, in_words
from linewarden_route import visit as machine
from linewarden_route.contradictions import MOST, MOST_VALUES
from linewarden_route.events import Counted, Event, Publish, RoutingSeen, Step, Tally, TimerDue
from linewarden_route.faults import of_visit
from linewarden_route.review import resend
from linewarden_schemas.capture import Returned
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Location, MeasuredDefect
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.recipe import Criterion, Locate, Recipe, Thresholds, Zone
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import (
    CameraCondition,
    Cause,
    LineMode,
    Loss,
    Outcome,
    Role,
    Routing,
    Undecidable,
    Verdict,
    VerdictRule,
)
from tests.unit.route.builders import T0, captured, context, decided, dispositions, inspected, make_recipe, opens, the

OTHER = "0" * 64
ORDERS = ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2))
"""Which of a visit's four records comes when: captures first, inspections first, and mixed."""


def state(mode: LineMode = LineMode.PRODUCTION, **more: Any) -> LineStateRef:
    return LineStateRef(mode=mode, **({"since_ms": T0} | more))


class Tale:
    """One visit, told record by record, with everything that was published of it."""

    def __init__(self, recipe: Recipe | None = None, now_ms: int = T0) -> None:
        self.recipe, self.now_ms = recipe or make_recipe(), now_ms
        self.visit: VisitSnapshot | None = None
        self.published: list[Disposition] = []

    def tell(self, *events: Event) -> Step:
        step = Step(self.visit)
        for event in events:
            step = machine.step(self.visit, event, context(self.now_ms, self.recipe))
            self.visit, self.published = step.visit, self.published + dispositions(step)
        return step

    def wait(self, ms: int) -> Step:
        self.now_ms += ms
        return self.tell(TimerDue())

    def asleep(self) -> None:
        """The visit as a successor reads it back."""
        self.visit = VisitSnapshot.from_json(the(self.visit).to_json())

    @property
    def alarms(self) -> list[Disposition]:
        return [one for one in self.published if one.alarm is not None]


TOP: dict[str, Any] = {
    "part_id": "P-1",
    "lot_id": "L-1",
    "product_id": "tile",
    "bin_slot": "B-1",
    "line_state": state(order_id="O-1", shift="early"),
    "returned": Returned(previous_visit_id="v0", authority="rework-7"),
}


def whole(capture: dict[str, Any] | None = None, inspection: dict[str, Any] | None = None) -> tuple[Event, ...]:
    """A visit whose second view says everything like the first but for these."""
    return (
        captured("top", **TOP),
        captured("side", **(TOP | (capture or {}))),
        inspected("top"),
        inspected("side", **(inspection or {})),
    )


BETWEEN_VIEWS: list[tuple[dict[str, Any], dict[str, Any], tuple[str, str]]] = [
    ({"part_id": "P-2"}, {}, ("P-1", "P-2")),
    ({"lot_id": "L-2"}, {}, ("L-1", "L-2")),
    ({"product_id": "brick"}, {}, ("brick", "tile")),
    ({"bin_slot": "B-2"}, {}, ("B-1", "B-2")),
    ({"station_id": "s2"}, {}, ("s1", "s2")),
    ({"line_id": "line2"}, {}, ("line1", "line2")),
    ({"is_simulated": True}, {}, ("real", "simulated")),
    ({"recipe": RecipeRef(recipe_id="tile", version=2)}, {}, ("tile@1", "tile@2")),
    ({"recipe": RecipeRef(recipe_id="tile", version=1, digest=OTHER)}, {}, (f"tile@1@{OTHER}", "tile@1@")),
    ({"line_state": state(order_id="O-2", shift="early")}, {}, ("order O-1", "order O-2")),
    ({"line_state": state(order_id="O-1", shift="late")}, {}, ("shift early", "shift late")),
    ({"line_state": state(LineMode.SETUP, order_id="O-1", shift="early")}, {}, ("production", "setup")),
    ({"returned": Returned(previous_visit_id="v9", authority="rework-7")}, {}, ("v0", "v9")),
    ({"returned": Returned(previous_visit_id="v0", authority="rework-8")}, {}, ("rework-7", "rework-8")),
    ({"sha256": OTHER}, {}, (OTHER, digest(b"v1.side"))),
    ({"camera_id": "cam-x"}, {}, ("cam-side", "cam-x")),
    ({}, {"camera_id": "cam-x"}, ("cam-side", "cam-x")),
    ({"camera_id": "cam-x"}, {"camera_id": "cam-x"}, ("cam-side", "cam-x")),
    ({}, {"frame_sha256": OTHER}, (OTHER, digest(b"v1.side"))),
    ({}, {"frame_sha256": None}, ("view side", "which picture")),
    ({}, {"bundle_digest": OTHER}, (OTHER, digest(b"bundle"))),
    ({}, {"line_id": "line2"}, ("line1", "line2")),
    ({}, {"is_simulated": True}, ("real", "simulated")),
    ({}, {"recipe": RecipeRef(recipe_id="brick", version=1)}, ("tile@1", "brick@1")),
    ({}, {"recipe": RecipeRef(recipe_id="tile", version=1, digest=OTHER)}, (f"tile@1@{OTHER}", "tile@1@")),
    ({}, {"view_id": "top"}, ("top", "side")),
    ({}, {"p_defect": 0.51}, ("0.51", "0.5")),
    ({}, {"p_defect": 0.31, "thresholds": Thresholds(defect=0.3, suspicion=0.4)}, ("0.31", "0.3")),
    ({}, {"margin": 3.0}, ("0.05", "0.953")),
    ({}, {"captured_ms": T0 - 1}, (str(T0), str(T0 - 1))),
    ({}, {"decide_by_ms": T0 + 10_001}, (str(T0 + 10_000), str(T0 + 10_001))),
    ({"doubt": "its pins are old"}, {}, ("view side", "its pins are old")),
    *(({"conditions": (one,)}, {}, ("view side", catalogue("en")[f"condition.{one}"])) for one in CameraCondition),
]


@pytest.mark.parametrize(("capture", "inspection", "told"), BETWEEN_VIEWS)
def test_what_records_say_differently_diverts_in_whatever_order_they_come(
    capture: dict[str, Any], inspection: dict[str, Any], told: tuple[str, str]
) -> None:
    reasons: list[set[str]] = []
    events = whole(capture, inspection)
    for order in ORDERS:
        tale = Tale()
        tale.tell(*(events[number] for number in order))
        if not tale.published:
            tale.wait(10_000)
        (routed,) = tale.published
        assert (routed.routing, routed.final) == (Routing.DIVERTED, False)
        assert Cause.FAULT in routed.causes
        assert all(frame.doubtful for slot in opens_of(tale) for frame in slot.frames if frame.view_id == "side")
        reasons.append(set(routed.reasons))
    assert any(all(value in reason for value in told) for reason in set.intersection(*reasons)), reasons


def opens_of(tale: Tale) -> list[Any]:
    return opens(resend(the(tale.visit), context(tale.now_ms, tale.recipe)))


def test_a_condition_of_a_camera_is_remembered_by_a_successor_and_told_in_every_language() -> None:
    tale = Tale()
    tale.tell(captured("top", conditions=(CameraCondition.SLOW, CameraCondition.FROZEN)), inspected("top"))
    tale.asleep()
    tale.tell(captured("side"), inspected("side"))
    (routed,) = tale.published
    assert (routed.routing, routed.causes) == (Routing.DIVERTED, (Cause.FAULT,))
    assert [one.code for one in routed.reasons_coded] == ["view_condition"] * 2
    told = in_words(routed.reasons_coded[0], "de") or ""
    assert told.startswith("Ansicht top: Die Kamera gab dasselbe Bild noch einmal")


def test_a_capture_that_is_sent_again_with_its_conditions_is_a_duplicate() -> None:
    tale, again = Tale(), captured("top", conditions=(CameraCondition.TORN, CameraCondition.DARK))
    tale.tell(again)
    assert tale.tell(again).effects == (Counted(Tally.DUPLICATE, "capture"),)
    assert tale.tell(captured("top", conditions=(CameraCondition.DARK,))).effects == (
        Counted(Tally.DUPLICATE, "capture"),
    )


def test_what_says_the_same_passes() -> None:
    for order in ORDERS:
        tale = Tale()
        tale.tell(*(whole()[number] for number in order))
        assert [one.routing for one in tale.published] == [Routing.TRUSTED_PASS]


@pytest.mark.parametrize("absent", ["part_id", "lot_id", "product_id", "bin_slot", "returned"])
def test_what_is_absent_beside_what_is_told_contradicts_nothing(absent: str) -> None:
    for order in ORDERS:
        tale = Tale()
        tale.tell(*(whole({absent: None})[number] for number in order))
        assert [one.routing for one in tale.published] == [Routing.TRUSTED_PASS]


@pytest.mark.parametrize("mode", [mode for mode in LineMode if mode is not LineMode.PRODUCTION])
def test_only_a_line_in_production_passes_a_part_on_trust(mode: LineMode) -> None:
    tale = Tale()
    pinned: dict[str, Any] = {"line_state": state(mode)}
    tale.tell(captured("top", **pinned), captured("side", **pinned), inspected("top"), inspected("side"))
    (routed,) = tale.published
    assert (routed.routing, routed.causes) == (Routing.DIVERTED, (Cause.FAULT,))
    assert mode.value in routed.reasons[0]
    assert all(frame.doubtful for frame in opens_of(tale)[0].frames)


def test_a_visit_whose_state_does_not_know_the_line_diverts() -> None:
    tale = Tale()
    tale.tell(*whole()[:3])
    tale.visit = the(tale.visit).model_copy(update={"line_state": None})
    tale.tell(whole()[3])
    assert tale.published[0].causes == (Cause.FAULT,)


def test_a_product_that_is_not_the_recipes_diverts() -> None:
    tale = Tale()
    other: dict[str, Any] = {"product_id": "brick"}
    tale.tell(captured("top", **other), captured("side", **other), inspected("top"), inspected("side"))
    assert tale.published[0].causes == (Cause.FAULT,)
    assert "brick" in tale.published[0].reasons[0]
    assert "tile" in tale.published[0].reasons[0]


@pytest.mark.parametrize(
    "asked",
    [
        {"criteria": (Criterion(defect_class="scratch", max_count=0),)},
        {"zones": (Zone(zone_id="seal", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),)},
    ],
)
def test_what_a_recipe_asks_for_and_nobody_judged_diverts(asked: dict[str, Any]) -> None:
    tale = Tale(make_recipe().model_copy(update=asked))
    tale.tell(*whole())
    assert tale.published[0].causes == (Cause.FAULT,)
    assert "nobody judged" in tale.published[0].reasons[0]


def test_what_withholds_a_visit_withholds_it_also_where_the_reason_has_no_code() -> None:
    tale = Tale()
    tale.tell(captured("top"))
    before = the(tale.visit)
    withheld = before.model_copy(update={"withheld": "the line was locked"})
    new = set(of_visit(withheld, tale.recipe)) - set(of_visit(before, tale.recipe))
    assert [one.routing for one in new] == [Routing.DIVERTED]


MARK = MeasuredDefect(
    x=0, y=0, width=1, height=1, length_mm=0.5, length_error_mm=0.1, area_mm2=0.1, area_error_mm2=0.1, is_within=True
)


def _asking(**more: Any) -> Recipe:
    views = tuple(view.model_copy(update={"mm_per_pixel": 0.1}) for view in make_recipe().views)
    accept = (Criterion(accept=True, max_length_mm=1.0),)
    fields: dict[str, Any] = {"views": views, "criteria": accept, "verdict_rule": VerdictRule.EITHER}
    return make_recipe().model_copy(update=fields | more)


HERE = Location(shift_x_px=1.0, shift_y_px=0.0, turn_deg=0.5, score=0.9, error_px=0.1, error_deg=0.1)
WHERE = Locate(template_png=b"png", x=0, y=0, max_shift_px=5.0, least_score=0.5)


def _locating() -> Recipe:
    views = tuple(view.model_copy(update={"locate": WHERE}) for view in make_recipe().views)
    return make_recipe().model_copy(update={"views": views})


@pytest.mark.parametrize(
    ("recipe", "told", "reason"),
    [
        (_locating(), {"location": HERE}, None),
        (_locating(), {}, "nobody located it"),
        (_asking(), {"defects": ()}, None),
        (_asking(), {"defects": (MARK,), "accepted": True}, None),
        (_asking(), {}, "nobody measured any"),
        (
            _asking(criteria=(), zones=()),
            {"defects": (MARK,), "accepted": True},
            "that the recipe does not have",
        ),
        (_asking(), {"defects": (MARK,), "accepted": True, "p_defect": 0.9}, "the threshold in force"),
        (_asking(accepts_above_threshold=True), {"defects": (MARK,), "accepted": True, "p_defect": 0.9}, None),
        (_asking(accepts_above_threshold=True), {"defects": (), "p_defect": 0.9}, "the threshold in force"),
    ],
)
def test_an_ok_by_criteria_or_by_a_place_passes_as_the_recipe_says(
    recipe: Recipe, told: dict[str, Any], reason: str | None
) -> None:
    tale = Tale(recipe)
    named: dict[str, Any] = {"recipe": recipe.ref(), **told}
    ref: dict[str, Any] = {"recipe": recipe.ref()}
    tale.tell(captured("top", **ref), captured("side", **ref), inspected("top", **named), inspected("side", **named))
    assert (tale.published[0].routing is Routing.TRUSTED_PASS) is (reason is None)
    assert reason is None or reason in tale.published[0].reasons[0]


@pytest.mark.parametrize(("limit", "passes"), [(0.05, True), (0.049, False)])
def test_the_recipes_threshold_on_p_binds_whatever_the_inspection_says(limit: float, passes: bool) -> None:
    strict = make_recipe().model_copy(update={"thresholds": Thresholds(defect=limit, suspicion=0.4)})
    tale = Tale(strict)
    named: dict[str, Any] = {"thresholds": strict.thresholds}
    tale.tell(*whole(inspection=named)[:2], inspected("top", **named), inspected("side", **named))
    assert (tale.published[0].routing is Routing.TRUSTED_PASS) is passes


@pytest.mark.parametrize(
    ("used", "passes"),
    [
        (Thresholds(defect=0.3, suspicion=0.4), True),
        (Thresholds(defect=0.5, suspicion=0.4), False),
        (Thresholds(defect=0.3, suspicion=0.3), False),
    ],
)
def test_a_frame_that_was_judged_by_other_thresholds_than_the_recipes_diverts(used: Thresholds, passes: bool) -> None:
    own = Thresholds(defect=0.3, suspicion=0.4)
    tale = Tale(make_recipe(thresholds=own))
    tale.tell(*whole()[:2], inspected("top", thresholds=own), inspected("side", thresholds=used))
    (routed,) = tale.published
    assert (routed.routing is Routing.TRUSTED_PASS) is passes
    assert passes or f"defect {used.defect}, suspicion {used.suspicion}" in routed.reasons[0]


def test_an_ok_of_which_the_state_does_not_know_what_made_it_diverts() -> None:
    for lacking in ("camera_id", "bundle_digest", "thresholds", "p_defect"):
        tale = Tale()
        tale.tell(*whole()[:3])
        views = tuple(view.model_copy(update={lacking: None}) for view in the(tale.visit).views)
        tale.visit = the(tale.visit).model_copy(update={"views": views})
        tale.tell(whole()[3])
        assert tale.published[0].causes == (Cause.FAULT,)


AGAIN: list[tuple[Event, tuple[str, ...]]] = [
    (captured("side", **(TOP | {"part_id": "P-2"})), ("P-1", "P-2")),
    (captured("side", **(TOP | {"lot_id": "L-2"})), ("L-1", "L-2")),
    (captured("side", **(TOP | {"product_id": "brick"})), ("tile", "brick")),
    (captured("side", **(TOP | {"station_id": "s2"})), ("s1", "s2")),
    (captured("side", **(TOP | {"line_state": state(LineMode.BYPASS)})), ("production", "bypass")),
    (captured("side", **(TOP | {"camera_id": "cam-x"})), ("cam-side", "cam-x")),
    (captured("side", **(TOP | {"sha256": OTHER})), (OTHER,)),
    (captured("side", **(TOP | {"view_id": "top"})), ("top", "side")),
    (captured("side", **(TOP | {"recipe": RecipeRef(recipe_id="tile", version=3)})), ("tile@1", "tile@3")),
    (captured("side", **(TOP | {"known_bad": True})), ("part", "known-bad")),
    (captured("side", **(TOP | {"conditions": (CameraCondition.MOVED,)})), ("view side", "not where it was taught")),
    (inspected("side", verdict=Verdict.NG), ("OK", "NG")),
    (inspected("side", verdict=Verdict.NOT_DECIDABLE), ("OK", "NOT_DECIDABLE")),
    (inspected("side", suspicion=0.102), ("0.1", "0.102")),
    (inspected("side", p_defect=0.0502), ("0.05", "0.0502")),
    (inspected("side", suspicion=0.13, device="cuda:1"), ("0.1", "0.13")),
    (inspected("side", thresholds=Thresholds(defect=0.5, suspicion=0.0)), ("suspicion 0.4", "suspicion 0.0")),
    (inspected("side", bundle_digest=OTHER), (OTHER,)),
    (inspected("side", frame_sha256=OTHER), (OTHER,)),
    (inspected("side", camera_id="cam-x"), ("cam-side", "cam-x")),
    (inspected("side", recipe=RecipeRef(recipe_id="tile", version=3)), ("tile@1", "tile@3")),
    (captured("side", **(TOP | {"captured_ms": T0 + 1})), (str(T0), str(T0 + 1))),
    (inspected("side", captured_ms=T0 + 1), (str(T0), str(T0 + 1))),
    (captured("side", **(TOP | {"decide_by_ms": T0 + 10_001})), (str(T0 + 10_000), str(T0 + 10_001))),
]


@pytest.mark.parametrize(("again", "told"), AGAIN)
def test_a_second_record_of_a_frame_that_contradicts_the_first_diverts_or_raises_an_alarm_once(
    again: Event, told: tuple[str, ...]
) -> None:
    for place in range(1, 5):
        tale = Tale()
        events = list(whole())
        events.insert(place, again)
        tale.tell(*events)
        if not tale.published:
            tale.wait(10_000)
        latest = tale.published[-1]
        assert latest.routing is not Routing.TRUSTED_PASS
        assert not latest.final
        assert Cause.FAULT in latest.causes or Cause.KNOWN_BAD in latest.causes
        if "known-bad" not in told:
            assert any(all(value in reason for value in told) for reason in latest.reasons), latest.reasons
        count = len(tale.published)
        tale.tell(again, again, *whole(), again)
        tale.asleep()
        tale.tell(again, *whole())
        assert len(tale.published) == count, "told twice"


SAME_AGAIN: list[Event] = [
    captured("side", **TOP),
    captured("side", **(TOP | {"part_id": None, "lot_id": None, "product_id": None, "bin_slot": None})),
    captured("side", **(TOP | {"lost": Loss.DROPPED_OLDEST})),
    captured("side", **(TOP | {"lost": Loss.SPOOL_CORRUPT, "size_bytes": None})),
    captured("side", **(TOP | {"recipe": RecipeRef(recipe_id="tile", version=1)})),
    inspected("side", recipe=RecipeRef(recipe_id="tile", version=1)),
    captured("side", append_ms=T0 - 3_600_000, **TOP),
    inspected("side"),
    inspected("side", verdict=Verdict.NOT_DECIDABLE, undecidable=Undecidable.LATE),
    inspected("side", suspicion=0.10005, p_defect=0.05005),
    inspected("side", suspicion=0.119, device="cuda:1"),
    inspected("side", frame_sha256=None),
]


@pytest.mark.parametrize("again", SAME_AGAIN)
def test_what_is_sent_again_is_a_duplicate(again: Event) -> None:
    tale = Tale()
    tale.tell(*whole())
    tale.asleep()
    before = tale.visit
    step = tale.tell(again)
    assert [effect.tally for effect in step.effects if isinstance(effect, Counted)] == [Tally.DUPLICATE]
    assert len(step.effects) == 1
    assert step.visit is before


def test_why_there_is_no_picture_is_told_with_the_routing_and_once() -> None:
    why = "a.tiff: 3 pictures in one file"
    lost = captured("side", **(TOP | {"lost": Loss.UNREADABLE, "lost_detail": why}))
    tale = Tale()
    tale.tell(captured("top", **TOP), inspected("top"), lost)
    (routed,) = tale.published
    assert any(why in reason for reason in routed.reasons)
    tale.tell(lost, captured("side", **(TOP | {"lost": Loss.SPOOL_CORRUPT, "lost_detail": "another"})))
    assert len(tale.published) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_picture_that_comes_after_its_loss_changes_no_routing(seed: int) -> None:
    lost = captured("side", **(TOP | {"lost": Loss.DROPPED_OLDEST}))
    events: list[Event] = [captured("top", **TOP), lost, inspected("top"), inspected("side")]
    events.insert(2 + seed % 3, captured("side", **TOP))
    tale = Tale()
    tale.tell(*events, captured("side", **TOP), lost)
    assert [(one.routing, one.causes) for one in tale.published] == [(Routing.DIVERTED, (Cause.FAULT,))]


def test_a_defect_that_was_seen_is_news_beside_an_answer_late() -> None:
    tale = Tale()
    tale.tell(*whole()[:3], inspected("side", verdict=Verdict.NOT_DECIDABLE, undecidable=Undecidable.LATE))
    tale.tell(inspected("side"))
    assert not tale.alarms
    tale.tell(inspected("side", verdict=Verdict.NG))
    assert len(tale.alarms) == 1


def contradiction() -> Event:
    return captured("side", **(TOP | {"part_id": "P-2"}))


def test_a_rejected_visit_whose_records_contradict_is_looked_at() -> None:
    tale = Tale()
    tale.tell(*whole(inspection={"verdict": Verdict.NG}))
    assert [(one.routing, one.final) for one in tale.published] == [(Routing.REJECTED, True)]
    tale.asleep()
    step = tale.tell(contradiction())
    (alarm,) = dispositions(step)
    assert (alarm.revision, alarm.routing, alarm.final) == (1, Routing.REJECTED, False)
    assert opens(step)
    assert any("P-1, P-2" in reason for reason in alarm.reasons)


@pytest.mark.parametrize("judgement", ["OK", "NG"])
def test_a_visit_that_people_closed_is_opened_again(judgement: str) -> None:
    tale = Tale()
    tale.tell(*whole(inspection={"suspicion": 0.9}), decided("v1.r0.g0", judgement))
    tale.wait(20_000)
    assert tale.published[-1].outcome is (Outcome.ACCEPT if judgement == "OK" else Outcome.SCRAP)
    tale.asleep()
    step = tale.tell(contradiction())
    (alarm,) = dispositions(step)
    assert (alarm.revision, alarm.outcome, alarm.final) == (2, None, False)
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g1"]
    tale.tell(contradiction(), *whole(inspection={"suspicion": 0.9}))
    assert len(tale.alarms) == 1


def test_a_visit_in_review_is_asked_for_afresh() -> None:
    tale = Tale(make_recipe(review={"reviews_required": 2}))
    tale.tell(*whole(inspection={"suspicion": 0.9}), decided("v1.r0.g0"))
    step = tale.tell(contradiction())
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g1", "v1.r1.g0"]
    assert len(tale.alarms) == 1


def test_an_ng_beside_a_contradiction_rejects_and_tells_it() -> None:
    tale = Tale()
    tale.tell(*whole({"part_id": "P-2"}, {"verdict": Verdict.NG}))
    (routed,) = tale.published
    assert (routed.routing, routed.causes) == (Routing.REJECTED, (Cause.FAULT,))
    assert any("P-1, P-2" in reason for reason in routed.reasons)


def test_a_reject_drawn_for_review_tells_the_contradiction_too() -> None:
    tale = Tale(make_recipe(review={"reject_review_share": 1.0}))
    tale.tell(*whole({"part_id": "P-2"}, {"verdict": Verdict.NG}))
    assert tale.published[0].causes == (Cause.REJECT_REVIEW, Cause.FAULT)


def test_a_frame_with_two_verdicts_is_not_rejected_by_one_of_them() -> None:
    ng, ok = inspected("side", verdict=Verdict.NG), inspected("side")
    for events in ((ng, ok), (ok, ng)):
        tale = Tale()
        tale.tell(captured("top"), captured("side"), *events, inspected("top"))
        assert [one.routing for one in tale.published] == [Routing.DIVERTED]


def test_two_frames_of_a_view_that_speak_against_each_other_are_told() -> None:
    again = "v1.top.again"
    events = (captured("top", frame_id=again), inspected("top", verdict=Verdict.NG, frame_id=again), *whole())
    tale = Tale()
    tale.tell(*events)
    assert (tale.published[0].routing, tale.published[0].causes) == (Routing.REJECTED, (Cause.FAULT,))
    assert "view top: one frame is OK and another one NG" in tale.published[0].reasons


def test_an_ng_below_the_threshold_in_force_is_told() -> None:
    for rule, causes in ((VerdictRule.CLASSIFIER, (Cause.FAULT,)), (VerdictRule.EITHER, ())):
        tale = Tale(make_recipe().model_copy(update={"verdict_rule": rule}))
        tale.tell(*whole(inspection={"verdict": Verdict.NG, "p_defect": 0.5}))
        assert (tale.published[0].routing, tale.published[0].causes) == (Routing.REJECTED, causes)


def test_a_known_bad_tells_what_records_contradict_and_nothing_else() -> None:
    bad = {"known_bad": True}
    tale = Tale()
    tale.tell(*whole(bad, {"verdict": Verdict.NG}))
    assert tale.published[0].causes == (Cause.KNOWN_BAD,)
    tale = Tale()
    tale.tell(*whole(bad | {"part_id": "P-2"}))
    assert (tale.published[0].routing, tale.published[0].causes) == (
        Routing.DIVERTED,
        (Cause.KNOWN_BAD, Cause.FAULT),
    )


@pytest.mark.parametrize(("again", "told"), AGAIN[:6] + AGAIN[10:12])
def test_records_that_contradict_an_adopted_pass_raise_an_alarm_once(again: Event, told: tuple[str, ...]) -> None:
    first = Tale()
    first.tell(*whole())
    tale = Tale()
    tale.tell(RoutingSeen(first.published[0]), *whole())
    assert not tale.published
    assert the(tale.visit).bin_slot == "B-1"
    tale.tell(again)
    (alarm,) = tale.published
    assert alarm.alarm
    assert any(all(value in reason for value in told) for reason in alarm.reasons)
    tale.tell(again, *whole())
    assert len(tale.published) == 1


def test_an_adopted_pass_that_was_judged_by_another_bundle_raises_an_alarm() -> None:
    first = Tale()
    first.tell(*whole())
    tale = Tale()
    tale.tell(RoutingSeen(first.published[0]), inspected("side", bundle_digest=OTHER))
    assert len(tale.alarms) == 1


def test_an_adopted_known_bad_is_one_still() -> None:
    first = Tale()
    first.tell(*whole({"known_bad": True}))
    tale = Tale()
    tale.tell(RoutingSeen(first.published[0]), *whole({"known_bad": True}))
    assert the(tale.visit).known_bad
    assert not tale.published


def test_reasons_of_whatever_length_fit_into_the_record_that_tells_them() -> None:
    pinned = [state(LineMode.SETUP, order_id="x" * 128, shift=f"{number}{'y' * 100}") for number in range(9)]
    tale = Tale()
    tale.tell(captured("top", doubt="d" * 2000, line_state=pinned[0]), captured("side", line_state=pinned[1]))
    for one in pinned[2:]:
        tale.tell(captured("top", line_state=one))
    tale.tell(inspected("top"), inspected("side"))
    (routed,) = tale.published
    assert Disposition.from_json(routed.to_json()) == routed
    assert VisitSnapshot.from_json(the(tale.visit).to_json()) == tale.visit


def test_the_state_of_a_visit_stays_small_whatever_contradicts() -> None:
    tale = Tale()
    tale.tell(*whole())
    for number in range(20):
        tale.tell(captured("side", **(TOP | {"part_id": f"P-{number}", "lot_id": f"L-{number}"})))
        tale.tell(captured("top", frame_id=f"v1.{number}", camera_id=f"cam-{number}", sha256=OTHER))
        tale.tell(captured("top", frame_id=f"v1.{number}", camera_id=f"cam-{number}.b"))
    found = the(tale.visit).contradictions
    assert len(found) == MOST
    assert max(len(one.values) for one in found) == MOST_VALUES


def test_a_state_of_before_is_read_and_its_pass_raises_nothing_when_ingest_sends_again() -> None:
    tale = Tale()
    tale.tell(*whole())
    old = the(tale.visit)
    new = {"camera_id": None, "bundle_digest": None, "thresholds": None, "device": None, "precision": None}
    views = tuple(view.model_copy(update=new) for view in old.views)
    tale.visit = VisitSnapshot.from_json(old.model_copy(update={"views": views}).to_json())
    tale.published.clear()
    tale.tell(*whole())
    assert not tale.published


RESENT = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1, 4_000, 15_000, 40_000]), st.sampled_from(range(len(SAME_AGAIN) + 2))),
    max_size=30,
)


@settings(max_examples=60)
@given(
    order=st.permutations(range(4)),
    resent=RESENT,
    suspicion=st.sampled_from([0.1, 0.9]),
    judgement=st.sampled_from(["OK", "NG", None]),
    reviews=st.integers(1, 2),
)
def test_whatever_ingest_and_inspect_send_again_raises_no_alarm(
    order: list[int], resent: list[tuple[int, int]], suspicion: float, judgement: str | None, reviews: int
) -> None:
    first = {"suspicion": suspicion}
    events = whole(inspection=first)
    tale = Tale(make_recipe(review={"reviews_required": reviews}))
    tale.tell(*(events[number] for number in order))
    for pause_ms, number in resent:
        tale.wait(pause_ms)
        again = [one for one in SAME_AGAIN if suspicion == 0.1 or not is_inspected_ok(one)]
        tale.tell(([*again, *events])[number % (len(again) + 4)])
        if judgement is not None and the(tale.visit).slots:
            for slot in [slot for slot in the(tale.visit).slots if slot.open]:
                tale.tell(decided(slot.slot_id, judgement, f"person-{slot.round}", role=Role.LEAD))
        if number % 3 == 0:
            tale.asleep()
    assert not tale.alarms
    assert [one.revision for one in tale.published] == list(range(len(tale.published)))


def is_inspected_ok(event: Event) -> bool:
    return getattr(getattr(event, "inspection", None), "suspicion", None) is not None


def test_restarts_of_ingest_without_end_leave_the_visit_as_it_is() -> None:
    tale = Tale()
    tale.tell(*whole())
    before = tale.visit
    for number in range(100):
        lost = {"lost": list(Loss)[number % len(Loss)]} if number % 2 else {}
        step = tale.tell(captured("top", **TOP), captured("side", **(TOP | lost)))
        assert not [effect for effect in step.effects if isinstance(effect, Publish)]
    assert tale.visit is before
