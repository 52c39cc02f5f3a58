"""One complete, plausible sample of every message, from which the golden examples are generated."""

from __future__ import annotations

from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture, FrameMetadata, Returned
from linewarden_schemas.decision import Decision, Mark, QueueEvent, Shown
from linewarden_schemas.disposition import Disposition, SlotClose, SlotFrame, SlotOpen, ViewResult
from linewarden_schemas.escape import Escape
from linewarden_schemas.ids import decision_id, digest, escape_id, frame_id, slot_id, visit_id
from linewarden_schemas.inspection import Evidence, Inspection, Maps, SourceRef
from linewarden_schemas.line import Activation, LineState, LineStateRef
from linewarden_schemas.operations import Actuation, Balance, CameraMark, ChainHead, DeadLetter, SetDigests, Stretch
from linewarden_schemas.reason import Reason
from linewarden_schemas.recipe import Criterion, Provenance, Recipe, Region, ReviewRules, Thresholds, ViewSpec, Zone
from linewarden_schemas.route_state import CameraProgress, SlotState, ViewState, VisitSnapshot
from linewarden_schemas.vocabulary import (
    Cause,
    CloseReason,
    Judgement,
    LineMode,
    Outcome,
    PartIdSource,
    Role,
    Routing,
    Verdict,
)

AT = 1_764_000_000_000
VISIT = visit_id("line1", "st1", AT, 7)
FRAME = frame_id(VISIT, "top", 1, 21)
SLOT = slot_id(VISIT, 0, 0)
DECISION = decision_id(SLOT, "op-7f3a", "token")
SHA = digest(b"picture")
LINE_STATE = LineStateRef(mode=LineMode.PRODUCTION, since_ms=AT - 60_000, order_id="PO-1001", shift="early")
_PNG = b"\x89PNG\r\n\x1a\n"
_MAPS = Maps(mask_png=_PNG, class_specific_png=_PNG, class_agnostic_png=_PNG)

RECIPE = Recipe(
    recipe_id="bracket",
    version=3,
    product_id="bracket",
    bundle_digest=SHA,
    views=(
        ViewSpec(
            view_id="top",
            camera_id="cam1",
            pose="flat",
            light="dome",
            region=Region(x=0, y=0, width=640, height=480),
            mm_per_pixel=0.05,
        ),
        ViewSpec(view_id="side", camera_id="cam2"),
    ),
    thresholds=Thresholds(
        defect=0.5,
        suspicion=0.62,
        provenance=Provenance(
            data_digest=SHA, n_defects=299, n_good=2000, rule="1 % overkill; u of 5 % of good parts", dated_ms=AT
        ),
    ),
    zones=(Zone(zone_id="seal", polygon=((0.0, 0.0), (10.0, 0.0), (10.0, 5.0))),),
    criteria=(Criterion(defect_class="scratch", zone_id="seal", max_length_mm=0.5, max_count=0),),
    review=ReviewRules(audit_share_of_passes=0.01, reject_review_share=0.05),
    created_ms=AT - 86_400_000,
    created_by="eng-1",
)
RECIPE_REF = RECIPE.ref()
_FRAME_SOURCE = SourceRef(topic="line1.frames", partition=3, offset=1204)
_INSPECTION_SOURCE = SourceRef(topic="line1.inspections", partition=3, offset=1199)
_WHY = "network said OK (p 0.12), but something looks unlike every good part it was shown (suspicion 0.71, limit 0.62)"
_WHY_CODED = Reason(
    code="network_doubted", parameters={"p": 0.12, "ingredient": "novelty", "suspicion": 0.71, "limit": 0.62}
)
_WHY_ROUTED = "view top: suspicion 0.710"
_WHY_ROUTED_CODED = Reason(code="view_suspicion", parameters={"view": "top", "suspicion": 0.71})

FRAME_METADATA = FrameMetadata(
    frame_id=FRAME,
    visit_id=VISIT,
    view_id="top",
    line_id="line1",
    station_id="st1",
    camera_id="cam1",
    recipe=RECIPE_REF,
    captured_ms=AT,
    decide_by_ms=AT + 10_000,
    sha256=SHA,
    content_type="image/jpeg",
)

SAMPLES: tuple[Message, ...] = (
    LineState(
        line_id="line1",
        mode=LineMode.PRODUCTION,
        since_ms=AT - 60_000,
        actor="lead-02",
        order_id="PO-1001",
        lot_id="L-77",
        product_id="bracket",
        shift="early",
    ),
    Activation(line_id="line1", recipe=RECIPE_REF, bundle_digest=SHA, from_ms=AT, actor="eng-1", approved_by="eng-2"),
    RECIPE,
    Capture(
        visit_id=VISIT,
        frame_id=FRAME,
        view_id="top",
        line_id="line1",
        station_id="st1",
        camera_id="cam1",
        spool_epoch=1,
        sequence=21,
        captured_ms=AT,
        decide_by_ms=AT + 10_000,
        recipe=RECIPE_REF,
        line_state=LINE_STATE,
        part_id="SN-000123",
        part_id_source=PartIdSource.READ,
        encoder_position=1_048_576,
        lot_id="L-77",
        product_id="bracket",
        bin_slot="B-12",
        returned=Returned(previous_visit_id=visit_id("line1", "st1", AT - 3_600_000, 2), authority="RW-9"),
        sha256=SHA,
        size_bytes=48_213,
    ),
    CameraHeartbeat(
        line_id="line1",
        station_id="st1",
        camera_id="cam1",
        spool_epoch=1,
        last_sequence=21,
        at_ms=AT + 1000,
        lost_by_cause={"oversize": 1},
    ),
    Inspection(
        frame_id=FRAME,
        visit_id=VISIT,
        view_id="top",
        line_id="line1",
        camera_id="cam1",
        verdict=Verdict.OK,
        reasons=(_WHY,),
        reasons_coded=(_WHY_CODED,),
        p_defect=0.12,
        margin=-1.99,
        suspicion=0.71,
        ingredients={"agreement": 2.1, "mask_evidence": 3.4, "margin": 1.2, "novelty": 4.7},
        thresholds=RECIPE.thresholds,
        maps=_MAPS,
        recipe=RECIPE_REF,
        frame_sha256=SHA,
        bundle_digest=SHA,
        code_version="0.1.0",
        device="cpu",
        precision="float32",
        source=_FRAME_SOURCE,
        captured_ms=AT,
        decide_by_ms=AT + 10_000,
        inspected_ms=AT + 240,
    ),
    Evidence(
        frame_id=FRAME,
        visit_id=VISIT,
        view_id="top",
        picture=b"\xff\xd8\xff\xd9",
        content_type="image/jpeg",
        sha256=SHA,
        maps=_MAPS,
        kept_ms=AT + 900,
    ),
    Disposition(
        visit_id=VISIT,
        revision=0,
        routing=Routing.DIVERTED,
        final=False,
        causes=(Cause.LOW_TRUST,),
        reasons=(_WHY_ROUTED,),
        reasons_coded=(_WHY_ROUTED_CODED,),
        views=(ViewResult(view_id="top", frame_id=FRAME, verdict=Verdict.OK, p_defect=0.12, suspicion=0.71),),
        line_id="line1",
        station_id="st1",
        part_id="SN-000123",
        lot_id="L-77",
        product_id="bracket",
        recipe=RECIPE_REF,
        line_state=LINE_STATE,
        first_captured_ms=AT,
        decide_by_ms=AT + 10_000,
        decided_ms=AT + 400,
    ),
    SlotOpen(
        slot_id=SLOT,
        visit_id=VISIT,
        round=0,
        generation=0,
        causes=(Cause.LOW_TRUST,),
        reasons=(_WHY_ROUTED,),
        reasons_coded=(_WHY_ROUTED_CODED,),
        risk=0.71,
        opened_ms=AT + 400,
        due_ms=AT + 120_000,
        line_id="line1",
        part_id="SN-000123",
        product_id="bracket",
        recipe=RECIPE_REF,
        bin_slot="B-12",
        needs="surface",
        capacity_per_hour=60,
        max_age_ms=3_600_000,
        frames=(
            SlotFrame(
                frame_id=FRAME,
                view_id="top",
                doubtful=True,
                sha256=SHA,
                frame=_FRAME_SOURCE,
                inspection=_INSPECTION_SOURCE,
                verdict=Verdict.OK,
                p_defect=0.12,
                suspicion=0.71,
                reasons=(_WHY,),
                reasons_coded=(_WHY_CODED,),
            ),
        ),
    ),
    SlotClose(
        slot_id=SLOT,
        visit_id=VISIT,
        reason=CloseReason.DECIDED,
        closed_ms=AT + 30_000,
        decision_id=DECISION,
        actor="op-7f3a",
    ),
    Decision(
        decision_id=DECISION,
        slot_id=SLOT,
        visit_id=VISIT,
        judgement=Judgement.NG,
        first_judgement=Judgement.OK,
        first_shown=(Shown(frame_id=FRAME, sha256=SHA, layers=("picture",)),),
        first_ms=AT + 24_000,
        blind=True,
        outcome=Outcome.REWORK,
        actor="op-7f3a",
        role=Role.QUALITY,
        decided_ms=AT + 29_500,
        covers=(FRAME,),
        shown=(Shown(frame_id=FRAME, sha256=SHA, layers=("picture", "mask"), layer_digests={"mask": SHA}),),
        defect_class="scratch",
        marks=(Mark(frame_id=FRAME, mask_png=_PNG),),
    ),
    QueueEvent(slot_id=SLOT, visit_id=VISIT, event="claimed", actor="op-7f3a", at_ms=AT + 20_000),
    DeadLetter(
        service="inspect",
        cause="digest_mismatch",
        detail="the picture's SHA-256 is not the header's",
        source=_FRAME_SOURCE,
        at_ms=AT + 300,
        key=VISIT.encode(),
        headers=(("ce_id", FRAME.encode()),),
        value=b"\xff\xd8\xff\xd9",
        value_bytes=48_213,
        visit_id=VISIT,
        frame_id=FRAME,
    ),
    Escape(
        escape_id=escape_id("SN-000123", AT + 864_000_000, "scratch"),
        part_id="SN-000123",
        defect_class="scratch",
        found_at="customer, final assembly",
        found_ms=AT + 864_000_000,
        reported_by="qa-2",
        reported_ms=AT + 950_400_000,
        visit_id=VISIT,
        reference="8D-2210",
        comment="seen under the lid",
    ),
    Actuation(visit_id=VISIT, intended=Routing.TRUSTED_PASS, actual=Routing.TRUSTED_PASS, at_ms=AT + 800),
    Balance(
        line_id="line1",
        from_ms=AT - 3_600_000,
        to_ms=AT,
        visits=1200,
        frames=3600,
        final=1150,
        waiting=48,
        in_flight=2,
        open_ids=(VISIT,),
        closed_ms=AT + 60_000,
        number=4,
        carried=31,
        stretches=(Stretch(topic="line1.captures", partition=0, from_offset=900, to_offset=1200, needed_from=1150),),
        cameras=(CameraMark(line_id="line1", station_id="st1", camera_id="cam1", spool_epoch=1, last_sequence=3600),),
        digests=SetDigests(captured=SHA, inspected=SHA, routed=SHA),
        closed_by="qa-2",
        previous=SHA,
        public_key="MCowBQYDK2VwAyEA",
        signature=b"\x00" * 64,
    ),
    ChainHead(
        topic="line1.dispositions",
        partition=3,
        next_offset=5000,
        length=4800,
        head=SHA,
        public_key="MCowBQYDK2VwAyEA",
        signature=b"\x00" * 64,
        signed_ms=AT,
        first_ms=AT - 10_000,
        last_ms=AT - 1_000,
    ),
    VisitSnapshot(
        visit_id=VISIT,
        line_id="line1",
        station_id="st1",
        recipe=RECIPE_REF,
        line_state=LINE_STATE,
        part_id="SN-000123",
        first_captured_ms=AT,
        decide_by_ms=AT + 10_000,
        views=(
            ViewState(
                view_id="top",
                frame_id=FRAME,
                decide_by_ms=AT + 10_000,
                captured_ms=AT,
                captured=True,
                sha256=SHA,
                verdict=Verdict.OK,
                p_defect=0.12,
                suspicion=0.71,
                frame=_FRAME_SOURCE,
                reasons=(_WHY,),
                reasons_coded=(_WHY_CODED,),
                inspection=_INSPECTION_SOURCE,
            ),
        ),
        revision=0,
        routing=Routing.DIVERTED,
        causes=(Cause.LOW_TRUST,),
        reasons=(_WHY_ROUTED,),
        reasons_coded=(_WHY_ROUTED_CODED,),
        slots=(SlotState(slot_id=SLOT, round=0, generation=0, open=True),),
        forget_at_ms=AT + 86_400_000,
    ),
    CameraProgress(line_id="line1", camera_id="cam1", spool_epoch=1, highest_sequence=21, forgotten_sequence=3),
)
