"""Reviews of a withheld visit: every decision is answered with a close, or a close and the next open.

Decisions count in log order: the first valid one of a slot wins. Nothing is stranded: after each answer the
visit has an open slot in every unanswered round, or an undo window that ends with its outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from linewarden_route import slots
from linewarden_route.bounds import superfluous, until
from linewarden_route.events import Context, Counted, Dead, DropSlot, Effect, Publish, Step, Tally
from linewarden_route.refusals import judge_refusals, undo_refusals
from linewarden_route.slots import disagrees, required_slots, settled
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import MOST_NOTE, Handover
from linewarden_schemas.ids import slot_id
from linewarden_schemas.route_state import SlotState, VisitSnapshot
from linewarden_schemas.vocabulary import Act, CloseReason, Judgement, Skill


@dataclass(slots=True)
class _Answering:
    """A visit on its way through one answer, with what has been said so far."""

    visit: VisitSnapshot
    context: Context
    effects: list[Effect] = field(default_factory=list)

    def close(
        self,
        slot: SlotState,
        reason: CloseReason,
        decision: Decision | None,
        *,
        counts: bool,
        detail: str | None = None,
    ) -> None:
        now_ms = self.context.now_ms
        changes: dict[str, object] = {"open": False, "closed_ms": now_ms, "judgement": None, "outcome": None}
        changes["refused"] = reason is CloseReason.REFUSED
        if decision is not None:
            changes |= {"actor": decision.actor, "decision_id": decision.decision_id}
        # Only an answer that counts leaves its judgement.
        if decision is not None and counts:
            changes |= {
                "judgement": decision.judgement,
                "outcome": decision.outcome,
                "concession": decision.concession,
            }
        self.visit = slots.with_slot(self.visit, slot.model_copy(update=changes))
        self.effects.append(Publish(slots.close_record(self.visit, slot, reason, now_ms, decision, detail)))

    def open(self, review_round: int, skill: Skill, handover: Handover | None = None) -> None:
        newest = slots.latest(self.visit, review_round)
        generation = 0 if newest is None else newest.generation + 1
        slot = SlotState(
            slot_id=slot_id(self.visit.visit_id, review_round, generation),
            round=review_round,
            generation=generation,
            open=True,
            skill=skill,
            opened_ms=self.context.now_ms,
            handover=handover,
        )
        self.visit = slots.with_slot(self.visit, slot)
        for old in superfluous(self.visit.slots, review_round):
            left = tuple(one for one in self.visit.slots if one is not old)
            self.visit = self.visit.model_copy(update={"slots": left})
            self.effects.append(DropSlot(old.slot_id))
        self.send(slot)

    def send(self, slot: SlotState) -> None:
        self.effects.append(Publish(slots.open_record(self.visit, slot, self.context.recipe, self.context.rules)))

    def send_open(self) -> None:
        for slot in slots.open_slots(self.visit):
            self.send(slot)

    def drop_judgement(self, slot: SlotState) -> None:
        nothing = {"judgement": None, "outcome": None, "concession": None}
        self.visit = slots.with_slot(self.visit, slot.model_copy(update=nothing))

    def withdraw(self, slot: SlotState, detail: str) -> None:
        self.close(slot, CloseReason.WITHDRAWN, None, counts=False, detail=detail)

    def undo_until(self, until_ms: int | None) -> None:
        self.visit = self.visit.model_copy(update={"undo_until_ms": until_ms})

    def step(self) -> Step:
        return Step(self.visit, tuple(self.effects))


def ask(visit: VisitSnapshot, context: Context) -> Step:
    """Ask for every required round afresh: rounds that were answered get their next generation.

    Rounds that are open still are sent again with what the visit knows now; a tie-break falls away.
    """
    work = _Answering(visit.model_copy(update={"undo_until_ms": None}), context)
    required = context.rules.reviews_required
    for number in sorted({slot.round for slot in visit.slots}):
        newest = slots.latest(work.visit, number)
        # A tie-break is between answers, and these are asked for anew.
        if newest is not None and newest.open and number >= required:
            work.withdraw(newest, "the visit is reviewed afresh")
    for slot in tuple(work.visit.slots):
        if not slot.open:
            work.drop_judgement(slot)
    for number in range(required):
        newest = slots.latest(work.visit, number)
        if newest is not None and newest.open:
            work.send(newest)
        else:
            skill = Skill.OPERATOR if newest is None else newest.skill
            work.open(number, skill, None if newest is None else newest.handover)
    return work.step()


def resend(visit: VisitSnapshot, context: Context) -> Step:
    """The open slots once more, under their ids, with what the visit knows now."""
    work = _Answering(visit, context)
    work.send_open()
    return work.step()


def answer(visit: VisitSnapshot, decision: Decision, context: Context) -> Step:
    """Answer one decision by a close, or by a close and the next open; one that is not valid is counted or dead."""
    if decision.act is Act.UNDO:
        return _undo(visit, decision, context)
    slot = next((one for one in visit.slots if one.slot_id == decision.slot_id), None)
    if slot is None:
        dead = Dead("unknown-slot", f"visit {visit.visit_id} never had slot {decision.slot_id}")
        return Step(visit, (dead, Counted(Tally.REFUSED, "unknown_slot")))
    if not slot.open:
        # Somebody else was first, and the log's order decides.
        return Step(visit, (Counted(Tally.SUPERSEDED, "judge"),))
    return _judge(visit, slot, decision, context)


def _judge(visit: VisitSnapshot, slot: SlotState, decision: Decision, context: Context) -> Step:
    work = _Answering(visit, context)
    refusal = next(judge_refusals(visit, slot, decision, context.recipe), None)
    if refusal is not None:
        kind, detail = refusal
        work.close(slot, CloseReason.REFUSED, decision, counts=False, detail=detail)
        # The third refused judgement of a round asks a lead.
        refused = sum(one.refused for one in work.visit.slots if one.round == slot.round)
        work.open(slot.round, Skill.LEAD if refused >= 3 else slot.skill, slot.handover)
        work.effects.append(Counted(Tally.REFUSED, kind))
    # Counted, so that who was unsure may not judge another round of the visit as well.
    elif decision.judgement is Judgement.UNSURE:
        to = decision.hand_to or Skill.LEAD
        detail = "escalated to a lead" if to is Skill.LEAD else "sent back to operators"
        work.close(slot, CloseReason.ESCALATED, decision, counts=True, detail=detail)
        work.send_open()
        work.open(slot.round, to, _handed(decision, context.now_ms))
    else:
        work.close(slot, CloseReason.DECIDED, decision, counts=True)
        _settle(work)
    return work.step()


def _settle(work: _Answering) -> None:
    context = work.context
    required = context.rules.reviews_required
    if settled(work.visit, context.rules) is not None:
        for slot in slots.open_slots(work.visit):
            work.withdraw(slot, "the visit is settled")
        work.undo_until(until(context.now_ms + context.rules.undo_window_ms))
        return
    work.send_open()
    fresh = [number for number, slot in enumerate(required_slots(work.visit, context.rules)) if slot is None]
    for number in fresh:
        work.open(number, Skill.OPERATOR)
    tie_break = slots.latest(work.visit, required)
    if disagrees(work.visit, context.rules) and (tie_break is None or not tie_break.open):
        work.open(required, Skill.LEAD)


def _undo(visit: VisitSnapshot, decision: Decision, context: Context) -> Step:
    kind, _ = next(undo_refusals(visit, decision, context), (None, None))
    slot = next((one for one in visit.slots if one.decision_id == decision.undoes), None)
    if kind is not None or slot is None:
        return Step(visit, (Counted(Tally.REFUSED, kind or "undo_unknown"),))
    work = _Answering(visit, context)
    work.drop_judgement(slot)
    record = slots.close_record(visit, slot, CloseReason.UNDONE, context.now_ms, decision)
    work.effects.append(Publish(record))
    required = context.rules.reviews_required
    for other in slots.open_slots(visit):
        # A tie-break too: it is between answers, of which this one is no more.
        if other.round == slot.round or slot.round < required <= other.round:
            work.withdraw(other, f"decision {decision.undoes} was undone")
    work.undo_until(None)
    work.send_open()
    work.open(slot.round, slot.skill, slot.handover)
    return work.step()


def _handed(decision: Decision, now_ms: int) -> Handover:
    note = None if decision.comment is None else decision.comment[:MOST_NOTE]
    return Handover(
        actor=decision.actor, role=decision.role, at_ms=now_ms, reason=decision.unsure_because, note=note or None
    )
