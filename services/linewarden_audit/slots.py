"""What the slots of a visit must be: opened in turn, for whom they are meant, and closed by what was decided. Pure.

As `passing.py` it shares no code with what routes. Every function yields, in words, what does not follow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from linewarden_audit.facts import Decided, Reviewed, SlotClosed, SlotOpened
from linewarden_schemas.ids import slot_id
from linewarden_schemas.vocabulary import Act, CloseReason, Judgement, Skill

_UNDOABLE = frozenset({CloseReason.DECIDED, CloseReason.ESCALATED})


def against_slots(visit_id: str, reviewed: Reviewed, *, forgotten: bool) -> Iterator[str]:
    """Slots that are no requests of this visit, or were opened or closed out of turn.

    Of a visit that may be `forgotten` compaction may have taken some. After a torn transaction
    records are read a second time: a slot that nobody decided and that was withdrawn may be opened anew, and one that
    was decided, perhaps undone, may be opened again to be closed by the same decisions.
    """
    closed: dict[str, list[SlotClosed]] = {}
    to_come_again: dict[str, list[SlotClosed]] = {}
    open_in: dict[int, SlotOpened] = {}
    seen: set[str] = set()
    for one in in_order(reviewed):
        if isinstance(one, SlotClosed):
            to_come = to_come_again.get(one.slot_id)
            if to_come and _is_withdrawn([one]):
                to_come.clear()  # its closes did not come through again, and the state does not know of the undoing
            elif to_come and _is_same(to_come[0], one):
                del to_come[0]
            elif to_come:
                yield f"slot {one.slot_id} was closed twice"
            else:
                yield from _closing(one, closed.setdefault(one.slot_id, []))
            open_in = {number: slot for number, slot in open_in.items() if slot.slot_id != one.slot_id}
        else:
            if _is_withdrawn(closed.get(one.slot_id, ())):
                del closed[one.slot_id]
            elif one.slot_id in closed:
                to_come_again[one.slot_id] = list(closed[one.slot_id])
            yield from _opening(visit_id, one, open_in.get(one.round), closed)
            if one.generation > 0 and not forgotten and slot_id(visit_id, one.round, one.generation - 1) not in seen:
                yield f"slot {one.slot_id} was opened without the generation before"
            open_in[one.round] = one
        seen.add(one.slot_id)
    unfounded = sorted(name for name, to_come in to_come_again.items() if to_come == closed.get(name))
    yield from (f"slot {name} was opened after it was closed" for name in unfounded)


def _is_withdrawn(closes: Sequence[SlotClosed]) -> bool:
    return len(closes) == 1 and closes[0].reason is CloseReason.WITHDRAWN and closes[0].decision_id is None


def is_taken_back(asked: SlotOpened, reviewed: Reviewed) -> bool:
    """Whether a slot was next withdrawn, as where the routing that it was opened for did not come through."""
    later = (one for one in in_order(reviewed) if one.written.offset > asked.written.offset)
    closes = [one for one in later if isinstance(one, SlotClosed) and one.slot_id == asked.slot_id]
    return _is_withdrawn(closes[:1])


def in_order(reviewed: Reviewed) -> list[SlotOpened | SlotClosed]:
    """Records of slots in the order in which they lie."""
    return sorted(reviewed.slots, key=lambda one: one.written.offset)


def against_skill(reviewed: Reviewed, required: int) -> Iterator[str]:
    """Slots that a lead has to take, and that were opened for anybody: tie-breaks, and what is escalated.

    What a lead sends back is for anybody again, but for a tie-break.

    The very slot that was escalated may be opened once more as it was, after a torn transaction: what escalated it is
    read again and closes it.
    """
    escalated: dict[int, str] = {}
    sent_back: dict[str, str] = {}
    asked: dict[str, Skill] = {}
    rounds = {one.slot_id: one.round for one in reviewed.slots if isinstance(one, SlotOpened)}
    for one in in_order(reviewed):
        if isinstance(one, SlotOpened):
            is_again = escalated.get(one.round) == one.slot_id and asked.get(one.slot_id) is one.skill
            is_for_lead = one.round >= required or (one.round in escalated and not is_again)
            if one.skill is not Skill.LEAD and is_for_lead:
                yield f"slot {one.slot_id} is for a lead, and was opened for the skill {one.skill.value}"
            asked.setdefault(one.slot_id, one.skill)
        elif one.reason is CloseReason.ESCALATED and one.slot_id in rounds:
            number = rounds[one.slot_id]
            if _is_sent_back(one, reviewed):
                if asked[one.slot_id] is not Skill.LEAD or number >= required:
                    yield f"slot {one.slot_id} was sent back to operators, and is no lead's to send back"
                sent_back[one.slot_id] = escalated.pop(number, sent_back.get(one.slot_id, ""))
            else:
                escalated[number] = one.slot_id
        elif one.reason is CloseReason.UNDONE:
            escalated = {number: name for number, name in escalated.items() if name != one.slot_id}
            if one.slot_id in sent_back and one.slot_id in rounds:
                escalated[rounds[one.slot_id]] = sent_back[one.slot_id]


def _is_sent_back(one: SlotClosed, reviewed: Reviewed) -> bool:
    decision = reviewed.decisions.get(one.decision_id or "")
    return decision is not None and decision.hand_to is Skill.OPERATOR


def _opening(visit_id: str, one: SlotOpened, current: SlotOpened | None, closed: Collection[str]) -> Iterator[str]:
    if one.slot_id != slot_id(visit_id, one.round, one.generation):
        yield f"slot {one.slot_id} is not that of its visit, round and generation"
    if one.slot_id not in closed and current is not None and current.slot_id != one.slot_id:
        yield f"slot {one.slot_id} was opened while {current.slot_id} was open"


def _is_same(one: SlotClosed, other: SlotClosed) -> bool:
    return (one.reason, one.decision_id) == (other.reason, other.decision_id)


def _closing(one: SlotClosed, before: list[SlotClosed]) -> Iterator[str]:
    last = before[-1] if before else None
    if len(before) > 1 and before[-1].reason is CloseReason.UNDONE and _is_same(before[-2], one):
        del before[-1]  # the undoing did not come through, and came too late when it was read again
    elif last is None or not _is_same(last, one):
        before.append(one)
        is_undone = last is not None and last.reason in _UNDOABLE and one.reason is CloseReason.UNDONE
        if last is not None and not is_undone:
            yield f"slot {one.slot_id} was closed twice"
    if (one.decision_id is None) is not (one.reason is CloseReason.WITHDRAWN):
        yield f"slot {one.slot_id} was closed as {one.reason.value} by the wrong hand"


def against_answers(reviewed: Reviewed, dead_sources: Collection[str]) -> Iterator[str]:
    """Slots that were closed by what nobody decided, and decisions that were not the first on their slot."""
    for one in reviewed.slots:
        if not isinstance(one, SlotClosed) or one.decision_id is None:
            continue
        decision = reviewed.decisions.get(one.decision_id)
        if decision is None:
            yield f"slot {one.slot_id} was closed by decision {one.decision_id}, which nobody made"
        elif not _closes(one, decision, reviewed):
            yield f"slot {one.slot_id} was closed as {one.reason.value} by decision {one.decision_id}, which is another"
        elif one.reason in _UNDOABLE and _is_overtaken(decision, reviewed, dead_sources):
            yield f"slot {one.slot_id} was closed by decision {one.decision_id}, which was not the first on it"


def _closes(closed: SlotClosed, decision: Decided, reviewed: Reviewed) -> bool:
    if closed.actor != decision.actor:
        return False
    if closed.reason is CloseReason.UNDONE:
        undone = reviewed.decisions.get(decision.undoes or "")
        return decision.act is Act.UNDO and undone is not None and undone.slot_id == closed.slot_id
    is_unsure = decision.judgement is Judgement.UNSURE
    fits = closed.reason is CloseReason.REFUSED or (closed.reason is CloseReason.ESCALATED) is is_unsure
    return decision.act is Act.JUDGE and decision.slot_id == closed.slot_id and fits


def _is_overtaken(decision: Decided, reviewed: Reviewed, dead_sources: Collection[str]) -> bool:
    return any(
        one.slot_id == decision.slot_id
        and one.act is Act.JUDGE
        and one.written.offset < decision.written.offset
        and one.written.place not in dead_sources
        for one in reviewed.decisions.values()
    )
