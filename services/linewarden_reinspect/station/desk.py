"""What a person says of a visit in hand: first, in the end, and taken back. Independent of the web."""

from __future__ import annotations

from collections.abc import Sequence

import redis
import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.queue.errors import LeaseLost
from linewarden_reinspect.station.errors import Conflict, Mismatch, NothingHeld
from linewarden_reinspect.station.holding import Holding
from linewarden_reinspect.station.judging import Given, first_answer, judged
from linewarden_reinspect.station.sessions import Hand, Session
from linewarden_schemas.decision import Decision, Shown
from linewarden_schemas.ids import decision_id
from linewarden_schemas.vocabulary import Act, Judgement

_log = structlog.get_logger(__name__)


class ReviewDesk(Holding):
    """The acts of signed-in people."""

    def first(self, session: Session, slot_id: str, token: str, judgement: Judgement, shown: Sequence[Shown]) -> Hand:
        """Take the judgement of the plain pictures; from here on the visit is told whole. The first one stays.

        Raises:
            LeaseGone: where the lease is lost.
            NotShown: where a part is called OK of which a picture was not on the screen.
        """
        with session.lock:
            hand = self.renew(session, slot_id, token)
            if not hand.is_told:
                answer = first_answer(hand, judgement, shown, self._clock.now_ms())
                # Noted before anything is told: a station that dies in between has told nobody too much.
                self._queue.learn(session.signs, hand.slot.visit_id)
                hand.first = answer
                self._bus.tell("first-answer", slot_id, hand.slot.visit_id, session.signs)
            return hand

    def decide(self, session: Session, slot_id: str, token: str, given: Given) -> Decision:
        """Record a judgement: confirmed by Kafka, or not at all. The same request again is the same decision.

        Raises:
            LeaseGone: where the lease is lost.
            NotBlind: where the plain pictures were not judged before.
            Conflict: where another judgement was given for this lease, be it confirmed or not.
            NotShown: where a part is to be accepted of which a picture was not on the screen.
            NotRecorded: where Kafka does not confirm.
        """
        with session.lock:
            known = session.recorded.get(decision_id(slot_id, session.signs, token))
            if known is not None:
                if known.judgement is not given.judgement:
                    raise Conflict("problem.recorded_already", judgement=known.judgement)
                return known
            hand = self.renew(session, slot_id, token)
            decision = judged(session, hand, given, self._clock.now_ms())
            if hand.attempted not in {None, given.judgement}:
                raise Conflict("problem.not_confirmed_yet", judgement=hand.attempted)
            hand.attempted = given.judgement
            self._bus.record(decision)
            self._done(session, hand, decision)
            return decision

    def _done(self, session: Session, hand: Hand, decision: Decision) -> None:
        session.remember(decision)
        session.last = hand
        session.hand = None
        metrics.DECISIONS.labels(str(decision.judgement)).inc()
        metrics.DECISION_SECONDS.observe(self._clock.monotonic() - hand.claimed_s)
        try:
            self._queue.park(decision.slot_id, hand.token, decision.decision_id)
        except (LeaseLost, redis.RedisError) as error:
            # The decision lies in the log and route answers it; unparked, the slot may at worst be offered once more.
            _log.info("slot not parked", slot_id=decision.slot_id, cause=type(error).__name__)

    def undo(self, session: Session) -> Decision:
        """Take back the newest judgement of this session; whether it is in time is route's to say.

        Raises:
            NothingHeld: where there is nothing to undo.
            NotRecorded: where Kafka does not confirm.
        """
        with session.lock:
            last = session.last_judgement()
            if last is None:
                raise NothingHeld("problem.nothing_to_undo")
            undo = Decision(
                decision_id=decision_id(last.slot_id, session.signs, f"undo {last.decision_id}"),
                slot_id=last.slot_id,
                visit_id=last.visit_id,
                act=Act.UNDO,
                undoes=last.decision_id,
                actor=session.signs,
                role=session.role,
                decided_ms=self._clock.now_ms(),
            )
            self._bus.record(undo)
            session.remember(undo)
            session.undone, session.last = last.slot_id, None
            metrics.DECISIONS.labels("undo").inc()
            return undo

    def bring_back(self, session: Session) -> Hand | None:
        """The visit whose judgement was taken back, in the same hands again; None while route has not opened it anew.

        What was in hand is kept, and comes next. Raises NothingHeld where nothing was taken back.
        """
        with session.lock:
            if session.undone is None:
                raise NothingHeld("problem.nothing_to_undo")
            if session.hand is not None and not self._still_holds(session, session.hand):
                session.hand = None
            for slot_id in _generations_after(session.undone):
                try:
                    taken = self._take(session, (), slot_id)
                except Mismatch:  # not opened yet, or somebody else was faster
                    continue
                session.undone = None
                if session.hand is not None:
                    self._let_go_ahead(session)
                    session.ahead = session.hand
                session.hand = taken
                return taken
            return None


_MOST_GENERATIONS = 3
"""An undone escalation is followed by the lead's slot, withdrawn, and by the one that is asked anew."""


def _generations_after(slot_id: str) -> list[str]:
    name, generation = slot_id.rsplit(".g", 1)
    return [f"{name}.g{int(generation) + step}" for step in range(1, _MOST_GENERATIONS + 1)]
