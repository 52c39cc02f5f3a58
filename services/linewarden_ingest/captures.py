"""From a shot to a capture and the metadata of its frame; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas import ids
from linewarden_schemas.capture import Capture, ContentType, FrameMetadata
from linewarden_schemas.line import LineState, RecipeRef
from linewarden_schemas.vocabulary import LineMode, Loss

from .cameras.interface import EncodedPicture, Shot, Trigger

_MOST_TEXT = 2000
"""Characters of a text in a message."""
_LONGEST_VISIT = f"{'9' * 16}.{'9' * 10}"
"""The time of a trigger and its number, as long as they ever become, whatever a clock says."""
_LONGEST_NUMBER = f"{'f' * 14}-{'f' * 8}"
"""Spool epoch and sequence, the same."""


@dataclass(frozen=True, slots=True)
class Place:
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


def require_short_ids(place: Place) -> None:
    """Refuse names of which ids would be made that are none, before the first picture is taken.

    Raises:
        ConfigurationError: with the names, and how many characters they have to be shorter by.
    """
    longest = f"{place.line_id}.{place.station_id}.{_LONGEST_VISIT}"
    over = max(len(longest) - ids.MOST_VISIT_ID, len(f"{longest}.{place.view_id}.{_LONGEST_NUMBER}") - ids.MOST_ID)
    if over > 0:
        raise ConfigurationError(
            f"line {place.line_id}, station {place.station_id} and view {place.view_id} are {over} characters too long "
            f"together: ids of visits and pictures are made of them, of which none has more than {ids.MOST_ID}"
        )


def visit_id(place: Place, trigger: Trigger) -> str:
    """The visit that a side channel told; all cameras of the station come to the same id."""
    return ids.visit_id(place.line_id, place.station_id, trigger.trigger_ms, trigger.counter)


def build_capture(
    shot: Shot,
    picture: EncodedPicture | None,
    *,
    loss: Loss | None,
    loss_detail: str | None = None,
    place: Place,
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
        returned=part.returned,
        clock_checked=clock_checked,
        sha256=None if picture is None else ids.digest(picture.data),
        size_bytes=None if picture is None else len(picture.data),
        lost=loss,
        lost_detail=None if loss_detail is None else loss_detail[:_MOST_TEXT],
        doubt=pins.doubt,
        is_simulated=shot.is_simulated,
    )


def without_picture(capture: Capture, loss: Loss) -> Capture:
    """The same capture after its picture was lost; its ids stay."""
    return capture.model_copy(update={"sha256": None, "size_bytes": None, "lost": loss})


def salvaged(raw: bytes, loss: Loss) -> Capture:
    """A capture without its picture, of what this version understands of the JSON of one; the rest of it goes.

    Raises:
        ValueError: where not even its ids and its recipe can be read.
    """
    fields = json.loads(raw)
    if not isinstance(fields, dict):
        raise ValueError("a capture is a JSON object")  # noqa: TRY004 - the data is wrong, not the call
    kept = {name: value for name, value in fields.items() if name not in {"sha256", "size_bytes"}} | {"lost": loss}
    try:
        return Capture.from_json(json.dumps(kept).encode())
    except ValidationError as error:
        refused = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
    standing_in = {"line_state": {"mode": LineMode.SETUP, "since_ms": 0}, "decide_by_ms": kept.get("captured_ms")}
    kept = {name: standing_in.get(name) if name in refused else value for name, value in kept.items()}
    return Capture.from_json(json.dumps({name: value for name, value in kept.items() if value is not None}).encode())


def frame_metadata(capture: Capture, content_type: ContentType) -> FrameMetadata:
    """What the frame record of a capture with a picture says of it.

    Raises:
        pydantic.ValidationError: where the capture has no picture.
    """
    return FrameMetadata(
        frame_id=capture.frame_id,
        visit_id=capture.visit_id,
        view_id=capture.view_id,
        line_id=capture.line_id,
        station_id=capture.station_id,
        camera_id=capture.camera_id,
        recipe=capture.recipe,
        captured_ms=capture.captured_ms,
        decide_by_ms=capture.decide_by_ms,
        sha256=capture.sha256,  # type: ignore[arg-type]  # the model refuses None
        content_type=content_type,
        clock_checked=capture.clock_checked,
        is_simulated=capture.is_simulated,
    )
