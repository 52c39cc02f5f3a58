"""Slips known-bads into a line, written as ingest writes what its cameras saw."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linewarden.commands.context import publish
from linewarden.known_bads.imitation import CAMERA, Recent, imitate, newest, serial_like
from linewarden_history.reading import records_since
from linewarden_ingest.cameras.interface import EncodedPicture
from linewarden_ingest.cameras.pictures import Encoding, Unreadable, from_bytes
from linewarden_ingest.captures import CameraPlace, Pins
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.ticket import Ticket
from linewarden_runtime.books import LineBook, RecipeBook, positions_of, readable
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Broker
from linewarden_schemas.capture import Capture
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import LineMode
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.reading import read_file


@dataclass(slots=True)
class Seeding:
    """Belongs to one thread. `epoch` (epoch ms) is the run's own, of which no other run counts."""

    broker: Broker
    namespace: Namespace
    line_id: str
    clock: Clock
    dice: random.Random
    epoch: int
    added: list[Capture] = field(default_factory=list)

    def add(self, picture: EncodedPicture) -> Capture | None:
        """Write one known-bad, now; None, and nothing written, while the line is not in production.

        Raises:
            ConfigurationError: where nothing was captured lately, or a visit of the recipe has several views.
        """
        now_ms = self.clock.now_ms()
        pins = self._pins(now_ms)
        if pins.line_state.mode is not LineMode.PRODUCTION:
            return None
        recent = self._recent(now_ms)
        serial = serial_like(recent, [one.part_id for one in self.added if one.part_id], self.dice)
        capture = imitate(picture, recent, pins, now_ms, (self.epoch, len(self.added)), serial)
        self._write(capture, picture)
        self.added.append(capture)
        return capture

    def _pins(self, now_ms: int) -> Pins:
        with (
            LineBook(self.broker, self.namespace) as lines,
            RecipeBook(self.broker, self.namespace) as recipes,
        ):
            board = PinBoard(lines, recipes, self.line_id, self.clock)
            recipe = board.recipe(now_ms)
            if recipe is None:
                raise ConfigurationError(
                    f"the recipe of line {self.line_id} was published with more than one content; "
                    "see 'linewarden recipe list'"
                )
            views = [view.view_id for view in recipe.views]
            if len(views) != 1:
                raise ConfigurationError(
                    f"a visit of line {self.line_id} has the views {', '.join(views)}; known-bads are of one picture"
                )
            return board.pins(now_ms)

    def _recent(self, now_ms: int) -> Recent:
        records = records_since(self.broker, self.namespace.topic("captures"), max(0, now_ms - 3_600_000))
        messages = (readable(one) for one in records if one.value is not None)
        found = newest((one for one in messages if isinstance(one, Capture)), self.line_id)
        if found is None:
            raise ConfigurationError(
                f"line {self.line_id} captured nothing in the last hour; among no parts a known-bad stands out"
            )
        return found

    def _write(self, capture: Capture, picture: EncodedPicture) -> None:
        partitions = len(positions_of(self.broker, self.namespace.topic("captures")))
        place = CameraPlace(capture.line_id, capture.station_id, CAMERA, capture.view_id)
        out = Outbound(self.namespace, place, self.epoch, partitions)
        ticket = Ticket(capture, capture.sequence, self.epoch, picture.content_type)
        records = [
            out.capture(capture),
            out.frame(ticket, picture.data),
            out.heartbeat(capture.sequence, {}, capture.captured_ms),
        ]
        publish(self.broker, records, client=CAMERA)


def picture_of(path: Path) -> EncodedPicture:
    """A JPEG or PNG as it is, anything else as PNG. Raises ConfigurationError for what is no picture."""
    try:
        return from_bytes(read_file(path), Encoding())
    except (PictureRefused, Unreadable) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def slip_in(
    seeding: Seeding, pictures: Sequence[EncodedPicture], at_ms: Sequence[int], wait_until: Callable[[int], bool]
) -> list[Capture | None]:
    """Add pictures at their times (epoch ms), until `wait_until` says that it was stopped; what became of each."""
    told: list[Capture | None] = []
    for picture, moment in zip(pictures, at_ms, strict=True):
        if not wait_until(moment):
            break
        told.append(seeding.add(picture))
    return told
