"""The header of a spooled record: the capture as it was built, and what is needed to send it and to go on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from linewarden_schemas.capture import Capture, ContentType
from linewarden_schemas.vocabulary import LineMode, Loss


@dataclass(frozen=True, slots=True)
class Ticket:
    """`index` is the shot's place in its source, `run_ms` when the run began. Without a picture no content type."""

    capture: Capture
    index: int
    run_ms: int
    content_type: ContentType | None

    def to_bytes(self) -> bytes:
        """One line of text, then the capture's JSON."""
        return f"{self.index} {self.run_ms} {self.content_type or '-'}\n".encode() + self.capture.to_json()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Ticket:
        """Read what `to_bytes` wrote, perhaps by another version.

        Raises:
            ValueError: where it is something else.
        """
        (index, run_ms), content_type, value = _parts(raw)
        known: dict[str, ContentType] = {"image/jpeg": "image/jpeg", "image/png": "image/png"}
        return cls(Capture.from_json(value), index, run_ms, known.get(content_type))

    @classmethod
    def salvaged(cls, raw: bytes, loss: Loss) -> Ticket:
        """What can be used of a ticket that `from_bytes` refuses, as a capture without its picture; the rest goes.

        Raises:
            ValueError: where not even its ids and its recipe can be read.
        """
        place, _, value = _parts(raw)
        fields = json.loads(value)
        if not isinstance(fields, dict):
            raise ValueError("a capture is a JSON object")  # noqa: TRY004 - the data is wrong, not the call
        kept = {name: one for name, one in fields.items() if name not in {"sha256", "size_bytes"}} | {"lost": loss}
        try:
            return cls(Capture.from_json(json.dumps(kept).encode()), *place, None)
        except ValidationError as error:
            refused = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
        standing_in = {"line_state": {"mode": LineMode.SETUP, "since_ms": 0}, "decide_by_ms": kept.get("captured_ms")}
        kept = {name: standing_in.get(name) if name in refused else one for name, one in kept.items()}
        known = json.dumps({name: one for name, one in kept.items() if one is not None})
        return cls(Capture.from_json(known.encode()), *place, None)


def place_of(raw: bytes) -> tuple[int, int]:
    """Index and run of a ticket, whatever its capture is; raises ValueError where it is something else."""
    return _parts(raw)[0]


def _parts(raw: bytes) -> tuple[tuple[int, int], str, bytes]:
    """Index and run, content type, and the capture's JSON. A newer version may have put more words into the line."""
    line, _, value = raw.partition(b"\n")
    index, run_ms, content_type, *_ = line.decode("ascii").split(" ")
    return (int(index), int(run_ms)), content_type, value
