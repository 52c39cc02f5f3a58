"""What a person does with a visit: take, keep, give back, decide, undo. Independent of the web.

The queue keeps two people apart; that one visit has one answer is decided by route, in the order of the log.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import redis
import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.queue.errors import LeaseLost, NotLive
from linewarden_reinspect.queue.port import Queue
from linewarden_reinspect.queue.types import Claimant, Ended, Lease
from linewarden_runtime.clock import Clock
from linewarden_schemas.decision import Decision, Shown
from linewarden_schemas.ids import decision_id
from linewarden_schemas.vocabulary import Act, Judgement

from .bus import StationBus
from .errors import Conflict, Gone, NothingHeld, NotShown, QueueAway
from .sessions import Hand, Session

_log = structlog.get_logger(__name__)
_LOST = "Your time for this visit is over, and somebody else may have it now. Nothing was recorded."


class Desk:
    """The acts of signed-in people."""

    def __init__(self, queue: Queue, bus: StationBus, clock: Clock) -> None:
        self._queue, self._bus, self._clock = queue, bus, clock

    def claim(self, session: Session, lines: tuple[str, ...] = ()) -> Hand | None:
        """The visit in this person's hands already, or the most urgent one; None where nothing waits for them."""
        with session.lock:
            if session.hand is not None and self._still_holds(session, session.hand):
                return session.hand
            claimant = Claimant(session.actor, session.is_lead, lines)
            token = secrets.token_hex(16)
            try:
                claim = self._queue.claim(claimant, token)
            except NotLive as error:
                raise QueueAway("The queue is being brought up to date. Visits are given out again shortly.") from error
            self.tell_ended(claim.ended)
            session.hand = None if claim.lease is None else self._taken(session, claim.lease)
            return session.hand

    def _still_holds(self, session: Session, hand: Hand) -> bool:
        try:
            self.renew(session, hand.slot.slot_id, hand.token)
        except Gone:
            return False
        return True

    def _taken(self, session: Session, lease: Lease) -> Hand:
        self._bus.tell("claimed", lease.slot.slot_id, lease.slot.visit_id, session.actor)
        return Hand(lease.slot, lease.token, lease.until_ms, self._clock.monotonic())

    def tell_ended(self, ended: Sequence[Ended]) -> None:
        """Write down leases that ran out."""
        for end in ended:
            self._bus.tell(f"{end.was.value}-expired", end.slot_id, end.visit_id, end.actor, f"now {end.now.value}")

    def held(self, session: Session, slot_id: str, token: str) -> Hand:
        """The visit in hand, if it is this one. Raises Gone where it is another or none."""
        hand = session.hand
        if hand is None or hand.slot.slot_id != slot_id or hand.token != token:
            raise Gone(_LOST)
        return hand

    def renew(self, session: Session, slot_id: str, token: str) -> Hand:
        """Keep the visit longer; takes over what was added to it meanwhile. Raises Gone."""
        with session.lock:
            hand = self.held(session, slot_id, token)
            try:
                lease = self._queue.renew(slot_id, token)
            except LeaseLost as error:
                self._lose(session, hand)
                raise Gone(_LOST) from error
            if lease.parked_decision is not None:
                session.hand = None
                raise Gone("This visit was decided already.")
            hand.slot, hand.until_ms = lease.slot, lease.until_ms
            return hand

    def _lose(self, session: Session, hand: Hand) -> None:
        session.hand = None
        self._bus.tell("lease-lost", hand.slot.slot_id, hand.slot.visit_id, session.actor)

    def release(self, session: Session, slot_id: str, token: str) -> None:
        """Give the visit back as if it had never been taken; what is lost already needs no giving back."""
        self._give_back(session, slot_id, token, "released")

    def skip(self, session: Session, slot_id: str, token: str) -> None:
        """Give the visit back, not to be offered to this person for a while."""
        self._give_back(session, slot_id, token, "skipped")

    def _give_back(self, session: Session, slot_id: str, token: str, event: str) -> None:
        with session.lock:
            hand = self.held(session, slot_id, token)
            try:
                act = self._queue.skip if event == "skipped" else self._queue.release
                act(slot_id, token)
            except LeaseLost as error:
                self._lose(session, hand)
                raise Gone(_LOST) from error
            session.hand = None
            self._bus.tell(event, slot_id, hand.slot.visit_id, session.actor)

    def decide(
        self,
        session: Session,
        slot_id: str,
        token: str,
        judgement: Judgement,
        shown: Sequence[Shown],
        comment: str | None = None,
    ) -> Decision:
        """Record a judgement: confirmed by Kafka, or not at all. The same request again is the same decision.

        Raises:
            Gone: where the lease is lost.
            Conflict: where another judgement was given for this lease, be it confirmed or not.
            NotShown: where a part is to be accepted of which a picture was not on the screen.
            NotRecorded: where Kafka does not confirm.
        """
        with session.lock:
            known = session.recorded.get(decision_id(slot_id, session.actor, token))
            if known is not None:
                return _same(known, judgement)
            hand = self.renew(session, slot_id, token)
            decision = self._judged(session, hand, judgement, shown, comment)
            if hand.attempted not in {None, judgement}:
                raise Conflict(f"{hand.attempted} was sent before and is not confirmed yet. Send it again.")
            hand.attempted = judgement
            self._bus.record(decision)
            self._done(session, hand, decision)
            return decision

    def _judged(
        self, session: Session, hand: Hand, judgement: Judgement, shown: Sequence[Shown], comment: str | None
    ) -> Decision:
        seen = [_as_delivered(one, hand) for one in shown if one.frame_id in hand.delivered]
        if judgement is Judgement.OK:
            require_all_shown(hand, {one.frame_id for one in seen})
        slot = hand.slot
        return Decision(
            decision_id=decision_id(slot.slot_id, session.actor, hand.token),
            slot_id=slot.slot_id,
            visit_id=slot.visit_id,
            judgement=judgement,
            actor=session.actor,
            role=session.role,
            decided_ms=self._clock.now_ms(),
            covers=tuple(one.frame_id for one in seen),
            shown=tuple(seen),
            comment=comment,
        )

    def _done(self, session: Session, hand: Hand, decision: Decision) -> None:
        session.remember(decision)
        session.hand = None
        metrics.DECISIONS.labels(str(decision.judgement)).inc()
        metrics.DECISION_SECONDS.observe(self._clock.monotonic() - hand.claimed_s)
        try:
            self._queue.park(decision.slot_id, hand.token, decision.decision_id)
        except (LeaseLost, redis.RedisError) as error:
            # The decision lies in the log and route answers it; unparked, the slot may at worst be offered once more.
            _log.info("slot_not_parked", slot_id=decision.slot_id, cause=type(error).__name__)
        self._bus.tell("decided", decision.slot_id, decision.visit_id, session.actor)

    def undo(self, session: Session) -> Decision:
        """Take back the newest judgement of this session; whether it is in time is route's to say.

        Raises:
            NothingHeld: where there is nothing to undo.
            NotRecorded: where Kafka does not confirm.
        """
        with session.lock:
            last = session.last_judgement()
            if last is None:
                raise NothingHeld("There is nothing of yours to undo.")
            undo = Decision(
                decision_id=decision_id(last.slot_id, session.actor, f"undo {last.decision_id}"),
                slot_id=last.slot_id,
                visit_id=last.visit_id,
                act=Act.UNDO,
                undoes=last.decision_id,
                actor=session.actor,
                role=session.role,
                decided_ms=self._clock.now_ms(),
            )
            self._bus.record(undo)
            session.remember(undo)
            metrics.DECISIONS.labels("undo").inc()
            return undo


def require_all_shown(hand: Hand, shown: set[str]) -> None:
    """Refuse to accept a part of which a view is missing or was not on the screen.

    Raises:
        NotShown: with the views that are missing.
    """
    if hand.slot.missing_views:
        views = ", ".join(hand.slot.missing_views)
        raise NotShown(f"There is no picture of {views}: this part cannot be accepted here. Press N, or ? for a lead.")
    unseen = [frame.view_id for frame in hand.slot.frames if frame.frame_id not in shown]
    if unseen or not hand.slot.frames:
        raise NotShown(f"Not on the screen yet: {', '.join(unseen) or 'any picture'}.")


def _same(known: Decision, judgement: Judgement) -> Decision:
    if known.judgement is not judgement:
        raise Conflict(f"{known.judgement} is recorded for this visit already. Press U to undo it.")
    return known


def _as_delivered(shown: Shown, hand: Hand) -> Shown:
    return Shown(frame_id=shown.frame_id, sha256=hand.delivered[shown.frame_id], layers=shown.layers)
