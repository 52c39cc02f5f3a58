"""A line as the topics tell it, who acts on it, and the state that comes next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from linewarden_domain.words import said
from linewarden_schemas.changeover import Changeover, MasterCheck
from linewarden_schemas.line import Activation, LineLock, LineState
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import ChangeoverStage, CheckOutcome, LineMode, LockCause, Role

LIFTING = frozenset({Role.LEAD})
"""Roles that lift a lock and release a line to production."""
_CLOSED = frozenset({ChangeoverStage.RELEASED, ChangeoverStage.FAILED, ChangeoverStage.WITHDRAWN})


class LineRefusal(ValueError):
    """What somebody wanted of a line may not be done; says why, and what to do instead, in every language."""

    def __init__(self, code: str, **parameters: str | float) -> None:
        self.told = said(code, **parameters)
        super().__init__(self.told.sentence)


@dataclass(frozen=True, slots=True)
class LineSituation:
    """A line as the topics tell it, and the time (epoch ms). `good` is its last good check, `check` its last one."""

    line_id: str
    now_ms: int
    state: LineState | None = None
    active: Activation | None = None
    recipe: Recipe | None = None
    changeover: Changeover | None = None
    check: MasterCheck | None = None
    good: MasterCheck | None = None

    @property
    def mode(self) -> LineMode:
        """The state that it is in; one that was never told is being set up."""
        return LineMode.SETUP if self.state is None else self.state.mode

    @property
    def open_changeover(self) -> Changeover | None:
        """The changeover that is under way."""
        found = self.changeover
        return None if found is None or found.stage in _CLOSED else found

    @property
    def open_check(self) -> MasterCheck | None:
        """The check that is under way."""
        return None if self.check is None or self.check.outcome is not None else self.check


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts; `role` is known of somebody who signed in alone."""

    actor: str
    role: Role | None = None

    def require_lead(self, code: str) -> None:
        """Raises LineRefusal, with these words, for everybody but a lead who signed in."""
        if self.role not in LIFTING:
            raise LineRefusal(code, actor=self.actor)


@dataclass(frozen=True, slots=True)
class Work:
    """What a line works on; `target_rate` is how many parts a minute are planned."""

    order_id: str | None = None
    lot_id: str | None = None
    product_id: str | None = None
    shift: str | None = None
    target_rate: float | None = None


def due_locks(line: LineSituation, actor: str = "line") -> tuple[LineLock, ...]:
    """Locks that the time alone brings, and that do not stand yet."""
    state = line.state
    if state is None or state.valid_until_ms is None or state.valid_until_ms > line.now_ms:
        return ()
    causes = {LineMode.BYPASS: LockCause.BYPASS_ELAPSED, LineMode.PRODUCTION: LockCause.CHECK_OVERDUE}
    cause = causes.get(state.mode)
    if cause is None or cause in {one.cause for one in state.locks}:
        return ()
    return (LineLock(cause=cause, since_ms=state.valid_until_ms, actor=actor),)


def next_state(line: LineSituation, actor: str, reason: str | None, **told: object) -> LineState:
    """The next state: what is not told stays, locks always; what belongs to a mode ends with it."""
    before = line.state or LineState(line_id=line.line_id, mode=LineMode.SETUP, since_ms=0, actor=actor)
    changes: dict[str, object] = {
        "since_ms": max(line.now_ms, before.since_ms),
        "actor": actor,
        "reason": reason,
        "lifted": (),
        "locks": (*before.locks, *due_locks(line)),
    }
    if told.get("mode", before.mode) is not before.mode:
        changes |= {"valid_until_ms": None, "key_holder": None, "resumes": None}
    return before.model_copy(update=changes | told)


def locked(line: LineSituation, actor: str, cause: LockCause, detail: str | None, **told: object) -> LineState:
    """The next state with a lock more."""
    found = LineLock(cause=cause, since_ms=line.now_ms, actor=actor, detail=detail)
    locks = () if line.state is None else line.state.locks
    return next_state(line, actor, detail, locks=(*locks, *due_locks(line), found), **told)


def in_state(line: LineSituation, state: LineState | None) -> LineSituation:
    """The line in another state; with None as it is, without its changeover."""
    return replace(line, changeover=None) if state is None else replace(line, state=state)


def require_idle(line: LineSituation) -> None:
    """Raise LineRefusal while a changeover or a check is under way."""
    if line.open_changeover is not None:
        recipe = line.open_changeover.recipe.name
        raise LineRefusal("act_changeover_open", line=line.line_id, recipe=recipe)
    if line.open_check is not None:
        raise LineRefusal("act_check_open", line=line.line_id)


def producible_until(line: LineSituation) -> int | None:
    """Until when production may last by the check of its recipe; None without an end. Raises LineRefusal."""
    require_idle(line)
    if line.recipe is None or line.recipe.check is None or line.active is None:
        return None
    good, last = line.good, line.check
    if good is None or good.at_ms < line.active.from_ms or not good.recipe.is_same(line.active.recipe):
        raise LineRefusal("act_check_absent", line=line.line_id)
    if last is not None and last.outcome in {CheckOutcome.FAILED, CheckOutcome.MISSING}:
        raise LineRefusal("act_check_wrong", line=line.line_id, outcome=last.outcome.value)
    if good.next_due_ms is not None and good.next_due_ms <= line.now_ms:
        raise LineRefusal("act_check_due", line=line.line_id)
    return good.next_due_ms


def contained_from(line: LineSituation) -> int:
    """Since when passes are in doubt: the last good check; where there was none, all that is kept."""
    return 0 if line.good is None else line.good.at_ms
