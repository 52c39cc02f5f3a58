"""What the two processes tell each other, over a pipe that nobody else holds."""

from __future__ import annotations

from typing import NamedTuple

from linewarden_runtime.records import Headers

MOST_UNREAD = 64
"""Records told and not taken over yet; so few that telling one never blocks on a full pipe."""


class Told(NamedTuple):
    """A record to send; its value lies in the ring. `size` None is a tombstone."""

    number: int
    topic: str
    partition: int | None
    key: bytes | None
    headers: Headers
    offset: int
    size: int | None


class Refusal(NamedTuple):
    """The fate of a record that was not delivered."""

    number: int
    is_too_large: bool
    text: str


class Opening(NamedTuple):
    """Whether the client could be made; `fault` names the runtime's class of what was in the way."""

    fault: str | None = None
    text: str = ""


class Report(NamedTuple):
    """How many records were taken over since the last report, which were delivered, and their append times (ms)."""

    read: int
    delivered: list[tuple[int, int | None]]
    refused: list[Refusal]
