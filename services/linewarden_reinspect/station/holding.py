"""What is in people's hands: taken, kept, taken ahead, given back. Independent of the web.

The queue keeps two people apart and tells its transitions itself; that one visit has one answer is decided by
route, in the order of the log.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from linewarden_reinspect.queue.errors import LeaseLost, NotLive
from linewarden_reinspect.queue.port import Queue
from linewarden_reinspect.queue.types import Claimant
from linewarden_reinspect.station.bus import StationBus
from linewarden_reinspect.station.errors import LeaseGone, Mismatch, QueueAway
from linewarden_reinspect.station.sessions import Hand, Session
from linewarden_runtime.clock import Clock


class Holding:
    """Takes visits from the queue into sessions and gives them back.

    `skills` says what a person has learnt, `name_of` whose pseudonym it is; `draw` makes the tokens of leases.
    """

    def __init__(
        self,
        queue: Queue,
        bus: StationBus,
        clock: Clock,
        skills: Callable[[str], Iterable[str]] = lambda _: (),
        name_of: Callable[[str], str] = str,
        draw: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self._queue, self._bus, self._clock, self._skills, self._name_of = queue, bus, clock, skills, name_of
        self._draw = draw

    def claim(self, session: Session, lines: tuple[str, ...] = (), code: str = "") -> Hand | None:
        """The visit in this person's hands already, or the most urgent one; None where nothing waits for them.

        With a scanned `code` it is the visit of that part or bin place, or none. Raises Mismatch where that is not
        the visit in hand, or may not be taken.
        """
        with session.lock:
            if session.hand is not None and self._still_holds(session, session.hand):
                hand = session.hand
                if not hand.is_named(code):
                    known = hand.slot.part_id or hand.slot.bin_slot or hand.slot.visit_id
                    raise Mismatch("other", code=code, known=known)
                return hand
            if self._takes_up_ahead(session, code):
                return session.hand
            session.hand = self._take(session, lines, code)
            return session.hand

    def ahead(self, session: Session, lines: tuple[str, ...] = ()) -> Hand | None:
        """One more visit for the same hands, so that its picture is there when the present one is decided.

        It is leased like the present one and becomes it at the next claim. None where nothing more waits, or
        nothing is in hand.
        """
        with session.lock:
            if session.hand is None or session.ahead is not None:
                return session.ahead
            taken = self._take(session, lines)
            if taken is not None and taken.slot.visit_id == session.hand.slot.visit_id:
                self._queue.release(taken.slot.slot_id, taken.token)
                return None
            session.ahead = taken
            return taken

    def _takes_up_ahead(self, session: Session, code: str) -> bool:
        hand, session.ahead = session.ahead, None
        session.hand = hand
        if hand is None or not self._still_holds(session, hand):
            return False
        if session.signs in hand.slot.excluded_actors or not hand.is_named(code):
            self._give_back(session, hand.slot.slot_id, hand.token, self._queue.release)
            return False
        hand.claimed_s = self._clock.monotonic()
        return True

    def claimant(self, session: Session, lines: tuple[str, ...]) -> Claimant:
        """Who asks the queue, with what they may take."""
        return Claimant(session.signs, session.is_lead, lines, tuple(self._skills(session.actor)))

    def _take(self, session: Session, lines: tuple[str, ...], code: str = "") -> Hand | None:
        claimant, token = self.claimant(session, lines), self._draw(16)
        try:
            claim = self._queue.claim(claimant, token, code)
        except NotLive as error:
            raise QueueAway("problem.queue_catching_up") from error
        if claim.why is not None:
            raise Mismatch(claim.why.value, code=code, holder=self._name_of(claim.holder))
        lease = claim.lease
        if lease is None:
            return None
        knows = self._queue.knows(session.signs, lease.slot.visit_id)
        return Hand(lease.slot, lease.token, lease.until_ms, self._clock.monotonic(), knows_already=knows)

    def _still_holds(self, session: Session, hand: Hand) -> bool:
        try:
            self.renew(session, hand.slot.slot_id, hand.token)
        except LeaseGone:
            return False
        return True

    def held(self, session: Session, slot_id: str, token: str) -> Hand:
        """The visit in hand, if it is this one. Raises LeaseGone where it is another or none."""
        hand = session.hand
        if hand is None or hand.slot.slot_id != slot_id or hand.token != token:
            raise LeaseGone("problem.lease_lost")
        return hand

    def before(self, session: Session, slot_id: str, token: str) -> Hand:
        """The visit in hand or the one taken ahead, to be looked at. Raises LeaseGone where it is neither."""
        ahead = session.ahead
        if ahead is not None and ahead.slot.slot_id == slot_id and ahead.token == token:
            return ahead
        return self.held(session, slot_id, token)

    def renew(self, session: Session, slot_id: str, token: str) -> Hand:
        """Keep the visit longer; takes over what was added to it meanwhile. Raises LeaseGone."""
        with session.lock:
            hand = self.held(session, slot_id, token)
            try:
                lease = self._queue.renew(slot_id, token)
            except LeaseLost as error:
                session.hand = None
                self._tell_lost(session, hand)
                raise LeaseGone("problem.lease_lost") from error
            if lease.parked_decision is not None:
                session.hand = None
                raise LeaseGone("problem.decided_already")
            hand.slot, hand.until_ms = lease.slot, lease.until_ms
            self._renew_ahead(session)
            return hand

    def _renew_ahead(self, session: Session) -> None:
        ahead = session.ahead
        if ahead is None:
            return
        try:
            lease = self._queue.renew(ahead.slot.slot_id, ahead.token)
            ahead.slot, ahead.until_ms = lease.slot, lease.until_ms
        except LeaseLost:
            session.ahead = None
            self._tell_lost(session, ahead)

    def _tell_lost(self, session: Session, hand: Hand) -> None:
        self._bus.tell("lease-lost", hand.slot.slot_id, hand.slot.visit_id, session.signs)

    def release(self, session: Session, slot_id: str, token: str) -> None:
        """Give the visit back as if it had never been taken, and the one that was taken ahead."""
        self._give_back(session, slot_id, token, self._queue.release)
        self.let_go(session)

    def let_go(self, session: Session) -> None:
        """Give back whatever this person holds; what is lost already needs no giving back."""
        with session.lock:
            held = [hand for hand in (session.hand, session.ahead) if hand is not None]
            session.hand = session.ahead = None
            for hand in held:
                try:
                    self._queue.release(hand.slot.slot_id, hand.token)
                except LeaseLost:
                    self._tell_lost(session, hand)

    def _let_go_ahead(self, session: Session) -> None:
        hand, session.ahead = session.ahead, None
        if hand is not None:
            try:
                self._queue.release(hand.slot.slot_id, hand.token)
            except LeaseLost:
                self._tell_lost(session, hand)

    def skip(self, session: Session, slot_id: str, token: str) -> None:
        """Give the visit back, not to be offered to this person for a while."""
        self._give_back(session, slot_id, token, self._queue.skip)

    def _give_back(self, session: Session, slot_id: str, token: str, act: Callable[[str, str], object]) -> None:
        with session.lock:
            hand = self.held(session, slot_id, token)
            try:
                act(slot_id, token)
            except LeaseLost as error:
                session.hand = None
                self._tell_lost(session, hand)
                raise LeaseGone("problem.lease_lost") from error
            session.hand = None
