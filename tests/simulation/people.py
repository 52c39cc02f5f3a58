"""People at the station: they claim, judge, skip, let go, take back and walk away, as the seed has it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import redis

from linewarden_reinspect.queue.errors import QueueError
from linewarden_reinspect.station.desk import ReviewDesk
from linewarden_reinspect.station.errors import NotShown, StationError
from linewarden_reinspect.station.judging import Given
from linewarden_reinspect.station.sessions import Hand, Session
from linewarden_runtime.errors import RuntimeFault
from linewarden_schemas.decision import Shown
from linewarden_schemas.vocabulary import Judgement, Role, Skill

if TYPE_CHECKING:
    from linewarden_reinspect.evidence.store import EvidenceStore
    from tests.simulation.line import Line
    from tests.simulation.world import Process

PEOPLE = {"ann": Role.OPERATOR, "bob": Role.OPERATOR, "lea": Role.LEAD, "max": Role.LEAD, "zoe": Role.LEAD}
RESERVE = {"kim": Role.LEAD, "noa": Role.LEAD, "pia": Role.LEAD}
"""Leads who come at the end, so that somebody is left for a tie-break although all the others have judged before."""
AWAY = (StationError, QueueError, redis.RedisError, RuntimeFault)


class Person:
    """One signed-in person."""

    def __init__(
        self, line: Line, process: Process, desk: ReviewDesk, evidence: EvidenceStore, name: str, chance: random.Random
    ) -> None:
        self.name = name
        self._line, self._process, self._desk, self._evidence, self._chance = line, process, desk, evidence, chance
        self._session = Session(name, name, name, (PEOPLE | RESERVE)[name], "test", name)

    def work(self) -> None:
        """Act again and again until the station ends."""
        stop = self._line.stopping(self._process)
        while not stop.is_set():
            self._line.world.wait(0.8 + self._chance.random() * 2.0, event=stop.event)
            if self._line.has_work and (self._line.is_draining or self.name in PEOPLE):
                try:
                    self._act()
                except AWAY as error:
                    self._line.world.note(self.name, "cannot:", type(error).__name__)

    def _act(self) -> None:
        if not self._line.is_draining and self._chance.random() < 0.08 and self._session.last_judgement():
            self._desk.undo(self._session)
            self._did("undoes")
            return
        hand = self._desk.claim(self._session)
        if hand is None:
            return
        self._did("claims", hand.slot.slot_id)
        self._look(hand)
        choice = self._chance.random() if not self._line.is_draining else 1.0
        if choice < 0.08:
            self._desk.skip(self._session, hand.slot.slot_id, hand.token)
            self._did("skips", hand.slot.slot_id)
        elif choice < 0.14:
            self._desk.release(self._session, hand.slot.slot_id, hand.token)
            self._did("lets go", hand.slot.slot_id)
        elif choice < 0.2:
            self._did("walks away", hand.slot.slot_id)
            self._line.world.wait(12.0)
        else:
            self._judge(hand)

    def _look(self, hand: Hand) -> None:
        for frame in hand.slot.frames:
            kept = self._evidence.get(frame.frame_id)
            if kept is not None and kept.picture is not None and kept.sha256 is not None:
                hand.delivered[frame.frame_id] = kept.sha256

    def _judge(self, hand: Hand) -> None:
        shown = tuple(Shown(frame_id=frame_id, layers=("picture",)) for frame_id in hand.delivered)
        slot_id, token = hand.slot.slot_id, hand.token
        judgement = self._judgement(hand)
        try:
            if not hand.is_told:
                hand = self._desk.first(self._session, slot_id, token, judgement, shown)
            self._desk.decide(self._session, slot_id, token, _given(hand, judgement, shown))
        except NotShown:
            judgement = Judgement.NG
            if not hand.is_told:
                hand = self._desk.first(self._session, slot_id, token, judgement, shown)
            self._desk.decide(self._session, slot_id, token, Given(judgement, shown))
        self._did("judges", slot_id, judgement)

    def _judgement(self, hand: Hand) -> Judgement:
        draw = self._chance.random()
        if draw < 0.1 and not self._line.is_draining:
            return Judgement.UNSURE
        return Judgement.OK if draw < 0.6 else Judgement.NG

    def _did(self, *words: object) -> None:
        self._line.world.counts["act"] += 1
        self._line.world.note(self.name, *words)


def _given(hand: Hand, judgement: Judgement, shown: tuple[Shown, ...]) -> Given:
    """With a note where somebody is unsure; a lead sends back what came with one."""
    if judgement is not Judgement.UNSURE:
        return Given(judgement, shown)
    is_back = hand.slot.skill is Skill.LEAD and hand.slot.handover is not None
    to = Skill.OPERATOR if is_back else None
    return Given(judgement, shown, comment="hard to see", unsure_because="limit", hand_to=to)
