"""History, shift and thresholds, from the topics to the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linewarden_reinspect.station.access.access import AccessRules
from linewarden_reinspect.station.errors import Conflict
from linewarden_reinspect.station.insight.index import HistoryEvent, HistoryFilter, HistoryIndex
from linewarden_reinspect.station.insight.releases import Releases
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import activation_record, recipe_record
from linewarden_runtime.records import OutRecord, Position
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import digest, slot_id
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.line import Activation, RecipeRef
from linewarden_schemas.recipe import Criterion, Recipe, Thresholds, ViewSpec
from linewarden_schemas.vocabulary import Act, Judgement, Role, Verdict
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT, PARTITIONS, closed, opened, record, routed

HOUR = 3_600_000
REF = RecipeRef(recipe_id="bracket", version=3)
BUNDLE = digest(b"bundle")
REASON = {"reason": "agreed in the morning meeting"}


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


def send(made: Rig, name: str, message: Message, key: str, visit: str) -> None:
    encoded = encode(message, id=key, source="/line1/test", time_ms=AT)
    place = partition_of(visit, PARTITIONS)
    made.producer.send(OutRecord(made.topic(name), key.encode(), encoded.value, encoded.headers, place)).result(5)


def judged(
    made: Rig, slot: SlotOpen, judgement: Judgement | None, actor: str, at_ms: int = AT + 60_000, **more: Any
) -> str:
    name = f"d-{slot.slot_id}-{actor}"[:128]
    values: dict[str, Any] = {
        "decision_id": name,
        "slot_id": slot.slot_id,
        "visit_id": slot.visit_id,
        "judgement": judgement,
        "actor": actor,
        "role": Role.OPERATOR,
        "decided_ms": at_ms,
    }
    send(made, "decisions", Decision(**values | more), name, slot.visit_id)
    return name


def slot(made: Rig, number: int, review_round: int = 0, **more: Any) -> SlotOpen:
    one = opened(number, part_id=f"SN-{number}", **more)
    one = one.model_copy(update={"slot_id": slot_id(one.visit_id, review_round, 0), "round": review_round})
    made.producer.send(record(one, PARTITIONS, made.topic("reinspections"))).result(5)
    return one


def seen(made: Rig, number: int, suspicion: float, verdict: Verdict = Verdict.OK) -> None:
    one = opened(number)
    inspection = Inspection(
        frame_id=f"{one.visit_id}.top.1-1",
        visit_id=one.visit_id,
        view_id="top",
        line_id="line1",
        camera_id="cam1",
        verdict=verdict,
        p_defect=0.2,
        suspicion=suspicion,
        thresholds=Thresholds(defect=0.5, suspicion=0.7),
        recipe=REF,
        bundle_digest=BUNDLE,
        code_version="test",
        source=SourceRef(topic="line1.frames", partition=0, offset=number),
        captured_ms=AT + number * 60_000,
        decide_by_ms=AT + HOUR,
        inspected_ms=AT + number * 60_000,
        is_simulated=number % 2 == 0,
    )
    send(made, "inspections", inspection, inspection.frame_id, one.visit_id)


def running(made: Rig, recipe: Recipe | None = None) -> None:
    """The line runs recipe 3 of the bracket."""
    one = recipe or Recipe(
        recipe_id="bracket",
        version=3,
        product_id="bracket",
        bundle_digest=BUNDLE,
        views=(ViewSpec(view_id="top", camera_id="cam1"),),
        created_ms=AT - HOUR,
        created_by="eng",
    )
    active = Activation(line_id="line1", recipe=one.ref(), bundle_digest=BUNDLE, from_ms=AT - HOUR, actor="eng")
    made.producer.send(recipe_record(made.namespace, one, "/test")).result(5)
    made.producer.send(activation_record(made.namespace, active, "/test")).result(5)


def test_the_history_is_filtered_by_part_slot_actor_and_time_and_paged(made: Rig) -> None:
    slots = [slot(made, number) for number in range(1, 6)]
    for number, one in enumerate(slots):
        judged(made, one, Judgement.OK, "Ada" if number % 2 else "Bob", AT + 60_000 + number)
    made.station.insight.follower.catch_up()
    auditor = Person(made, Role.AUDITOR)
    assert len(auditor.get("/api/history?part=SN-2").json()["events"]) == 2
    assert len(auditor.get(f"/api/history?slot={slots[0].slot_id}").json()["events"]) == 2
    assert len(auditor.get("/api/history?actor=ada").json()["events"]) == 2
    assert len(auditor.get(f"/api/history?kind=judge&from_ms={AT + 60_002}").json()["events"]) == 3
    found: list[int] = []
    before: str | None = ""
    while before is not None:
        answer = auditor.get(f"/api/history?limit=3&before={before}").json()
        found += [event["id"] for event in answer["events"]]
        before = answer["next"]
    assert len(found) == len(set(found)) == 10


def test_whoever_may_review_a_visit_reads_nothing_of_it_while_it_waits(made: Rig) -> None:
    waiting, settled = slot(made, 1), slot(made, 2)
    judged(made, settled, Judgement.OK, "Ada")
    made.send_close(settled)
    made.station.insight.follower.catch_up()
    auditor, lead = Person(made, Role.AUDITOR), Person(made, Role.LEAD)
    read = [{event["visit_id"] for event in one.get("/api/history").json()["events"]} for one in (auditor, lead)]
    assert read == [{waiting.visit_id, settled.visit_id}, {settled.visit_id}]


def test_a_visit_between_two_slots_is_not_told_to_whoever_may_get_the_next(made: Rig) -> None:
    one = slot(made, 1)
    made.send_disposition(routed(one))
    judged(made, one, Judgement.OK, "Ada")
    made.producer.send(record(closed(one), PARTITIONS, made.topic("reinspections"))).result(5)
    made.station.insight.follower.catch_up()
    lead = Person(made, Role.LEAD)
    assert lead.get("/api/history").json()["events"] == []
    made.send_disposition(routed(one, final=True))
    made.station.insight.follower.catch_up()
    assert lead.get("/api/history").json()["events"] != []


def test_a_preview_tells_who_may_review_nothing_of_a_visit_that_is_not_routed_yet(made: Rig) -> None:
    running(made)
    seen(made, 1, suspicion=0.5)
    made.station.insight.follower.catch_up()
    path = "/api/thresholds/preview?line_id=line1&recipe_id=bracket&suspicion=0.3"
    told = {role: Person(made, role).get(path).json() for role in (Role.ENGINEER, Role.QUALITY)}
    assert (told[Role.ENGINEER]["visits"], told[Role.QUALITY]["visits"]) == (1, 0)


def test_what_was_read_once_is_not_read_again_and_a_new_topic_is_read_anew(tmp_path: Path) -> None:
    position = Position("line1.decisions", 0)
    first = HistoryIndex(tmp_path)
    first.start("line1.decisions", "id-1", {position: 0})
    first.take({"line1.decisions": "id-1"}, {position: 7}, [HistoryEvent("line1.decisions", 0, 6, AT, "judge")])
    first.close()
    again = HistoryIndex(tmp_path)
    assert again.start("line1.decisions", "id-1", {position: 0}) == {position: 7}
    assert again.start("line1.decisions", "id-2", {position: 0}) == {position: 0}
    assert again.page(HistoryFilter(), None, 10) == []
    again.close()


def test_what_was_deleted_before_it_was_read_is_told(tmp_path: Path) -> None:
    position = Position("line1.decisions", 0)
    index = HistoryIndex(tmp_path)
    index.take({"line1.decisions": "id-1"}, {position: 7}, [])
    assert index.start("line1.decisions", "id-1", {position: 20}) == {position: 20}
    assert [event["detail"] for event in index.page(HistoryFilter(), None, 10)] == [
        "13 records of line1.decisions were deleted before they were read"
    ]
    index.close()


def test_a_shift_has_its_figures_without_what_was_undone(made: Rig) -> None:
    for number, (first, second) in enumerate([("OK", "OK"), ("NG", "NG"), ("OK", "NG"), ("NG", "NG")], 1):
        judged(made, slot(made, number), Judgement(first), "Ada", AT + 60_000, first_judgement=Judgement("OK"))
        judged(made, slot(made, number, 1), Judgement(second), "Bob", AT + 120_000)
    judged(made, slot(made, 9), Judgement.UNSURE, "Ada", AT + 90_000)
    wrong = slot(made, 10)
    name = judged(made, wrong, Judgement.OK, "Ada")
    judged(made, wrong, None, "Ada-again", act=Act.UNDO, undoes=name)
    made.station.insight.follower.catch_up()
    made.station.watch.look()
    answer = Person(made, Role.LEAD).get(f"/api/shift?from_ms={AT}&to_ms={AT + HOUR}&line_id=line1").json()
    assert (answer["judged"], answer["escalated"]) == (9, 1)
    assert answer["age_s"]["n"] == 9
    assert (answer["agreement"]["n"], answer["agreement"]["alike"]) == (4, 0.75)
    assert answer["agreement"]["kappa"] == pytest.approx(0.5)
    assert (answer["answered_blind"], answer["changed_after_hints"]) == (4, 2)


def test_the_bin_is_counted_against_the_queue(made: Rig) -> None:
    for number in range(1, 4):
        made.open_slot(number, size=96)
    made.settle()
    made.station.watch.look()
    lead = Person(made, Role.LEAD)
    answer = lead.post("/api/bin-counts", {"line_id": "line1", "counted": 5, "shift": "early"})
    assert answer.json() == {"counted": 5, "queued": 3, "difference": 2}
    assert lead.get("/api/bin-counts").json()["counts"][0]["actor"] == lead.name


def test_results_by_operator_are_off_unless_switched_on(made: Rig) -> None:
    answer = Person(made, Role.LEAD).get(f"/api/shift/operators?from_ms={AT}&to_ms={AT + HOUR}")
    assert answer.status_code == 404


def test_results_by_operator_name_nobody_and_every_look_is_logged() -> None:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock, rules=AccessRules(results_by_operator=True)) as made:
        judged(made, slot(made, 1), Judgement.OK, "Ada")
        made.station.insight.follower.catch_up()
        lead = Person(made, Role.LEAD)
        answer = lead.get(f"/api/shift/operators?from_ms={AT}&to_ms={AT + HOUR}")
        assert answer.json()["operators"][0]["judged"] == 1
        assert "Ada" not in answer.text
        newest = made.station.access.log.page(limit=1)[0]
        assert (newest.actor, newest.act) == (lead.name, "GET /api/shift/operators")


def drafted(made: Rig, engineer: Person, suspicion: float = 0.4) -> int:
    body = {"line_id": "line1", "recipe_id": "bracket", "suspicion": suspicion}
    answer = engineer.post("/api/thresholds/drafts", body)
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["draft"]["id"]
    return number


@pytest.fixture
def with_visits(made: Rig) -> Rig:
    running(made)
    for number in range(1, 11):
        seen(made, number, number / 10)
    made.station.insight.follower.catch_up()
    object.__setattr__(made.station, "recipe", lambda _: None)
    return made


def test_a_threshold_is_tried_over_the_newest_visits(with_visits: Rig) -> None:
    made = with_visits
    judged(made, slot(made, 5), Judgement.NG, "Ada", AT + HOUR)
    made.station.insight.follower.catch_up()
    path = "/api/thresholds/preview?line_id=line1&recipe_id=bracket&suspicion=0.45"
    answer = Person(made, Role.ENGINEER).get(path).json()
    assert (answer["now"]["diverted"], answer["wanted"]["diverted"]) == (4, 6)
    assert (answer["now"]["known_misses_passed"], answer["wanted"]["known_misses_passed"]) == (1, 0)
    assert answer["changing_count"] == 2
    assert answer["running"]["suspicion"] == 0.7


def test_a_draft_runs_once_a_second_person_approves_it_and_voids_the_qualification(with_visits: Rig) -> None:
    made = with_visits
    author, other = Person(made, Role.ENGINEER, "Eve"), Person(made, Role.QUALITY, "Quinn")
    number = drafted(made, author)
    verdict = {"approve": True} | REASON
    own = author.post(f"/api/thresholds/drafts/{number}/verdict", verdict)
    assert (own.status_code, own.json()["error"]) == (403, "forbidden")
    assert other.post(f"/api/thresholds/drafts/{number}/verdict", {"approve": True, "reason": ""}).status_code == 422
    answer = other.post(f"/api/thresholds/drafts/{number}/verdict", verdict).json()
    assert (answer["runs"], answer["qualification"]) == ("bracket@4", "void")
    recipes = [message for message in made.read("recipes") if isinstance(message, Recipe)]
    activations = [message for message in made.read("activations") if isinstance(message, Activation)]
    assert recipes[-1].thresholds is not None
    assert recipes[-1].thresholds.suspicion == 0.4
    assert (recipes[-1].note or "").startswith("qualification void")
    assert (activations[-1].actor, activations[-1].approved_by) == ("Eve", "Quinn")
    assert other.post(f"/api/thresholds/drafts/{number}/verdict", verdict).status_code == 409


def test_of_two_stations_that_approve_one_draft_only_one_changes_the_line(with_visits: Rig) -> None:
    made = with_visits
    draft = made.station.insight.drafts.get(drafted(made, Person(made, Role.ENGINEER)))
    limits = Thresholds(defect=0.5, suspicion=draft.suspicion)
    one, two = (Releases(made.broker, made.namespace, made.clock) for _ in range(2))
    one.release(draft, limits, "Quinn", "as discussed")
    with pytest.raises(Conflict, match="runs another recipe version by now"):
        two.release(draft, limits, "Quentin", "as discussed")
    assert len(made.read("recipes")) == 2


def test_a_recipe_that_asks_for_what_no_line_judges_gets_no_next_version(with_visits: Rig) -> None:
    made = with_visits
    draft = made.station.insight.drafts.get(drafted(made, Person(made, Role.ENGINEER)))
    [recipe] = [message for message in made.read("recipes") if isinstance(message, Recipe)]
    asking = recipe.model_copy(update={"version": 9, "criteria": (Criterion(defect_class="dent", max_count=0),)})
    running(made, asking)
    other = replace(draft, recipe=asking.ref())
    releases = Releases(made.broker, made.namespace, made.clock)
    with pytest.raises(Conflict, match="acceptance criteria: mm_per_pixel is missing"):
        releases.release(other, Thresholds(defect=0.5, suspicion=draft.suspicion), "Quinn", "as discussed")
    assert len(made.read("recipes")) == 2


def test_a_release_whose_confirmation_was_lost_is_not_made_twice(with_visits: Rig) -> None:
    made = with_visits
    number = drafted(made, Person(made, Role.ENGINEER))
    made.broker.faults.order(Fault.COMMIT_LOST)  # type: ignore[attr-defined]  # the in-memory broker
    answer = Person(made, Role.QUALITY).post(f"/api/thresholds/drafts/{number}/verdict", {"approve": True} | REASON)
    assert answer.json()["runs"] == "bracket@4"
    assert len(made.read("recipes")) == 2


def test_a_refused_draft_changes_nothing(with_visits: Rig) -> None:
    made = with_visits
    number = drafted(made, Person(made, Role.ENGINEER))
    other = Person(made, Role.QUALITY)
    answer = other.post(f"/api/thresholds/drafts/{number}/verdict", {"approve": False} | REASON).json()
    assert answer["draft"]["state"] == "refused"
    assert len(made.read("recipes")) == 1


def test_a_threshold_looser_than_the_bundles_cannot_be_drafted(with_visits: Rig) -> None:
    body = {"line_id": "line1", "recipe_id": "bracket", "suspicion": 0.71}
    answer = Person(with_visits, Role.ENGINEER).post("/api/thresholds/drafts", body)
    assert answer.status_code == 422
    assert "qualify the bundle anew" in answer.json()["message"]


def test_a_roll_back_is_one_act(with_visits: Rig) -> None:
    made = with_visits
    engineer = Person(made, Role.ENGINEER)
    assert engineer.post("/api/lines/line1/roll-back", REASON).status_code == 409
    number = drafted(made, engineer)
    made.clock.advance(60)  # type: ignore[attr-defined]  # a manual clock
    Person(made, Role.QUALITY).post(f"/api/thresholds/drafts/{number}/verdict", {"approve": True} | REASON)
    assert engineer.get("/api/thresholds").json()["running"][0]["before"].startswith("bracket@3@")
    made.clock.advance(60)  # type: ignore[attr-defined]  # a manual clock
    answer = engineer.post("/api/lines/line1/roll-back", REASON).json()
    assert (answer["runs"], len(answer["digest"])) == ("bracket@3", 64)


class Interrupted:
    """A broker at which somebody else acts just before a turn is taken."""

    def __init__(self, inner: Any, act: Callable[[], object]) -> None:
        self._inner, self._acts = inner, [act]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def transactional_producer(self, *given: Any) -> Any:
        if self._acts:
            self._acts.pop()()
        return self._inner.transactional_producer(*given)


def test_of_two_people_who_roll_back_at_once_one_is_told_and_the_line_goes_back_once(with_visits: Rig) -> None:
    made = with_visits
    number = drafted(made, Person(made, Role.ENGINEER))
    made.clock.advance(60)  # type: ignore[attr-defined]  # a manual clock
    Person(made, Role.QUALITY).post(f"/api/thresholds/drafts/{number}/verdict", {"approve": True} | REASON)
    made.clock.advance(60)  # type: ignore[attr-defined]  # a manual clock
    other = Releases(made.broker, made.namespace, made.clock)
    broker = Interrupted(made.broker, lambda: other.roll_back("line1", "Otto", "too many parts"))
    with pytest.raises(Conflict, match="Somebody else"):
        Releases(broker, made.namespace, made.clock).roll_back("line1", "Eve", "too many parts")
    active = other.active("line1")
    assert active is not None
    assert (active.recipe.name, active.actor) == ("bracket@3", "Otto")


def test_an_approval_that_kafka_does_not_confirm_leaves_the_draft_waiting(with_visits: Rig) -> None:
    made = with_visits
    number = drafted(made, Person(made, Role.ENGINEER))
    made.broker.faults.order(*[Fault.SEND] * 20)  # type: ignore[attr-defined]  # the in-memory broker
    answer = Person(made, Role.QUALITY).post(f"/api/thresholds/drafts/{number}/verdict", {"approve": True} | REASON)
    assert answer.status_code == 503
    assert made.station.insight.drafts.get(number).state == "waiting"
