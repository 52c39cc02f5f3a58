"""A visit with the picture of a known defect that looks, to reviewers, like the line's newest real ones. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from linewarden_ingest.cameras.interface import EncodedPicture, PartInfo, Shot, Trigger
from linewarden_ingest.captures import CameraPlace, Pins, build_capture
from linewarden_schemas import ids
from linewarden_schemas.capture import Capture


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest real capture of each view of a line, which are imitated, and the serials of those around them."""

    captures: Mapping[str, Capture]
    serials: frozenset[str]

    @property
    def capture(self) -> Capture:
        """The newest of them all."""
        return max(self.captures.values(), key=lambda one: one.captured_ms)


def newest(captures: Iterable[Capture], line_id: str) -> Recent | None:
    """What there is to imitate; None where the line captured nothing."""
    real = [one for one in captures if one.line_id == line_id and not one.known_bad and one.lost is None]
    if not real:
        return None
    serials = frozenset(one.part_id for one in real if one.part_id is not None)
    return Recent({one.view_id: one for one in sorted(real, key=lambda one: one.captured_ms)}, serials)


def imitate(
    pictures: Mapping[str, EncodedPicture],
    recent: Recent,
    pins: Pins,
    at_ms: int,
    run: tuple[int, int],
    serial: str | None,
) -> list[Capture]:
    """One visit, a picture a view, captured at a time (epoch ms) and marked as known-bad, whatever becomes of it.

    Station, cameras, part's kind and the look of its numbers are those of the recent captures; recipe and state are
    those in force. `run` is the spool epoch and the first sequence of this run, which count by view its own pictures,
    so that none of a camera's numbers is missing or taken twice.

    Raises:
        KeyError: for a view of which nothing was captured lately.
    """
    model, (epoch, first) = recent.capture, run
    number = int(model.visit_id.rsplit(".", 1)[-1]) if model.visit_id[-1].isdigit() else first
    part = PartInfo(serial, model.part_id_source, model.lot_id, model.product_id)
    made = []
    for view, picture in pictures.items():
        like = recent.captures[view]
        shot = Shot(
            index=first,
            captured_ms=at_ms,
            picture=picture,
            trigger=Trigger(number, at_ms),
            part=part if serial else PartInfo(lot_id=model.lot_id, product_id=model.product_id),
            is_simulated=model.is_simulated,
        )
        place = CameraPlace(model.line_id, model.station_id, like.camera_id, view)
        capture = build_capture(shot, picture, loss=None, place=place, pins=pins, spool_epoch=epoch, sequence=first)
        # Pages see the frame's id before the first answer: it looks as those of the camera do.
        frame = ids.frame_id(capture.visit_id, view, like.spool_epoch, like.sequence)
        made.append(capture.model_copy(update={"frame_id": frame, "known_bad": True}))
    return made


def serial_like(recent: Recent, used: Collection[str], dice: random.Random) -> str | None:
    """A serial as the line's, of no part that was there lately; None where its parts have none."""
    model = recent.capture.part_id
    if model is None:
        return None
    for _ in range(100):
        # Another last number, of as many digits.
        found = re.sub(r"\d+(?=\D*$)", lambda digits: "".join(dice.choices("0123456789", k=len(digits[0]))), model)
        if found not in recent.serials and found not in used:
            return found
    return None
