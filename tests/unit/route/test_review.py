from typing import Any

import pytest

from linewarden_route import visit as machine
from linewarden_route.events import Counted, Dead, Event, Step, Tally, TimerDue
from linewarden_schemas.decision import Shown
from linewarden_schemas.disposition import Handover
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import (
    Act,
    Cause,
    CloseReason,
    Loss,
    Outcome,
    Role,
    Routing,
    Skill,
    Undecidable,
    Verdict,
)
from tests.unit.route.builders import (
    T0,
    captured,
    closes,
    context,
    decided,
    dispositions,
    inspected,
    make_recipe,
    opens,
    the,
)

WINDOW = 20_000


class Story:
    """One visit told event by event."""

    def __init__(self, recipe: Recipe | None = None) -> None:
        self.recipe = recipe or make_recipe()
        self.now_ms = T0
        self.visit: VisitSnapshot | None = None

    def tell(self, *events: Event) -> Step:
        step = Step(self.visit)
        for event in events:
            step = machine.step(self.visit, event, context(self.now_ms, self.recipe))
            self.visit = step.visit
        return step

    def wait(self, ms: int) -> Step:
        self.now_ms += ms
        return self.tell(TimerDue())

    def diverted(self, **side: Any) -> Step:
        doubt = side or {"suspicion": 0.9}
        return self.tell(captured("top"), captured("side"), inspected("top"), inspected("side", **doubt))


def two_rounds() -> Story:
    story = Story(make_recipe(review={"reviews_required": 2}))
    story.diverted()
    return story


def undo(slot: str, actor: str = "ann", undoes: str | None = None, **more: Any) -> Event:
    undoes = undoes or f"d-{slot}-{actor}"
    return decided(slot, None, actor, act=Act.UNDO, undoes=undoes, decision_id=f"u-{slot}-{actor}", **more)


def counted(step: Step) -> list[tuple[Tally, str]]:
    return [(effect.tally, effect.kind) for effect in step.effects if isinstance(effect, Counted)]


def test_a_diversion_opens_a_slot_with_every_frame_and_its_sources() -> None:
    (slot,) = opens(Story().diverted())
    assert (slot.slot_id, slot.causes, slot.skill) == ("v1.r0.g0", (Cause.LOW_TRUST,), Skill.OPERATOR)
    assert [(frame.frame_id, frame.doubtful) for frame in slot.frames] == [("v1.side", True), ("v1.top", False)]
    assert all(frame.frame is not None and frame.inspection is not None for frame in slot.frames)
    assert slot.frames[0].frame != slot.frames[0].inspection


def test_a_riskier_visit_is_due_earlier() -> None:
    (doubtful,) = opens(Story().diverted(suspicion=0.5))
    (worse,) = opens(Story().diverted(suspicion=5.0))
    (unknown,) = opens(Story().diverted(verdict=Verdict.NOT_DECIDABLE))
    assert doubtful.risk < worse.risk < unknown.risk == 1.0
    assert doubtful.due_ms > worse.due_ms > unknown.due_ms == unknown.opened_ms


def test_an_accept_becomes_final_when_its_undo_window_is_over() -> None:
    story = Story()
    story.diverted()
    step = story.tell(decided("v1.r0.g0"))
    assert [(close.reason, close.actor) for close in closes(step)] == [(CloseReason.DECIDED, "ann")]
    assert not dispositions(step)
    assert not dispositions(story.wait(WINDOW - 1))
    (done,) = dispositions(story.wait(1))
    assert (done.revision, done.routing, done.outcome, done.final) == (1, Routing.DIVERTED, Outcome.ACCEPT, True)
    assert (done.actors, done.decision_ids) == (("ann",), ("d-v1.r0.g0-ann",))


def test_a_plain_ng_takes_the_outcome_of_the_recipe() -> None:
    story = Story(make_recipe(review={"ng_outcome": Outcome.REWORK}))
    story.diverted()
    story.tell(decided("v1.r0.g0", "NG", covers=()))
    (done,) = dispositions(story.wait(WINDOW))
    assert done.outcome is Outcome.REWORK


@pytest.mark.parametrize("outcome", [Outcome.REWORK, Outcome.SCRAP, Outcome.USE_AS_IS])
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.LEAD])
def test_rework_scrap_and_use_as_is_are_named_by_quality_alone(role: Role, outcome: Outcome) -> None:
    story = Story()
    story.diverted()
    named = {"outcome": outcome, "concession": "C-12" if outcome is Outcome.USE_AS_IS else None}
    refused = story.tell(decided("v1.r0.g0", "NG", "lea", role=role, **named))
    assert counted(refused) == [(Tally.REFUSED, "authority")]
    assert [slot.slot_id for slot in opens(refused)] == ["v1.r0.g1"]
    story.tell(decided("v1.r0.g1", "NG", "quinn", role=Role.QUALITY, **named))
    (done,) = dispositions(story.wait(WINDOW))
    assert (done.outcome, done.concession) == (outcome, named["concession"])


@pytest.mark.parametrize(
    ("decision", "kind"),
    [
        ({"covers": ("v1.top",)}, "uncovered"),
        ({"shown": (Shown(frame_id="v1.side", sha256="0" * 64),)}, "uncovered"),
        ({"role": Role.AUDITOR}, "role"),
        ({"role": Role.ENGINEER}, "role"),
        ({"outcome": Outcome.SCRAP}, "outcome"),
        ({"judgement": "NG", "outcome": Outcome.REWORK}, "authority"),
        ({"judgement": "NG", "outcome": Outcome.ACCEPT}, "outcome"),
    ],
)
def test_an_invalid_judgement_is_refused_and_its_slot_opens_anew(decision: dict[str, Any], kind: str) -> None:
    story = Story()
    story.diverted()
    step = story.tell(decided("v1.r0.g0", **decision))
    assert [close.reason for close in closes(step)] == [CloseReason.REFUSED]
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g1"]
    assert counted(step) == [(Tally.REFUSED, kind)]
    assert the(story.visit).undo_until_ms is None


def test_the_first_valid_decision_of_a_slot_wins() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0", "NG"))
    before = story.visit
    step = story.tell(decided("v1.r0.g0", "OK", "ben"))
    assert step.effects == (Counted(Tally.SUPERSEDED, "judge"),)
    assert step.visit is before


def test_a_decision_on_a_slot_that_never_was_is_a_dead_letter() -> None:
    story = Story()
    story.diverted()
    step = story.tell(decided("v1.r0.g7"))
    assert isinstance(step.effects[0], Dead)
    unknown = machine.step(None, decided("v9.r0.g0"), context())
    assert unknown.visit is None
    assert isinstance(unknown.effects[0], Dead)


def test_unsure_escalates_to_a_lead() -> None:
    story = Story()
    story.diverted()
    step = story.tell(decided("v1.r0.g0", "UNSURE"))
    assert [close.reason for close in closes(step)] == [CloseReason.ESCALATED]
    assert [(slot.slot_id, slot.skill) for slot in opens(step)] == [("v1.r0.g1", Skill.LEAD)]
    assert counted(story.tell(decided("v1.r0.g1", actor="ben"))) == [(Tally.REFUSED, "role")]
    story.tell(decided("v1.r0.g2", actor="lea", role=Role.LEAD))
    assert the(story.visit).undo_until_ms == T0 + WINDOW


def test_a_hand_over_keeps_its_words_and_a_lead_sends_back_with_theirs() -> None:
    story = Story()
    story.diverted()
    why = {"unsure_because": "limit", "comment": "faint line"}
    (asked,) = opens(story.tell(decided("v1.r0.g0", "UNSURE", **why)))
    assert asked.handover == Handover(actor="ann", role=Role.OPERATOR, at_ms=T0, reason="limit", note="faint line")
    (again,) = opens(story.tell(decided("v1.r0.g1", "OK", "lea", role=Role.LEAD, covers=())))
    assert again.handover == asked.handover, "a refused answer loses nothing"
    step = story.tell(
        decided("v1.r0.g2", "UNSURE", "lea", role=Role.LEAD, hand_to=Skill.OPERATOR, comment="within the sample")
    )
    assert [close.detail for close in closes(step)] == ["sent back to operators"]
    (back,) = opens(step)
    assert (back.skill, back.handover and (back.handover.actor, back.handover.note)) == (
        Skill.OPERATOR,
        ("lea", "within the sample"),
    )
    step = story.tell(undo("v1.r0.g2", "lea", role=Role.LEAD))
    assert [(slot.slot_id, slot.skill, slot.handover) for slot in opens(step)] == [
        ("v1.r0.g4", Skill.LEAD, asked.handover)
    ]


def test_nothing_is_sent_back_that_did_not_come_to_a_lead_and_no_tie_break() -> None:
    story = Story()
    story.diverted()
    back: dict[str, Any] = {"hand_to": Skill.OPERATOR, "role": Role.LEAD}
    assert counted(story.tell(decided("v1.r0.g0", "UNSURE", "lea", **back))) == [(Tally.REFUSED, "hand_to")]
    story = Story(make_recipe(review={"reviews_required": 2}))
    story.diverted()
    story.tell(decided("v1.r0.g0"), decided("v1.r1.g0", "NG", "ben"))
    assert counted(story.tell(decided("v1.r2.g0", "UNSURE", "lea", **back))) == [(Tally.REFUSED, "hand_to")]


def test_an_undo_of_unsure_takes_the_slot_back_from_the_lead() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0", "UNSURE"))
    step = story.tell(undo("v1.r0.g0"))
    assert [close.reason for close in closes(step)] == [CloseReason.UNDONE, CloseReason.WITHDRAWN]
    assert [(slot.slot_id, slot.skill) for slot in opens(step)] == [("v1.r0.g2", Skill.OPERATOR)]


def test_an_unsure_that_a_lead_was_unsure_after_can_be_undone_no_more() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0", "UNSURE"), decided("v1.r0.g1", "UNSURE", "lea", role=Role.LEAD))
    before = story.visit
    assert counted(story.tell(undo("v1.r0.g0"))) == [(Tally.REFUSED, "undo_overtaken")]
    assert story.visit == before
    assert [(slot.slot_id, slot.skill) for slot in opens(story.tell(undo("v1.r0.g1", "lea", role=Role.LEAD)))] == [
        ("v1.r0.g3", Skill.LEAD)
    ]


def test_two_rounds_are_blind_to_each_other_and_must_agree() -> None:
    story = Story(make_recipe(review={"reviews_required": 2}))
    assert [slot.slot_id for slot in opens(story.diverted())] == ["v1.r0.g0", "v1.r1.g0"]
    step = story.tell(decided("v1.r0.g0"))
    assert [(slot.slot_id, slot.excluded_actors) for slot in opens(step)] == [("v1.r1.g0", ("ann",))]
    assert counted(story.tell(decided("v1.r1.g0"))) == [(Tally.REFUSED, "same_actor")]
    story.tell(decided("v1.r1.g1", actor="ben"))
    (done,) = dispositions(story.wait(WINDOW))
    assert (done.outcome, done.actors) == (Outcome.ACCEPT, ("ann", "ben"))


def test_a_disagreement_goes_to_a_tie_break_by_a_third_person() -> None:
    story = two_rounds()
    story.tell(decided("v1.r0.g0"))
    step = story.tell(decided("v1.r1.g0", "NG", "ben"))
    (tie_break,) = opens(step)
    assert (tie_break.slot_id, tie_break.skill) == ("v1.r2.g0", Skill.LEAD)
    assert tie_break.excluded_actors == ("ann", "ben")
    story.tell(decided("v1.r2.g0", "NG", "lea", role=Role.LEAD))
    (done,) = dispositions(story.wait(WINDOW))
    assert (done.outcome, done.actors) == (Outcome.SCRAP, ("ann", "ben", "lea"))


def test_an_undo_within_the_window_opens_the_next_generation() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0"))
    step = story.tell(undo("v1.r0.g0"))
    assert [close.reason for close in closes(step)] == [CloseReason.UNDONE]
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g1"]
    assert the(story.visit).undo_until_ms is None
    story.tell(decided("v1.r0.g1", "NG"))
    (done,) = dispositions(story.wait(WINDOW))
    assert done.outcome is Outcome.SCRAP


def test_an_undo_of_a_first_round_withdraws_the_tie_break() -> None:
    story = two_rounds()
    story.tell(decided("v1.r0.g0"), decided("v1.r1.g0", "NG", "ben"))
    step = story.tell(undo("v1.r1.g0", "ben"))
    assert [close.reason for close in closes(step)] == [CloseReason.UNDONE, CloseReason.WITHDRAWN]
    story.tell(decided("v1.r1.g1", "OK", "ben"))
    (done,) = dispositions(story.wait(WINDOW))
    assert (done.outcome, done.actors) == (Outcome.ACCEPT, ("ann", "ben"))


def test_a_decided_tie_break_has_to_be_undone_first() -> None:
    story = two_rounds()
    story.tell(decided("v1.r0.g0"), decided("v1.r1.g0", "NG", "ben"))
    story.tell(decided("v1.r2.g0", "NG", "lea", role=Role.LEAD))
    assert counted(story.tell(undo("v1.r0.g0"))) == [(Tally.REFUSED, "undo_overtaken")]
    step = story.tell(undo("v1.r2.g0", "lea", role=Role.LEAD))
    assert [slot.slot_id for slot in opens(step)] == ["v1.r2.g1"]


def test_undos_are_refused_without_any_effect_when_they_are_not_due() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0"))
    assert counted(story.tell(undo("v1.r0.g0", "ben", "d-v1.r0.g0-ann"))) == [(Tally.REFUSED, "undo_foreign")]
    assert counted(story.tell(undo("v1.r0.g0", undoes="d-other"))) == [(Tally.REFUSED, "undo_unknown")]
    story.now_ms += WINDOW
    assert counted(story.tell(undo("v1.r0.g0"))) == [(Tally.REFUSED, "undo_late")]
    story.wait(0)
    assert counted(story.tell(undo("v1.r0.g0"))) == [(Tally.REFUSED, "undo_final")]
    assert the(story.visit).outcome is Outcome.ACCEPT


def test_a_lead_may_undo_what_an_operator_decided() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0"))
    assert opens(story.tell(undo("v1.r0.g0", "lea", "d-v1.r0.g0-ann", role=Role.LEAD)))


def late_side() -> Story:
    """A visit that was diverted since its second view did not come."""
    story = Story()
    story.tell(captured("top"), inspected("top"))
    assert opens(story.wait(10_000))[0].missing_views == ("side",)
    return story


def test_a_late_frame_joins_the_open_slot_under_its_id() -> None:
    story = late_side()
    (slot,) = opens(story.tell(captured("side", append_ms=story.now_ms)))
    assert (slot.slot_id, slot.missing_views, slot.opened_ms) == ("v1.r0.g0", (), T0 + 10_000)
    assert [frame.doubtful for frame in slot.frames] == [True, False]


def test_an_accept_must_cover_a_frame_that_came_late() -> None:
    story = late_side()
    story.tell(captured("side"), inspected("side", suspicion=0.9))
    assert counted(story.tell(decided("v1.r0.g0", covers=("v1.top",)))) == [(Tally.REFUSED, "uncovered")]


def test_a_worse_view_later_makes_a_revision_with_an_alarm() -> None:
    story = late_side()
    story.tell(captured("side"))
    step = story.tell(inspected("side", verdict=Verdict.NG))
    (revised,) = dispositions(step)
    assert (revised.revision, revised.routing, revised.final) == (1, Routing.REJECTED, False)
    assert revised.alarm
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g0"]
    assert (Tally.ALARM, "revision") in counted(step)


def test_a_pass_that_turns_out_wrong_is_withheld_again() -> None:
    story = Story()
    story.tell(captured("top"), captured("side"), inspected("top"), inspected("side"))
    assert the(story.visit).final
    step = story.tell(captured("top", frame_id="v1.top.again"))
    (revised,) = dispositions(step)
    assert (revised.revision, revised.routing, revised.final) == (1, Routing.DIVERTED, False)
    assert revised.alarm
    assert opens(step)


def test_a_release_is_taken_back_when_a_frame_comes_that_nobody_looked_at() -> None:
    story = late_side()
    story.tell(decided("v1.r0.g0", covers=("v1.top",)))
    story.wait(WINDOW)
    assert the(story.visit).final
    step = story.tell(captured("side", append_ms=story.now_ms))
    (revised,) = dispositions(step)
    assert (revised.revision, revised.outcome, revised.final) == (2, None, False)
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g1"]


def test_a_late_frame_of_a_scrapped_visit_changes_nothing_and_is_a_dead_letter() -> None:
    story = late_side()
    story.tell(decided("v1.r0.g0", "NG"))
    story.wait(WINDOW)
    step = story.tell(captured("side", append_ms=story.now_ms))
    assert [type(effect) for effect in step.effects] == [Dead, Counted]
    assert the(story.visit).final


def test_a_forgotten_visit_is_never_begun_again() -> None:
    story = late_side()
    story.tell(decided("v1.r0.g0", "NG"))
    story.wait(WINDOW)
    step = story.wait(86_400_000)
    assert step.visit is None
    assert len(step.effects) == 1
    for event in (captured("top"), inspected("top"), captured("side"), inspected("side")):
        again = story.tell(event)
        assert again.visit is None
        assert isinstance(again.effects[0], Dead)


def test_the_first_inspection_of_a_frame_stands_and_duplicates_are_counted() -> None:
    story = Story()
    story.tell(captured("top"), inspected("top", verdict=Verdict.NG))
    before = story.visit
    step = story.tell(inspected("top", verdict=Verdict.NG))
    assert step.effects == (Counted(Tally.DUPLICATE, "inspection"),)
    assert step.visit is before
    assert counted(story.tell(captured("top"))) == [(Tally.DUPLICATE, "capture")]


def test_an_answer_that_contradicts_the_first_is_counted_as_such() -> None:
    story = Story()
    story.tell(captured("top"), inspected("top", verdict=Verdict.NG))
    assert counted(story.tell(inspected("top"))) == [(Tally.CONTRADICTION, "inspection")]
    assert the(story.visit).views[0].verdict is Verdict.NG


def in_two_rounds_without_side(**side: Any) -> Story:
    """A visit for two people of which the second view did not come in time, or only its capture."""
    story = Story(make_recipe(review={"reviews_required": 2}))
    story.tell(captured("top"), inspected("top"), *([captured("side", **side)] if side else []))
    story.wait(10_000)
    return story


@pytest.mark.parametrize("covered_by_second", [True, False])
def test_who_said_ok_before_a_doubtful_frame_joined_is_asked_again(covered_by_second: bool) -> None:
    story = in_two_rounds_without_side()
    story.tell(decided("v1.r0.g0", "OK", "ann", covers=("v1.top",)))
    step = story.tell(inspected("side", suspicion=0.9))
    assert [(slot.slot_id, slot.excluded_actors) for slot in opens(step)] == [("v1.r0.g1", ()), ("v1.r1.g0", ())]
    assert not dispositions(step)
    assert the(story.visit).revision == 0
    second = story.tell(decided("v1.r1.g0", "OK", "ben", covers=("v1.side",) if covered_by_second else ("v1.top",)))
    if not covered_by_second:
        assert counted(second) == [(Tally.REFUSED, "uncovered")]
        return
    assert the(story.visit).undo_until_ms is None, "the second person alone released it"
    assert counted(story.tell(decided("v1.r0.g1", "OK", "ann", covers=("v1.top",)))) == [(Tally.REFUSED, "uncovered")]
    story.tell(decided("v1.r0.g2", "OK", "ann"))
    (done,) = dispositions(story.wait(WINDOW))
    assert (done.outcome, set(done.actors)) == (Outcome.ACCEPT, {"ann", "ben"})


def test_a_trusted_frame_that_joins_voids_no_judgement() -> None:
    story = in_two_rounds_without_side()
    story.tell(decided("v1.r0.g0", "OK", "ann"))
    step = story.tell(inspected("side"))
    assert [slot.slot_id for slot in opens(step)] == ["v1.r1.g0"]


def test_who_said_ng_before_a_doubtful_frame_joined_need_not_look_again() -> None:
    story = in_two_rounds_without_side()
    story.tell(decided("v1.r0.g0", "NG", "ann"))
    step = story.tell(inspected("side", suspicion=0.9))
    assert [slot.slot_id for slot in opens(step)] == ["v1.r1.g0"]
    story.tell(decided("v1.r1.g0", "NG", "ben"))
    assert dispositions(story.wait(WINDOW))[0].outcome is Outcome.SCRAP


def test_an_ok_from_before_a_doubtful_frame_counts_in_no_tie_break() -> None:
    story = in_two_rounds_without_side()
    story.tell(decided("v1.r0.g0", "OK", "ann"), decided("v1.r1.g0", "NG", "ben"))
    story.tell(decided("v1.r2.g0", "NG", "lea", role=Role.LEAD))
    assert the(story.visit).undo_until_ms is not None
    step = story.tell(inspected("side", suspicion=0.9))
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g1", "v1.r1.g1"]
    assert the(story.visit).undo_until_ms is None


def accepted_without_side_inspection() -> Story:
    """A visit whose second view was captured, looked at by people, and never answered by the machine so far."""
    story = Story()
    story.tell(captured("top"), inspected("top"), captured("side"))
    story.wait(10_000)
    story.tell(decided("v1.r0.g0"))
    return story


FAULTY: list[dict[str, Any]] = [
    {"verdict": Verdict.NG},
    {"verdict": Verdict.NOT_DECIDABLE},
    {"frame_sha256": None},
    {"frame_sha256": "0" * 64},
    {"bundle_digest": "0" * 64},
    {"p_defect": 0.9},
]


@pytest.mark.parametrize("is_final", [True, False])
@pytest.mark.parametrize("side", FAULTY)
def test_a_frame_that_is_known_to_be_faulty_after_the_release_raises_an_alarm(
    side: dict[str, Any], is_final: bool
) -> None:
    story = accepted_without_side_inspection()
    if is_final:
        story.wait(WINDOW)
    step = story.tell(inspected("side", **side))
    (revised,) = dispositions(step)
    assert (revised.revision, revised.outcome, revised.final) == (2 if is_final else 1, None, False)
    assert revised.alarm
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g1"]
    assert not dispositions(story.tell(inspected("side", **side)))


def test_an_ng_after_the_release_of_a_rejected_visit_raises_an_alarm() -> None:
    story = accepted_without_side_inspection()
    story.tell(inspected("side", verdict=Verdict.NG), decided("v1.r0.g1"))
    story.wait(WINDOW)
    assert the(story.visit).outcome is Outcome.ACCEPT
    again = "v1.top.again"
    (revised,) = dispositions(story.tell(inspected("top", verdict=Verdict.NG, frame_id=again)))
    assert (revised.routing, revised.outcome) == (Routing.REJECTED, None)
    assert revised.alarm


def test_a_lost_picture_that_is_told_after_the_release_raises_an_alarm() -> None:
    story = late_side()
    story.tell(decided("v1.r0.g0", covers=("v1.top",)))
    story.wait(WINDOW)
    (revised,) = dispositions(story.tell(captured("side", lost=Loss.CAMERA_FAULT)))
    assert revised.alarm


@pytest.mark.parametrize(
    "side",
    [
        {},
        {"suspicion": 0.9},
        {"verdict": Verdict.NOT_DECIDABLE, "undecidable": Undecidable.LATE},
    ],
)
def test_a_covered_frame_that_is_late_or_in_doubt_after_the_release_raises_nothing(side: dict[str, Any]) -> None:
    story = accepted_without_side_inspection()
    story.wait(WINDOW)
    assert not dispositions(story.tell(inspected("side", **side)))
    assert the(story.visit).final


RELEASING = [
    ("OK", {}, Role.OPERATOR),
    ("OK", {"outcome": Outcome.ACCEPT}, Role.OPERATOR),
    ("NG", {"outcome": Outcome.USE_AS_IS, "concession": "C-12"}, Role.QUALITY),
]


@pytest.mark.parametrize(("judgement", "named", "role"), RELEASING)
@pytest.mark.parametrize(
    "side",
    [
        {"suspicion": 0.9},
        {"verdict": Verdict.NG},
        {"verdict": Verdict.NOT_DECIDABLE},
        {"frame_sha256": None},
        {"frame_sha256": "0" * 64},
    ],
)
def test_whoever_releases_a_part_has_looked_at_every_frame_in_doubt(
    side: dict[str, Any], judgement: str, named: dict[str, Any], role: Role
) -> None:
    story = Story(make_recipe(review={"reject_review_share": 1.0}))
    story.diverted(**side)
    step = story.tell(decided("v1.r0.g0", judgement, "quinn", role=role, covers=("v1.top",), **named))
    assert counted(step) == [(Tally.REFUSED, "uncovered")]
    assert "v1.side" in (closes(step)[0].detail or "")
    step = story.tell(decided("v1.r0.g1", judgement, "quinn", role=role, covers=("v1.side",), **named))
    assert [close.reason for close in closes(step)] == [CloseReason.DECIDED]


@pytest.mark.parametrize("named", [{}, {"outcome": Outcome.SCRAP}, {"outcome": Outcome.REWORK}])
def test_who_releases_nothing_need_not_look_at_everything(named: dict[str, Any]) -> None:
    story = Story()
    story.diverted()
    step = story.tell(decided("v1.r0.g0", "NG", "quinn", role=Role.QUALITY, covers=(), **named))
    assert [close.reason for close in closes(step)] == [CloseReason.DECIDED]


def test_a_frame_whose_picture_is_lost_cannot_be_looked_at_and_one_that_was_inspected_can() -> None:
    story = Story()
    story.tell(captured("top"), inspected("top"), captured("side", lost=Loss.DROPPED_OLDEST))
    step = story.tell(decided("v1.r0.g0", covers=()))
    assert [close.reason for close in closes(step)] == [CloseReason.DECIDED]
    story = Story()
    story.tell(inspected("side", suspicion=0.9), captured("top"), inspected("top"))
    story.tell(captured("side", lost=Loss.DROPPED_OLDEST))
    assert counted(story.tell(decided("v1.r0.g0", covers=()))) == [(Tally.REFUSED, "uncovered")]
