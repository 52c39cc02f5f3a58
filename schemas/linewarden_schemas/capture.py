"""What ingest publishes: captures, the last-sequence heartbeat, and the metadata of a frame."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from linewarden_schemas.base import Count, Digest, EpochMs, Id, Message, MessagePart, Text
from linewarden_schemas.line import ChannelSignal, LineStateRef, RecipeRef
from linewarden_schemas.vocabulary import CameraCondition, Loss, PartIdSource

ContentType = Literal["image/jpeg", "image/png"]


class Returned(MessagePart):
    """A part that came back: the visit before, and the authority (e.g. a rework order) that let it."""

    previous_visit_id: Id
    authority: Id | None = None


class Capture(Message):
    """One trigger of one view, without the picture. `lost` says why there is no picture, `lost_detail` in words.

    `bin_slot` is where the part will lie if it is diverted (carrier, tray or bin place), where that is known at the
    trigger. `cavity` is the mould cavity or nest that made it, as the line's control says. `encoder_position` is where
    the line stood then, in counts of its encoder. `clock_checked` says that the node had compared its clock with the
    broker's when it took the picture, and neither was wrong. `doubt` says why the recipe and line state that it pins
    may not be those in force, or what it tells of the part not that part's; its visit diverts. `conditions` say what is
    wrong with its camera, for which it diverts too. `known_bad` marks the picture of a known defect that measures
    people; it is always withheld.
    """

    TYPE: ClassVar[str] = "linewarden.capture.v1"

    visit_id: Id
    frame_id: Id
    view_id: Id
    line_id: Id
    station_id: Id
    camera_id: Id
    spool_epoch: Count
    sequence: Count
    captured_ms: EpochMs
    decide_by_ms: EpochMs
    recipe: RecipeRef
    line_state: LineStateRef
    part_id: Id | None = None
    part_id_source: PartIdSource | None = None
    lot_id: Id | None = None
    product_id: Id | None = None
    cavity: Id | None = None
    encoder_position: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    bin_slot: Id | None = None
    known_bad: bool = False
    returned: Returned | None = None
    sha256: Digest | None = None
    size_bytes: Count | None = None
    lost: Loss | None = None
    lost_detail: Text | None = None
    clock_checked: bool = False
    doubt: Text | None = None
    conditions: tuple[CameraCondition, ...] = ()
    is_simulated: bool = False

    @model_validator(mode="after")
    def _has_a_picture_or_a_loss(self) -> Self:
        if (self.sha256 is None) == (self.lost is None):
            raise ValueError("a capture has either the digest of its picture or the cause of its loss")
        return self


class CameraHeartbeat(Message):
    """The last sequence that a camera gave, so that a lost tail shows. Lies in `captures`, keyed by camera.

    `clock_error_ms` is by how much the node's clock is ahead of the broker's, as measured; negative where it is behind.
    `conditions` are what was wrong with the camera since the heartbeat before. `last_read_ms` is when its last read
    came back, with a picture or without; None before the first. `recipe` and `line_state` are what a capture of now
    would pin: by them the camera acknowledges a changeover. `signal` is the last word of the station's side channel.
    """

    TYPE: ClassVar[str] = "linewarden.camera-heartbeat.v1"

    line_id: Id
    station_id: Id
    camera_id: Id
    spool_epoch: Count
    last_sequence: Annotated[int, Field(ge=-1)]
    at_ms: EpochMs
    lost_by_cause: dict[str, int] = Field(default_factory=dict)
    clock_error_ms: int | None = None
    conditions: tuple[CameraCondition, ...] = ()
    last_read_ms: EpochMs | None = None
    view_id: Id | None = None
    recipe: RecipeRef | None = None
    line_state: LineStateRef | None = None
    signal: ChannelSignal | None = None


class FrameMetadata(MessagePart):
    """What travels in the headers of a frame record; the value is the picture, untouched."""

    frame_id: Id
    visit_id: Id
    view_id: Id
    line_id: Id
    station_id: Id
    camera_id: Id
    recipe: RecipeRef
    captured_ms: EpochMs
    decide_by_ms: EpochMs
    sha256: Digest
    content_type: ContentType
    clock_checked: bool = False
    is_simulated: bool = False
