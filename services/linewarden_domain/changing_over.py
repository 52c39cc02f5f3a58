"""Changing a line over to another recipe, and proving with master parts that it still sees. Pure.

Requested, acknowledged by every camera and inspect worker, cleared of what was captured before, checked, released: what
fails or is missing locks passing and names the passes since the last good check. Acts are as in `line_acts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from linewarden_domain.line_situation import (
    LineRefusal,
    LineSituation,
    Who,
    Work,
    contained_from,
    due_locks,
    in_state,
    locked,
    next_state,
    producible_until,
    require_idle,
)
from linewarden_domain.words import Said, said
from linewarden_schemas.base import Message
from linewarden_schemas.changeover import Changeover, MasterAnswer, MasterCheck
from linewarden_schemas.line import Activation, LineLock
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import ChangeoverStage, CheckOutcome, CheckReason, LineMode, LockCause


def change_over(
    line: LineSituation, who: Who, recipe: Recipe, work: Work, reason: str | None = None
) -> tuple[Message, ...]:
    """Begin a changeover: the recipe is active at once, and nothing passes before the line is released.

    Raises:
        LineRefusal: while another changeover, a check or a bypass is under way.
    """
    require_idle(line)
    if line.mode is LineMode.BYPASS:
        raise LineRefusal("act_bypass_open", line=line.line_id)
    ref, name = recipe.ref(), f"{line.line_id}.{line.now_ms}"
    begun = Changeover(
        changeover_id=name,
        line_id=line.line_id,
        recipe=ref,
        stage=ChangeoverStage.REQUESTED,
        requested_ms=line.now_ms,
        requested_by=who.actor,
        reason=reason,
        at_ms=line.now_ms,
        actor=who.actor,
    )
    active = Activation(
        line_id=line.line_id,
        recipe=ref,
        bundle_digest=recipe.bundle_digest,
        from_ms=line.now_ms,
        actor=who.actor,
        reason=reason,
    )
    told = {
        "mode": LineMode.VERIFICATION,
        "changeover_id": name,
        "order_id": work.order_id,
        "lot_id": work.lot_id,
        "product_id": work.product_id or recipe.product_id,
        "shift": work.shift or (line.state.shift if line.state else None),
        "target_rate": work.target_rate,
    }
    return next_state(line, who.actor, reason, **told), active, begun


def withdraw(line: LineSituation, who: Who, reason: str | None = None) -> tuple[Message, ...]:
    """Take a changeover back; recipe and state stay as they are. Raises LineRefusal where none is under way."""
    found = _require_changeover(line)
    ended = _step(found, line, who.actor, ChangeoverStage.WITHDRAWN, waiting_for=(), waiting_coded=())
    stopped = _ended(line, CheckOutcome.MISSING, ()) if line.open_check is not None else ()
    return (next_state(line, who.actor, reason, changeover_id=None), ended, *stopped)


def release(line: LineSituation, who: Who, *, is_purged: bool, reason: str | None = None) -> tuple[Message, ...]:
    """Release a line to production after a changeover whose every step is done.

    Raises:
        LineRefusal: for everybody but a lead who signed in; where a step is missing; where a lock stands; where nobody
            says that no part of before is on the line.
    """
    found = _require_changeover(line)
    who.require_lead("act_lead_releases")
    if found.stage is not ChangeoverStage.CHECKED:
        raise LineRefusal("act_not_checked", stage=found.stage.value, missing=_missing(found))
    if line.state is not None and line.state.locks:
        raise LineRefusal("act_locked", cause=line.state.locks[0].cause.value)
    if not is_purged:
        raise LineRefusal("act_not_purged")
    idle = in_state(line, None)
    told = {"mode": LineMode.PRODUCTION, "changeover_id": None, "valid_until_ms": producible_until(idle)}
    done = _step(
        found, line, who.actor, ChangeoverStage.RELEASED, waiting_for=(), waiting_coded=(), purged_by=who.actor
    )
    return next_state(line, who.actor, reason, **told), done


def step_on(
    line: LineSituation,
    stage: ChangeoverStage,
    *,
    waiting_for: Sequence[Said] = (),
    acknowledged: Sequence[str] = (),
    open_before: int | None = None,
    actor: str = "line",
) -> tuple[Message, ...]:
    """Say how far the open changeover has come; nothing where that is known, or none is open."""
    found = line.open_changeover
    if found is None:
        return ()
    told: dict[str, object] = {
        "waiting_for": tuple(one.sentence for one in waiting_for),
        "waiting_coded": tuple(one.reason for one in waiting_for),
        "acknowledged": tuple(sorted(acknowledged)),
        "open_before": open_before,
    }
    if found.stage is stage and all(getattr(found, name) == value for name, value in told.items()):
        return ()
    return (_step(found, line, actor, stage, **told),)


def begin_check(line: LineSituation, who: Who, why: CheckReason = CheckReason.ASKED) -> tuple[Message, ...]:
    """Begin a check with the master parts of the active recipe; nothing passes while it is under way.

    Raises:
        LineRefusal: where the recipe names none, a check or a bypass is under way, or the changeover is not that far.
    """
    if line.recipe is None or line.recipe.check is None or line.active is None:
        raise LineRefusal("act_no_masters", line=line.line_id)
    if line.open_check is not None:
        raise LineRefusal("act_check_open", line=line.line_id)
    if line.mode is LineMode.BYPASS:
        raise LineRefusal("act_bypass_open", line=line.line_id)
    found = line.open_changeover
    if found is not None and found.stage is not ChangeoverStage.CLEARED:
        raise LineRefusal("act_changeover_early", stage=found.stage.value, missing=_missing(found))
    check_id = f"{line.line_id}.{line.now_ms}"
    returns = line.mode is LineMode.PRODUCTION and found is None
    begun = MasterCheck(
        check_id=check_id,
        line_id=line.line_id,
        recipe=line.active.recipe,
        why=CheckReason.CHANGEOVER if found is not None else why,
        began_ms=line.now_ms,
        began_by=who.actor,
        until_ms=line.now_ms + line.recipe.check.within_ms,
        at_ms=line.now_ms,
        returns_to=LineMode.PRODUCTION if returns else None,
    )
    state = next_state(line, who.actor, "check with master parts", mode=LineMode.VERIFICATION)
    step = () if found is None else (_step(found, line, who.actor, found.stage, check_id=check_id),)
    return (state, begun, *step)


def end_check(line: LineSituation, outcome: CheckOutcome, answers: Sequence[MasterAnswer]) -> tuple[Message, ...]:
    """Say what the open check came to; nothing where none is open.

    A good one returns the line to production where it came from there and nobody told another state meanwhile. One
    that failed, or is missing, locks passing, ends a changeover and names the passes that are to be contained.
    """
    found = line.open_check
    if found is None:
        return ()
    ended = _ended(line, outcome, answers)
    change = line.open_changeover
    if outcome is CheckOutcome.PASSED:
        if change is not None:
            return (*ended, _step(change, line, "line", ChangeoverStage.CHECKED, waiting_for=(), waiting_coded=()))
        returns = found.returns_to if line.mode is LineMode.VERIFICATION else None
        good = ended[0]
        until_ms = good.next_due_ms if isinstance(good, MasterCheck) else None
        told = {"mode": returns, "valid_until_ms": until_ms}
        back = () if returns is None else (next_state(line, "line", "the master parts got their verdicts", **told),)
        return (*ended, *back)
    failed = () if change is None else (_step(change, line, "line", ChangeoverStage.FAILED),)
    cause = LockCause.CHECK_FAILED if outcome is CheckOutcome.FAILED else LockCause.CHECK_OVERDUE
    state = locked(line, "line", cause, _wrong(answers), changeover_id=None)
    return (*ended, state, *failed)


def overdue(line: LineSituation, decided: int = 0) -> tuple[Message, ...]:
    """Lock what the time, or `decided` parts since the last good check, have made overdue; nothing where nothing is.

    A check that was not made is told as missing, with the passes since the last good one.
    """
    locks = due_locks(line)
    rules = None if line.recipe is None else line.recipe.check
    counted = rules is not None and rules.every_parts is not None and decided >= rules.every_parts
    standing = {one.cause for one in line.state.locks} if line.state is not None else set()
    if counted and line.mode is LineMode.PRODUCTION and LockCause.CHECK_OVERDUE not in standing and not locks:
        detail = f"{decided} parts were decided since the last good check"
        locks = (LineLock(cause=LockCause.CHECK_OVERDUE, since_ms=line.now_ms, actor="line", detail=detail),)
    if not locks and LockCause.CHECK_OVERDUE not in standing and _is_unproven(line):
        detail = "no check with master parts is good since the recipe is active"
        locks = (LineLock(cause=LockCause.CHECK_OVERDUE, since_ms=line.now_ms, actor="line", detail=detail),)
    if not locks or line.state is None:
        return ()
    state = next_state(line, "line", None, locks=(*line.state.locks, *locks))
    if locks[0].cause is not LockCause.CHECK_OVERDUE or line.active is None:
        return (state,)
    missing = MasterCheck(
        check_id=f"{line.line_id}.{line.now_ms}",
        line_id=line.line_id,
        recipe=line.active.recipe,
        why=CheckReason.COUNT if counted else CheckReason.HOURS,
        began_ms=line.now_ms,
        began_by="line",
        until_ms=line.now_ms,
        at_ms=line.now_ms,
        outcome=CheckOutcome.MISSING,
        contain_from_ms=contained_from(line),
        contain_to_ms=line.now_ms,
    )
    return state, missing


def _missing(found: Changeover) -> str:
    return "; ".join(found.waiting_for) or said("wait_line").sentence


def _is_unproven(line: LineSituation) -> bool:
    """Whether the line produces by a recipe that asks for master parts, and was activated past them."""
    if line.mode is not LineMode.PRODUCTION or line.recipe is None or line.recipe.check is None or line.active is None:
        return False
    good = line.good
    return good is None or good.at_ms < line.active.from_ms or not good.recipe.is_same(line.active.recipe)


def _require_changeover(line: LineSituation) -> Changeover:
    if line.open_changeover is None:
        raise LineRefusal("act_no_changeover", line=line.line_id)
    return line.open_changeover


def _step(found: Changeover, line: LineSituation, actor: str, stage: ChangeoverStage, **told: object) -> Changeover:
    return found.model_copy(update={"stage": stage, "at_ms": line.now_ms, "actor": actor} | told)


def _ended(line: LineSituation, outcome: CheckOutcome, answers: Sequence[MasterAnswer]) -> tuple[MasterCheck, ...]:
    found, rules = line.open_check, None if line.recipe is None else line.recipe.check
    if found is None:
        return ()
    told: dict[str, object] = {"at_ms": line.now_ms, "outcome": outcome, "answers": tuple(answers)}
    if outcome is not CheckOutcome.PASSED:
        told |= {"contain_from_ms": contained_from(line), "contain_to_ms": line.now_ms}
    elif rules is not None and rules.every_ms is not None:
        told["next_due_ms"] = line.now_ms + rules.every_ms
    return (found.model_copy(update=told),)


def _wrong(answers: Sequence[MasterAnswer]) -> str | None:
    """The first answers that are not as expected, in words."""
    return "; ".join(_words(answers))[:500] or None


def _words(answers: Sequence[MasterAnswer]) -> Iterator[str]:
    for one in answers:
        if one.verdict is not one.expected:
            was = "nothing" if one.verdict is None else one.verdict.value
            yield f"{one.part_id}, view {one.view_id}: {one.expected.value} was expected, and {was} came"
