"""Drawn visits have the maps that real diversions have: network, route's rules and keeper together."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from linewarden_route.events import CaptureSeen, Context, InspectionSeen
from linewarden_route.visit import step
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.envelope import decode
from linewarden_schemas.inspection import Evidence, Inspection, SourceRef
from linewarden_schemas.recipe import Recipe, ReviewRules
from linewarden_schemas.vocabulary import Cause
from tests.support.bundles import bundle_store, digest_in
from tests.support.frames import AT, recipe
from tests.unit.inspect.harness import NAMESPACE, answer, memory_line
from tests.unit.inspect.test_keeper import append, asked_and_committed, evidence, run
from tests.unit.inspect.test_worker import good
from tests.unit.route.builders import SECRET, make_capture, opens

__all__ = ["bundle_store"]
FRAMES = 12


def asked(inspection: Inspection, at: SourceRef, wanted: Recipe, *, known_bad: bool) -> SlotOpen:
    """What route asks of people about a frame; of passes and rejects every one is drawn."""
    names = {name: getattr(inspection, name) for name in ("frame_id", "camera_id", "recipe", "decide_by_ms")}
    names["sha256"] = inspection.frame_sha256
    capture = make_capture("top", inspection.visit_id, inspection.captured_ms, known_bad=known_bad, **names)
    context = Context(AT, wanted, SECRET)
    visit = step(None, CaptureSeen(capture, AT), context).visit
    (slot,) = opens(step(visit, InspectionSeen(inspection, at), context))
    return slot


def kind(kept: Evidence) -> tuple[tuple[tuple[int, ...], str], ...]:
    """Shape and type of each map of a frame, as they are served."""
    maps = kept.maps
    assert maps is not None, kept.missing
    layers = (maps.mask_png, maps.class_specific_png, maps.class_agnostic_png)
    read = [cv2.imdecode(np.frombuffer(layer, np.uint8), cv2.IMREAD_UNCHANGED) for layer in layers]
    return tuple((one.shape, str(one.dtype)) for one in read if one is not None)


def test_audits_reject_reviews_and_known_bads_have_the_maps_of_real_diversions(bundle_store: Path) -> None:
    rules = ReviewRules(audit_share_of_passes=1.0, reject_review_share=1.0)
    wanted = recipe(digest_in(bundle_store, "a"), review=rules)
    broker = memory_line(wanted)
    answer(broker, bundle_store, *(good(number) for number in range(FRAMES)))
    slots: dict[str, SlotOpen] = {}
    for number, record in enumerate(broker.records(NAMESPACE.topic("inspections"))):
        inspection = decode(record.headers, record.value).message
        assert isinstance(inspection, Inspection)
        at = SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)
        slot = asked(inspection, at, wanted, known_bad=number == 0)
        slots[inspection.frame_id] = slot
        append(broker, "reinspections", slot.slot_id, slot)
    run(broker, lambda: asked_and_committed(broker), bundle_store)
    kinds: dict[Cause, set[tuple[tuple[tuple[int, ...], str], ...]]] = {}
    for kept in evidence(broker):
        kinds.setdefault(slots[kept.frame_id].causes[0], set()).add(kind(kept))
    assert set(kinds) == {Cause.LOW_TRUST, Cause.AUDIT, Cause.REJECT_REVIEW, Cause.KNOWN_BAD}
    (like,) = kinds[Cause.LOW_TRUST]
    assert len(like) == 3
    assert all(found == {like} for found in kinds.values())
