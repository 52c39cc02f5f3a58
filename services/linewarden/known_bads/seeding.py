"""Slips known-bads into a line, written as ingest writes what its cameras saw."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linewarden.commands.context import publish
from linewarden.known_bads.imitation import Recent, imitate, newest, serial_like
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
from linewarden_runtime.records import OutRecord
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
    _visits: int = 0

    def views(self) -> tuple[str, ...]:
        """The views of a visit of the recipe in force. Raises ConfigurationError where none is."""
        return self._pinned(self.clock.now_ms())[1]

    def add(self, pictures: Mapping[str, EncodedPicture]) -> list[Capture]:
        """Write one known-bad, a picture a view, now; nothing, while the line is not in production.

        Raises:
            ConfigurationError: where a view was not captured lately, or the pictures are not of the recipe's views.
        """
        now_ms = self.clock.now_ms()
        pins, views = self._pinned(now_ms)
        if pins.line_state.mode is not LineMode.PRODUCTION:
            return []
        if set(pictures) != set(views):
            raise ConfigurationError(
                f"a visit of line {self.line_id} has the views {', '.join(views)}, and the known-bad "
                f"{', '.join(pictures)}"
            )
        recent = self._recent(now_ms, views)
        serial = serial_like(recent, [one.part_id for one in self.added if one.part_id], self.dice)
        captures = imitate(pictures, recent, pins, now_ms, (self.epoch, self._visits), serial)
        self._write(captures, pictures)
        self.added += captures
        self._visits += 1
        return captures

    def _pinned(self, now_ms: int) -> tuple[Pins, tuple[str, ...]]:
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
            return board.pins(now_ms), tuple(view.view_id for view in recipe.views)

    def _recent(self, now_ms: int, views: Sequence[str]) -> Recent:
        records = records_since(self.broker, self.namespace.topic("captures"), max(0, now_ms - 3_600_000))
        messages = (readable(one) for one in records if one.value is not None)
        found = newest((one for one in messages if isinstance(one, Capture)), self.line_id)
        if found is None or (missing := [view for view in views if view not in found.captures]):
            what = "nothing" if found is None else f"no picture of {', '.join(missing)}"
            raise ConfigurationError(
                f"line {self.line_id} captured {what} in the last hour; among no parts a known-bad stands out"
            )
        return found

    def _write(self, captures: Sequence[Capture], pictures: Mapping[str, EncodedPicture]) -> None:
        partitions = len(positions_of(self.broker, self.namespace.topic("captures")))
        records: list[OutRecord] = []
        for capture in captures:
            place = CameraPlace(capture.line_id, capture.station_id, capture.camera_id, capture.view_id)
            out, picture = Outbound(self.namespace, place, self.epoch, partitions), pictures[capture.view_id]
            ticket = Ticket(capture, capture.sequence, self.epoch, picture.content_type)
            records += [out.capture(capture), out.frame(ticket, picture.data)]
        # No heartbeat: each record is waited for, so no tail is lost, and only a camera says how it is.
        publish(self.broker, records, client="known-bads")


def by_view(names: Sequence[str], views: Sequence[str]) -> dict[str, str]:
    """The picture of each view among those of one part, by the view's word in its path: `left/P17.png`, `P17_left.png`.

    Raises:
        ConfigurationError: where a view has none, or more than one.
    """
    words = {name: set(re.split(r"[\\/._\- ]+", name)) for name in names}
    found = {view: [name for name in names if view in words[name]] for view in views}
    wrong = [view for view, those in found.items() if len(those) != 1]
    if wrong:
        raise ConfigurationError(
            f"{', '.join(names)}: not one picture of the view {', '.join(wrong)}; a part's pictures are one group, "
            f"each with its view as a word of its path, such as P17_{wrong[0]}.png"
        )
    return {view: those[0] for view, those in found.items()}


def picture_of(path: Path) -> EncodedPicture:
    """A JPEG or PNG as it is, anything else as PNG. Raises ConfigurationError for what is no picture."""
    try:
        return from_bytes(read_file(path), Encoding())
    except (PictureRefused, Unreadable) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def slip_in(
    seeding: Seeding,
    parts: Sequence[Mapping[str, EncodedPicture]],
    at_ms: Sequence[int],
    wait_until: Callable[[int], bool],
) -> list[list[Capture]]:
    """Add parts at their times (epoch ms), until `wait_until` says that it was stopped; what was written of each."""
    told: list[list[Capture]] = []
    for pictures, moment in zip(parts, at_ms, strict=True):
        if not wait_until(moment):
            break
        told.append(seeding.add(pictures))
    return told
