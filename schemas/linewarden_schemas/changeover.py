"""Changing a line over to a recipe, proving it with master parts, and who has what is needed for it."""

from __future__ import annotations

from typing import ClassVar

from linewarden_schemas.base import Actor, Count, Digest, EpochMs, Id, Message, MessagePart, Text
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.reason import CodedReasons
from linewarden_schemas.vocabulary import ChangeoverStage, CheckOutcome, CheckReason, LineMode, Verdict


class Changeover(Message):
    """A changeover as it stands; each step is told anew under its id.

    `waiting_for` says in words what the next stage still needs. `open_before` counts visits that were captured before
    the request and are not decided. `purged_by` is who said at the release that no part of before is on the line.
    """

    TYPE: ClassVar[str] = "linewarden.changeover.v1"

    changeover_id: Id
    line_id: Id
    recipe: RecipeRef
    stage: ChangeoverStage
    requested_ms: EpochMs
    requested_by: Actor
    reason: Text | None = None
    at_ms: EpochMs
    actor: Actor
    waiting_for: tuple[Text, ...] = ()
    waiting_coded: CodedReasons = ()
    acknowledged: tuple[Id, ...] = ()
    open_before: Count | None = None
    check_id: Id | None = None
    purged_by: Actor | None = None


class MasterAnswer(MessagePart):
    """What one view of a master part has to be, and what it was; None where nothing came."""

    part_id: Id
    view_id: Id
    expected: Verdict
    verdict: Verdict | None = None
    visit_id: Id | None = None


class MasterCheck(Message):
    """A check with master parts, as it began or as it ended; `outcome` is None while it is under way.

    A good one returns the line to `returns_to`, if there is any, and the next one is due at `next_due_ms`, or after so
    many parts as the recipe says. One that failed or is missing puts every pass since `contain_from_ms`, the last good
    check of the line, on a containment list.
    """

    TYPE: ClassVar[str] = "linewarden.master-check.v1"

    check_id: Id
    line_id: Id
    recipe: RecipeRef
    why: CheckReason
    began_ms: EpochMs
    began_by: Actor
    until_ms: EpochMs
    at_ms: EpochMs
    returns_to: LineMode | None = None
    outcome: CheckOutcome | None = None
    answers: tuple[MasterAnswer, ...] = ()
    next_due_ms: EpochMs | None = None
    contain_from_ms: EpochMs | None = None
    contain_to_ms: EpochMs | None = None


class LoadedRecipe(MessagePart):
    """What an inspect worker has of the recipe that is active on a line; `problem` says why it can not judge by it."""

    line_id: Id
    recipe: RecipeRef
    bundle_digest: Digest | None = None
    problem: Text | None = None


class WorkerHeartbeat(Message):
    """An inspect worker lives, and has loaded these; told anew every few seconds and when something changes."""

    TYPE: ClassVar[str] = "linewarden.worker-heartbeat.v1"

    worker: Id
    at_ms: EpochMs
    loaded: tuple[LoadedRecipe, ...] = ()
    leaving: bool = False
