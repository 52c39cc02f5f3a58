"""What may be told of a line: its state, locks, a bypass, and the words of its side channel. Pure.

Every act is a function of the line as it is, and gives the messages to be written together; none where nothing changes.
What may not be done raises LineRefusal with what to do instead. No act makes a line pass while a lock stands, a
changeover or check is under way, or a check that the recipe asks for is not good.
"""

from __future__ import annotations

from linewarden_domain.line_situation import (
    LineRefusal,
    LineSituation,
    Who,
    Work,
    due_locks,
    in_state,
    locked,
    next_state,
    producible_until,
    require_idle,
)
from linewarden_schemas.base import Message
from linewarden_schemas.line import ChannelSignal
from linewarden_schemas.vocabulary import ChannelWord, LineMode, LockCause

LONGEST_BYPASS_MS = 24 * 3_600_000


def tell(
    line: LineSituation, who: Who, mode: LineMode, work: Work, *, has_gate: bool, reason: str | None = None
) -> tuple[Message, ...]:
    """Tell the state of a line and what it works on; locks stay.

    Raises:
        LineRefusal: for a bypass, which has an act of its own, and for production where a changeover or a check is
            under way, or the check of its recipe is not good.
    """
    if mode is LineMode.BYPASS:
        raise LineRefusal("act_bypass_apart", line=line.line_id)
    valid_until_ms = producible_until(line) if mode is LineMode.PRODUCTION else None
    told = {
        "mode": mode,
        "order_id": work.order_id,
        "lot_id": work.lot_id,
        "product_id": work.product_id,
        "shift": work.shift,
        "target_rate": work.target_rate,
        "has_gate": has_gate,
        "valid_until_ms": valid_until_ms,
        "resumes": None,
    }
    return (next_state(line, who.actor, reason, **told),)


def lock(line: LineSituation, who: Who, cause: LockCause, detail: str | None = None) -> tuple[Message, ...]:
    """Lock passing, whatever the state; nothing where the same cause has locked it already."""
    if line.state is not None and cause in {one.cause for one in line.state.locks}:
        return ()
    return (locked(line, who.actor, cause, detail),)


def unlock(line: LineSituation, who: Who, reason: str, cause: LockCause | None = None) -> tuple[Message, ...]:
    """Lift the locks of a line, or those of one cause.

    Raises:
        LineRefusal: for everybody but a lead who signed in, where nothing is locked, where no reason is given, and
            where the time would lock it again at once.
    """
    who.require_lead("act_lead_lifts")
    if not reason.strip():
        raise LineRefusal("act_unexplained")
    locks = () if line.state is None else line.state.locks
    chosen = tuple(one for one in locks if cause in {None, one.cause})
    if not chosen and cause is not None:
        raise LineRefusal("act_not_locked_by", line=line.line_id, cause=cause.value)
    if not chosen:
        raise LineRefusal("act_not_locked", line=line.line_id)
    lifted = tuple(
        one.model_copy(update={"lifted_by": who.actor, "lifted_ms": line.now_ms, "lifted_reason": reason})
        for one in chosen
    )
    left = tuple(one for one in locks if one not in chosen)
    after = next_state(line, who.actor, reason, locks=left, lifted=lifted)
    if due_locks(in_state(line, after)):
        raise LineRefusal("act_end_bypass_first" if line.mode is LineMode.BYPASS else "act_check_first")
    return (after,)


def begin_bypass(line: LineSituation, who: Who, holder: str, until_ms: int, reason: str) -> tuple[Message, ...]:
    """Record that the plant bypasses the inspection by its own key. It opens no gate from here: nothing passes in it.

    Raises:
        LineRefusal: without a reason or an end that is near enough, or while a changeover or check is under way.
    """
    if not reason.strip() or not holder.strip():
        raise LineRefusal("act_bypass_unexplained")
    if not line.now_ms < until_ms <= line.now_ms + LONGEST_BYPASS_MS:
        raise LineRefusal("act_bypass_end", hours=LONGEST_BYPASS_MS // 3_600_000)
    require_idle(line)
    told = {"mode": LineMode.BYPASS, "key_holder": holder, "valid_until_ms": until_ms, "resumes": None}
    return (next_state(line, who.actor, reason, **told),)


def end_bypass(line: LineSituation, who: Who, reason: str | None = None) -> tuple[Message, ...]:
    """Say that the plant took its key back: the line is stopped until somebody tells its state. Raises LineRefusal."""
    if line.mode is not LineMode.BYPASS:
        raise LineRefusal("act_not_in_bypass", line=line.line_id, mode=line.mode.value)
    return (next_state(line, who.actor, reason, mode=LineMode.STOPPED),)


def signalled(line: LineSituation, signal: ChannelSignal) -> tuple[Message, ...]:
    """What a word of the side channel does: it stops production, and starts what it has stopped itself.

    A start never lifts a lock, ends no stop that a person told, and makes no check good. Nothing where nothing changes.
    """
    state, actor = line.state, "side-channel"
    if state is None or signal.at_ms < state.since_ms:
        return ()
    if signal.word is ChannelWord.STOP:
        stops = state.mode is LineMode.PRODUCTION
        return (next_state(line, actor, None, mode=LineMode.STOPPED, resumes=state.mode),) if stops else ()
    if state.mode is not LineMode.STOPPED or state.resumes is None:
        return ()
    try:
        until_ms = producible_until(line)
    except LineRefusal:
        return ()
    return (next_state(line, actor, None, mode=state.resumes, valid_until_ms=until_ms, resumes=None),)
