"""Samples of what acts on a line tell."""

from __future__ import annotations

from linewarden_schemas.changeover import Changeover, LoadedRecipe, MasterAnswer, MasterCheck, WorkerHeartbeat
from linewarden_schemas.ids import visit_id
from linewarden_schemas.line import LineLock, LineState
from linewarden_schemas.live_limit import LiveLimit
from linewarden_schemas.sample_recipe import AT, RECIPE, SHA
from linewarden_schemas.vocabulary import ChangeoverStage, CheckOutcome, CheckReason, LineMode, LockCause, Verdict

LOCK = LineLock(
    cause=LockCause.CHECK_OVERDUE, since_ms=AT - 120_000, actor="line", detail="400 parts since the last good check"
)
LIVE_LIMIT = LiveLimit(
    line_id="line1",
    recipe=RECIPE.ref(),
    bundle_digest=SHA,
    from_ms=AT - 28 * 86_400_000,
    to_ms=AT - 3_600_000,
    passes=41_200,
    audited=830,
    unanswered=2,
    found_defective=1,
    known_bads_shown=120,
    known_bads_caught=114,
    upper=0.0094,
    confidence=0.95,
    made_ms=AT,
    until_ms=AT + 30 * 86_400_000,
    actor="qa-2",
)
ACTS = (
    LIVE_LIMIT,
    LineState(
        line_id="line1",
        mode=LineMode.PRODUCTION,
        since_ms=AT - 60_000,
        actor="lead-02",
        order_id="PO-1001",
        lot_id="L-77",
        product_id="bracket",
        shift="early",
        target_rate=40.0,
        locks=(LOCK,),
        lifted=(
            LOCK.model_copy(
                update={"lifted_by": "lead-02", "lifted_ms": AT - 60_000, "lifted_reason": "the lamp was changed"}
            ),
        ),
        valid_until_ms=AT + 3_600_000,
    ),
    Changeover(
        changeover_id=f"line1.{AT - 900_000}",
        line_id="line1",
        recipe=RECIPE.ref(),
        stage=ChangeoverStage.RELEASED,
        requested_ms=AT - 900_000,
        requested_by="eng-1",
        reason="order PO-1001",
        at_ms=AT,
        actor="lead-02",
        acknowledged=("cam1", "cam2", "gpu0"),
        open_before=0,
        check_id=f"line1.{AT - 600_000}",
        purged_by="lead-02",
    ),
    MasterCheck(
        check_id=f"line1.{AT - 600_000}",
        line_id="line1",
        recipe=RECIPE.ref(),
        why=CheckReason.CHANGEOVER,
        began_ms=AT - 600_000,
        began_by="lead-02",
        until_ms=AT + 300_000,
        at_ms=AT - 500_000,
        outcome=CheckOutcome.PASSED,
        answers=(
            MasterAnswer(
                part_id="MASTER-7",
                view_id="top",
                expected=Verdict.NG,
                verdict=Verdict.NG,
                visit_id=visit_id("line1", "st1", AT, 7),
            ),
        ),
        next_due_ms=AT + 3_100_000,
    ),
    WorkerHeartbeat(
        worker="gpu0",
        at_ms=AT,
        loaded=(LoadedRecipe(line_id="line1", recipe=RECIPE.ref(), bundle_digest=SHA),),
    ),
)
