"""What a person does with a visit, over the model of the queue and the in-memory broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linewarden_reinspect.queue.types import SlotStatus, Terms
from linewarden_reinspect.station.errors import (
    BadInput,
    Conflict,
    LeaseGone,
    NothingHeld,
    NotRecorded,
    NotShown,
    QueueAway,
)
from linewarden_reinspect.station.judging import Given
from linewarden_reinspect.station.outbox import Outbox
from linewarden_reinspect.station.sessions import Hand, Session
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_schemas.decision import QueueEvent, Shown
from linewarden_schemas.disposition import Handover
from linewarden_schemas.vocabulary import Act, Judgement, Role, Skill
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT, opened

TERMS = Terms(lease_ms=60_000, park_ms=30_000)


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock, TERMS), clock) as one:
        yield one


def sign_in(made: Rig, actor: str = "ada", role: Role = Role.OPERATOR) -> Session:
    return Session(f"session-of-{actor}", "token", actor, role, "link", actor)


def claimed(made: Rig, session: Session) -> Hand:
    hand = made.station.desk.claim(session)
    assert hand is not None
    return hand


def look_at_all(hand: Hand) -> list[Shown]:
    """As the picture's route does, and the page after it."""
    for frame in hand.slot.frames:
        hand.delivered[frame.frame_id] = frame.sha256 or "0" * 64
    return [Shown(frame_id=frame.frame_id, layers=("picture", "mask")) for frame in hand.slot.frames]


def first(made: Rig, session: Session, hand: Hand, judgement: Judgement) -> None:
    made.station.desk.first(session, hand.slot.slot_id, hand.token, judgement, look_at_all(hand))
    made.bus.drain()


def judge(made: Rig, session: Session, hand: Hand, judgement: Judgement) -> str:
    shown = look_at_all(hand)
    if hand is session.hand:
        first(made, session, hand, judgement)
    return made.station.desk.decide(session, hand.slot.slot_id, hand.token, Given(judgement, shown)).decision_id


def fill(made: Rig, *numbers: int) -> None:
    for number in numbers:
        made.send_slot(opened(number))
    made.projector.catch_up()


def test_a_decision_names_the_frames_that_were_shown_with_their_digests_and_layers(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    judge(made, ada, hand, Judgement.OK)
    (decision,) = made.decisions()
    assert decision.covers == tuple(frame.frame_id for frame in hand.slot.frames)
    assert [(one.sha256, one.layers) for one in decision.shown] == [(hand.slot.frames[0].sha256, ("picture", "mask"))]
    assert (decision.actor, decision.role) == ("ada", Role.OPERATOR)


def test_a_frame_that_never_left_the_station_is_not_covered(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    claims = [Shown(frame_id=frame.frame_id) for frame in hand.slot.frames]
    made.station.desk.first(ada, hand.slot.slot_id, hand.token, Judgement.NG, claims)
    made.station.desk.decide(ada, hand.slot.slot_id, hand.token, Given(Judgement.NG, claims))
    assert made.decisions()[0].covers == ()


def test_a_part_is_not_accepted_before_its_pictures_were_delivered(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    with pytest.raises(NotShown):
        made.station.desk.first(ada, hand.slot.slot_id, hand.token, Judgement.OK, [])
    assert made.decisions() == []


def test_a_part_with_a_missing_view_is_not_accepted_but_may_be_rejected(made: Rig) -> None:
    made.send_slot(opened(1, missing_views=("side",)))
    made.projector.catch_up()
    ada = sign_in(made)
    hand = claimed(made, ada)
    with pytest.raises(NotShown, match="side"):
        judge(made, ada, hand, Judgement.OK)
    judge(made, ada, hand, Judgement.NG)
    assert [decision.judgement for decision in made.decisions()] == [Judgement.NG]


def test_the_same_request_again_is_the_same_decision(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    assert judge(made, ada, hand, Judgement.NG) == judge(made, ada, hand, Judgement.NG)
    assert len(made.decisions()) == 1


def test_another_answer_for_the_same_lease_is_refused(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    judge(made, ada, hand, Judgement.NG)
    with pytest.raises(Conflict):
        judge(made, ada, hand, Judgement.OK)


def test_a_decided_visit_is_offered_to_nobody_until_its_close_arrives(made: Rig) -> None:
    fill(made, 1)
    ada, bob = sign_in(made), sign_in(made, "bob")
    hand = claimed(made, ada)
    judge(made, ada, hand, Judgement.NG)
    assert made.queue.dump()[hand.slot.slot_id].status is SlotStatus.PARKED
    assert made.station.desk.claim(bob) is None
    made.send_close(hand.slot)
    made.projector.catch_up()
    assert made.queue.dump() == {}


def test_a_decision_that_nobody_answers_comes_back_to_the_queue(made: Rig) -> None:
    fill(made, 1)
    ada, bob = sign_in(made), sign_in(made, "bob")
    judge(made, ada, claimed(made, ada), Judgement.NG)
    made.clock.advance(TERMS.park_ms / 1000)  # type: ignore[attr-defined]  # a manual clock
    made.projector.catch_up()
    made.projector.step()
    made.queue.beat(made.broker.admin().topic_id(made.topic("reinspections")), {}, 10_000)
    assert made.station.desk.claim(bob) is not None


def test_without_kafka_nothing_is_recorded_and_the_visit_stays(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    first(made, ada, hand, Judgement.NG)
    made.broker.faults.order(Fault.DELIVERY)  # type: ignore[attr-defined]  # the in-memory broker
    with pytest.raises(NotRecorded):
        judge(made, ada, hand, Judgement.NG)
    assert made.decisions() == []
    assert ada.hand is hand


def test_an_unconfirmed_answer_can_be_sent_again_but_not_changed(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    first(made, ada, hand, Judgement.NG)
    made.broker.faults.order(Fault.DELIVERY)  # type: ignore[attr-defined]  # the in-memory broker
    with pytest.raises(NotRecorded):
        judge(made, ada, hand, Judgement.NG)
    with pytest.raises(Conflict):
        judge(made, ada, hand, Judgement.UNSURE)
    judge(made, ada, hand, Judgement.NG)
    assert [decision.judgement for decision in made.decisions()] == [Judgement.NG]


def test_after_the_lease_is_lost_nothing_is_recorded_and_the_next_may_be_taken(made: Rig) -> None:
    fill(made, 1, 2)
    ada, bob = sign_in(made), sign_in(made, "bob")
    hand = claimed(made, ada)
    made.clock.advance(TERMS.lease_ms / 1000)  # type: ignore[attr-defined]  # a manual clock
    made.queue.beat(made.broker.admin().topic_id(made.topic("reinspections")), {}, 10_000)
    assert claimed(made, bob).slot == hand.slot
    with pytest.raises(LeaseGone):
        judge(made, ada, hand, Judgement.OK)
    assert made.decisions() == []
    assert claimed(made, ada).slot.slot_id == opened(2).slot_id


def test_a_visit_in_hand_is_given_again_after_a_reload(made: Rig) -> None:
    fill(made, 1, 2)
    ada = sign_in(made)
    assert claimed(made, ada) is claimed(made, ada)


def test_a_skipped_visit_is_offered_to_others_only(made: Rig) -> None:
    fill(made, 1)
    ada, bob = sign_in(made), sign_in(made, "bob")
    hand = claimed(made, ada)
    made.station.desk.skip(ada, hand.slot.slot_id, hand.token)
    assert made.station.desk.claim(ada) is None
    assert claimed(made, bob).slot == hand.slot


def test_what_a_lead_must_see_is_offered_to_leads_only(made: Rig) -> None:
    made.send_slot(opened(1, skill=Skill.LEAD))
    made.projector.catch_up()
    assert made.station.desk.claim(sign_in(made)) is None
    assert made.station.desk.claim(sign_in(made, "lea", Role.LEAD)) is not None


def test_an_undo_names_the_decision_it_undoes_and_is_possible_once(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    decided = judge(made, ada, claimed(made, ada), Judgement.NG)
    made.station.desk.undo(ada)
    undo = made.decisions()[-1]
    assert (undo.act, undo.undoes, undo.visit_id) == (Act.UNDO, decided, opened(1).visit_id)
    with pytest.raises(NothingHeld):
        made.station.desk.undo(ada)


def test_nobody_gets_a_visit_while_the_view_is_rebuilt(made: Rig) -> None:
    fill(made, 1)
    made.queue.wipe("t", {})
    with pytest.raises(QueueAway):
        made.station.desk.claim(sign_in(made))


def test_claims_skips_and_expired_leases_are_written_down(made: Rig) -> None:
    fill(made, 1)
    ada = sign_in(made)
    hand = claimed(made, ada)
    made.station.desk.skip(ada, hand.slot.slot_id, hand.token)
    claimed(made, sign_in(made, "bob"))
    made.clock.advance(TERMS.lease_ms / 1000)  # type: ignore[attr-defined]  # a manual clock
    made.station.watch.look()
    Outbox(made.queue, made.bus, made.clock).carry()
    made.bus.drain()
    told = [(event.event, event.actor) for event in made.read("queue-events") if isinstance(event, QueueEvent)]
    acts = [("claimed", "ada"), ("skipped", "ada"), ("claimed", "bob"), ("leased-expired", "bob")]
    assert [one for one in told if one[1] in {"ada", "bob"}] == acts


def test_what_was_undone_comes_back_into_the_same_hands_and_what_they_held_comes_next(made: Rig) -> None:
    fill(made, 1, 2, 3)
    ada, desk = sign_in(made), made.station.desk
    hand = claimed(made, ada)
    judge(made, ada, hand, Judgement.NG)
    held, ahead = claimed(made, ada), desk.ahead(ada)
    first(made, ada, held, Judgement.OK)
    desk.undo(ada)
    assert desk.bring_back(ada) is None, "route has not answered yet"
    made.send_close(hand.slot)
    made.send_slot(opened(1, generation=1))
    made.projector.catch_up()
    back = desk.bring_back(ada)
    assert back is not None
    assert (back.slot.visit_id, back.slot.generation, back.knows_already) == (hand.slot.visit_id, 1, True)
    assert (ada.hand, ada.ahead) == (back, held)
    assert ahead is not None
    assert statuses(made)[ahead.slot.slot_id] is SlotStatus.READY
    judge(made, ada, back, Judgement.OK)
    assert claimed(made, ada) is held
    assert held.first is not None
    with pytest.raises(NothingHeld):
        desk.bring_back(ada)


def statuses(made: Rig) -> dict[str, SlotStatus]:
    return {name: dumped.status for name, dumped in made.queue.dump().items()}


def test_only_what_came_to_a_lead_is_handed_back_and_only_who_is_unsure_hands_on(made: Rig) -> None:
    handed = Handover(actor="bob", role=Role.OPERATOR, at_ms=AT)
    made.send_slot(opened(1))
    made.send_slot(opened(2, skill=Skill.LEAD, handover=handed))
    made.projector.catch_up()
    lea, desk = sign_in(made, "lea", Role.LEAD), made.station.desk
    for number in (1, 2):
        hand = claimed(made, lea)
        first(made, lea, hand, Judgement.UNSURE)
        token, back = hand.token, Given(Judgement.UNSURE, (), comment="see the sample", hand_to=Skill.OPERATOR)
        with pytest.raises(BadInput, match="Only who is unsure"):
            desk.decide(lea, hand.slot.slot_id, token, Given(Judgement.NG, (), hand_to=Skill.LEAD))
        if number == 1:
            with pytest.raises(BadInput, match="Only a part that was handed to a lead"):
                desk.decide(lea, hand.slot.slot_id, token, back)
            judge(made, lea, hand, Judgement.NG)
        else:
            desk.decide(lea, hand.slot.slot_id, token, back)
    assert (made.decisions()[-1].hand_to, made.decisions()[-1].comment) == (Skill.OPERATOR, "see the sample")
