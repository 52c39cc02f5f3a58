"""Pictures and maps of the visit in hand, to nobody else."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from linewarden_reinspect.station import present
from linewarden_reinspect.station.context import CurrentSession, CurrentStation, StationContext
from linewarden_reinspect.station.errors import NothingHeld
from linewarden_reinspect.station.sessions import Hand, Session
from linewarden_schemas.disposition import SlotFrame
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Evidence
from linewarden_vision.pictures.reading import as_shown

router = APIRouter(prefix="/frames")
PRIVATE = {"Cache-Control": "private, no-store"}
PICTURES = frozenset({"image/jpeg", "image/png"})


@router.get("/{frame_id}/picture")
def picture(frame_id: str, station: CurrentStation, session: CurrentSession) -> Response:
    """The picture as captured, without tags that a browser would turn it by; what is served counts as delivered.

    Raises:
        NothingHeld: where it is not of the visit in hand, is not there, or is not what was captured.
    """
    hand, frame, kept = _held(frame_id, station, session)
    why = present.unusable(frame, kept)
    if why is not None or kept.picture is None or kept.content_type not in PICTURES:
        raise NothingHeld("problem.picture_unshown", why=why or "unknown kind of file")
    sha256 = digest(kept.picture)
    if frame.sha256 not in {None, sha256}:
        raise NothingHeld("problem.picture_other")
    hand.delivered[frame_id] = sha256
    return Response(as_shown(kept.picture), media_type=kept.content_type, headers=PRIVATE)


@router.get("/{frame_id}/{layer}")
def layer(frame_id: str, layer: str, station: CurrentStation, session: CurrentSession) -> Response:
    """A mask or heatmap as PNG, 8 bit grey on the bundle's fixed scale; none before the first answer.

    Also of the visit that was judged last: a page asks for maps with the first answer, and the second may be quicker.
    """
    hand, _, kept = _held(frame_id, station, session, session.last)
    if kept.maps is None or layer not in present.LAYERS or not hand.is_told:
        raise NothingHeld("problem.no_map")
    maps = {
        "mask": kept.maps.mask_png,
        "specific": kept.maps.class_specific_png,
        "agnostic": kept.maps.class_agnostic_png,
    }
    hand.layers.setdefault(frame_id, {})[layer] = digest(maps[layer])
    return Response(maps[layer], media_type="image/png", headers=PRIVATE)


def _held(
    frame_id: str, station: StationContext, session: Session, *more: Hand | None
) -> tuple[Hand, SlotFrame, Evidence]:
    for hand in (session.hand, session.ahead, *more):
        frame = next((one for one in hand.slot.frames if one.frame_id == frame_id), None) if hand else None
        if hand is not None and frame is not None:
            kept = station.evidence.get(frame_id)
            if kept is None:
                raise NothingHeld("problem.picture_not_yet")
            return hand, frame, kept
    raise NothingHeld("problem.picture_of_others")
