"""Random lives of a visit: whatever happens in whatever order, the promises hold after every event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden_route import visit as machine
from linewarden_route.events import CaptureSeen, DecisionSeen, Event, InspectionSeen, Publish, Step, TimerDue
from linewarden_route.policy import is_low_trust
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition, SlotOpen
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import LineStateRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Act, LineMode, Loss, Outcome, Role, Routing, Verdict
from tests.unit.route.builders import T0, captured, context, decided, inspected, make_recipe

FRAMES = st.sampled_from([("top", "v1.top"), ("side", "v1.side"), ("top", "v1.top.again"), ("back", "v1.back")])
SIDES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"suspicion": 0.9}, {"verdict": Verdict.NG}, {"verdict": Verdict.NOT_DECIDABLE}]
)


CAPTURE_FACTS: list[dict[str, Any]] = [
    {"part_id": "P-1"},
    {"part_id": "P-2"},
    {"lot_id": "L-2"},
    {"product_id": "brick"},
    {"station_id": "s2"},
    {"camera_id": "cam-x"},
    {"sha256": "0" * 64},
    {"line_state": LineStateRef(mode=LineMode.SETUP, since_ms=T0)},
]
INSPECTION_FACTS: list[dict[str, Any]] = [
    {"camera_id": "cam-x"},
    {"frame_sha256": "0" * 64},
    {"frame_sha256": None},
    {"suspicion": 0.2},
]


@st.composite
def captures(draw: st.DrawFn) -> Event:
    view, frame = draw(FRAMES)
    loss = draw(st.sampled_from([None, None, None, Loss.CAMERA_FAULT]))
    facts = draw(st.sampled_from([{}, {}, {}, *CAPTURE_FACTS]))
    return captured(view, frame_id=frame, **(facts if loss is None else {"lost": loss}))


@st.composite
def inspections(draw: st.DrawFn) -> Event:
    view, frame = draw(FRAMES)
    return inspected(view, frame_id=frame, **(draw(SIDES) | draw(st.sampled_from([{}, {}, {}, *INSPECTION_FACTS]))))


@st.composite
def judgements(draw: st.DrawFn) -> Event:
    slot = f"v1.r{draw(st.integers(0, 2))}.g{draw(st.integers(0, 3))}"
    actor = draw(st.sampled_from(["ann", "ben", "lea", "quinn"]))
    role = {"lea": Role.LEAD, "quinn": Role.QUALITY}.get(actor, Role.OPERATOR)
    covers = draw(st.sampled_from([(), ("v1.top", "v1.side"), ("v1.top", "v1.side", "v1.top.again", "v1.back")]))
    if draw(st.integers(0, 4)) == 0:
        undo = {"act": Act.UNDO, "undoes": f"d-{slot}-{actor}", "decision_id": f"u-{slot}-{actor}"}
        return decided(slot, None, actor, role=role, **undo)
    return decided(slot, draw(st.sampled_from(["OK", "OK", "NG", "UNSURE"])), actor, role=role, covers=covers)


LIVES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 500, 9_000, 25_000, 90_000_000]),
        st.one_of(captures(), inspections(), judgements(), judgements(), st.just(TimerDue())),
    ),
    min_size=1,
    max_size=40,
)
RECIPES = st.builds(
    lambda reviews, audit, rejects: make_recipe(
        review={"reviews_required": reviews, "audit_share_of_passes": audit, "reject_review_share": rejects}
    ),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([0.0, 0.5]),
)


@dataclass
class Life:
    """One visit and everything that was published of it."""

    recipe: Recipe
    now_ms: int = T0
    visit: VisitSnapshot | None = None
    published: list[Disposition] = field(default_factory=list)
    heard: list[Capture | Inspection] = field(default_factory=list)

    def live(self, pause_ms: int, event: Event) -> Step:
        self.now_ms += pause_ms
        before = self.visit
        if isinstance(event, CaptureSeen | InspectionSeen):
            self.heard.append(event.capture if isinstance(event, CaptureSeen) else event.inspection)
        step = machine.step(before, event, context(self.now_ms, self.recipe))
        assert step == machine.step(before, event, context(self.now_ms, self.recipe)), "not deterministic"
        self.visit = step.visit
        messages = [effect.message for effect in step.effects if isinstance(effect, Publish)]
        for message in messages:
            if isinstance(message, Disposition):
                self.published.append(message)
                self.check_disposition(message, event)
            if isinstance(message, SlotOpen):
                self.check_open(message)
        self.check_visit()
        return step

    def check_disposition(self, message: Disposition, event: Event) -> None:
        assert [one.revision for one in self.published] == list(range(len(self.published))), "a revision twice"
        visit = self.visit
        assert visit is not None
        if message.routing is Routing.TRUSTED_PASS:
            assert self.now_ms + self.recipe.time.commit_margin_ms < visit.decide_by_ms, "a pass too late"
            assert {view.view_id for view in visit.views} == {"top", "side"}
            assert all(view.captured and view.verdict is Verdict.OK for view in visit.views)
            assert not any(is_low_trust(view, self.recipe) or view.lost for view in visit.views)
            self.check_agreement()
        if message.outcome is not None:
            assert isinstance(event, TimerDue), "an outcome before its undo window was over"
            assert message.final
        if message.outcome is Outcome.ACCEPT:
            assert len(set(message.actors)) == len(message.decision_ids), "one person in two rounds"

    def check_agreement(self) -> None:
        """Everything that was heard until a pass says the same."""
        said: dict[tuple[str, str], set[str]] = {}
        for record in self.heard:
            for name in ("part_id", "lot_id", "station_id", "line_state"):
                said.setdefault(("visit", name), set()).add(str(getattr(record, name, None)))
            for name in ("sha256", "frame_sha256"):
                said.setdefault((record.frame_id, "picture"), set()).add(str(getattr(record, name, None)))
            for name in ("camera_id", "verdict"):
                said.setdefault((record.frame_id, name), set()).add(str(getattr(record, name, None)))
        assert not [values for values in said.values() if len(values - {"None"}) > 1], "a pass over a contradiction"

    def check_open(self, message: SlotOpen) -> None:
        visit = self.visit
        assert visit is not None
        assert {frame.frame_id for frame in message.frames} == {view.frame_id for view in visit.views}

    def check_visit(self) -> None:
        visit = self.visit
        if visit is None:
            return
        waiting = [slot.round for slot in visit.slots if slot.open]
        assert len(waiting) == len(set(waiting)), "two open slots of one round"
        assert len({slot.slot_id for slot in visit.slots}) == len(visit.slots)
        if visit.revision >= 0 and not visit.final:
            assert waiting or visit.undo_until_ms is not None, "stranded"
        if visit.final:
            assert not waiting
            assert visit.forget_at_ms is not None
        assert machine.next_due_ms(visit) is not None or waiting


@settings(max_examples=200)
@given(recipe=RECIPES, life=LIVES)
def test_no_life_breaks_a_promise(recipe: Recipe, life: list[tuple[int, Event]]) -> None:
    visit = Life(recipe)
    for pause_ms, event in life:
        visit.live(pause_ms, event)


@settings(max_examples=80)
@given(recipe=RECIPES, life=LIVES, role=st.sampled_from([Role.QUALITY]))
def test_every_life_can_be_brought_to_its_end(recipe: Recipe, life: list[tuple[int, Event]], role: Role) -> None:
    visit = Life(recipe)
    for pause_ms, event in life:
        visit.live(pause_ms, event)
    for turn in range(60):
        if visit.visit is None or visit.visit.final:
            break
        waiting = [slot for slot in visit.visit.slots if slot.open]
        due = machine.next_due_ms(visit.visit)
        if waiting:
            visit.live(0, reject(waiting[0].slot_id, f"person-{turn}", role))
        else:
            assert due is not None
            visit.live(max(0, due - visit.now_ms), TimerDue())
    assert visit.visit is None or visit.visit.final


def reject(slot: str, actor: str, role: Role) -> DecisionSeen:
    return decided(slot, "NG", actor, role=role)


@settings(max_examples=80)
@given(
    recipe=RECIPES,
    sides=st.tuples(SIDES, SIDES),
    order=st.permutations(range(4)),
)
def test_the_order_of_captures_and_inspections_does_not_matter(
    recipe: Recipe, sides: tuple[dict[str, Any], dict[str, Any]], order: list[int]
) -> None:
    events: list[Event] = [
        captured("top"),
        captured("side"),
        inspected("top", **sides[0]),
        inspected("side", **sides[1]),
    ]
    assert first(recipe, events) == first(recipe, [events[number] for number in order])


def first(recipe: Recipe, events: list[Event]) -> Disposition:
    life = Life(recipe)
    for event in events:
        life.live(0, event)
    assert len(life.published) == 1
    return life.published[0]
