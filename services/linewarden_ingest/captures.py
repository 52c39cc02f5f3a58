"""From a shot to a capture; pure."""

from __future__ import annotations

from dataclasses import dataclass

from linewarden_ingest.cameras.interface import EncodedPicture, Shot, Trigger
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas import ids
from linewarden_schemas.capture import Capture
from linewarden_schemas.line import ChannelSignal, LineState, LineStateRef, RecipeRef
from linewarden_schemas.vocabulary import Loss


@dataclass(frozen=True, slots=True)
class CameraPlace:
    """Where a camera stands, and the view that it takes unless the shot says otherwise."""

    line_id: str
    station_id: str
    camera_id: str
    view_id: str


@dataclass(frozen=True, slots=True)
class Pins:
    """What is in force: recipe, its decide-by budget (ms), and the line's state; `doubt` says why that is not sure."""

    recipe: RecipeRef
    decide_by_ms: int
    line_state: LineState
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """What a camera tells between its pictures: what a capture of now would pin, where that is sure.

    `signal` is the last word of its station's side channel about the line.
    """

    recipe: RecipeRef | None = None
    line_state: LineStateRef | None = None
    signal: ChannelSignal | None = None


def require_short_ids(place: CameraPlace) -> None:
    """Refuse names of which ids would be made that are none, before the first picture is taken.

    Raises:
        ConfigurationError: with the names, and how many characters they have to be shorter by.
    """
    # The time of a trigger and its number, then spool epoch and sequence, as long as they ever become, whatever a
    # clock says.
    visit = f"{place.line_id}.{place.station_id}.{'9' * 16}.{'9' * 10}"
    frame = f"{visit}.{place.view_id}.{'f' * 14}-{'f' * 8}"
    over = max(len(visit) - ids.MOST_VISIT_ID, len(frame) - ids.MOST_ID)
    if over > 0:
        raise ConfigurationError(
            f"line {place.line_id}, station {place.station_id} and view {place.view_id} are {over} characters too long "
            f"together: ids of visits and pictures are made of them, of which none has more than {ids.MOST_ID}"
        )


def visit_id(place: CameraPlace, trigger: Trigger) -> str:
    """The visit that a side channel told; all cameras of the station come to the same id."""
    return ids.visit_id(place.line_id, place.station_id, trigger.trigger_ms, trigger.counter)


def build_capture(
    shot: Shot,
    picture: EncodedPicture | None,
    *,
    loss: Loss | None,
    loss_detail: str | None = None,
    place: CameraPlace,
    pins: Pins,
    spool_epoch: int,
    sequence: int,
    clock_checked: bool = False,
) -> Capture:
    """The capture of a shot; a visit without a trigger is minted from its time and sequence.

    Raises pydantic.ValidationError where there is neither a picture nor the cause of its loss.
    """
    visit, view = visit_id(place, shot.trigger or Trigger(sequence, shot.captured_ms)), shot.view_id or place.view_id
    part, state = shot.part, pins.line_state
    return Capture(
        visit_id=visit,
        frame_id=ids.frame_id(visit, view, spool_epoch, sequence),
        view_id=view,
        line_id=place.line_id,
        station_id=place.station_id,
        camera_id=place.camera_id,
        spool_epoch=spool_epoch,
        sequence=sequence,
        captured_ms=shot.captured_ms,
        decide_by_ms=shot.captured_ms + pins.decide_by_ms,
        recipe=pins.recipe,
        line_state=state.ref(),
        part_id=part.part_id,
        part_id_source=part.part_id_source,
        lot_id=part.lot_id or state.lot_id,
        product_id=part.product_id or state.product_id,
        cavity=part.cavity,
        returned=part.returned,
        encoder_position=part.encoder_position,
        clock_checked=clock_checked,
        sha256=None if picture is None else ids.digest(picture.data),
        size_bytes=None if picture is None else len(picture.data),
        lost=loss,
        lost_detail=None if loss_detail is None else loss_detail[:2000],
        doubt="; ".join(one for one in (pins.doubt, shot.doubt) if one)[:2000] or None,
        conditions=shot.conditions,
        is_simulated=shot.is_simulated,
    )


def without_picture(capture: Capture, loss: Loss) -> Capture:
    """The same capture after its picture was lost; its ids stay."""
    return capture.model_copy(update={"sha256": None, "size_bytes": None, "lost": loss})
