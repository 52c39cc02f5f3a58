"""What a side channel says of a part, and how the process that reads it tells the cameras' processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from linewarden_ingest.cameras.interface import PartInfo, Trigger
from linewarden_schemas.vocabulary import ChannelWord

SignalKey = tuple[int, int]
"""A trigger by its counter and its time (epoch ms), which name its visit."""


@dataclass(frozen=True, slots=True)
class PartSignal:
    """One trigger with its part's data.

    `trigger_ms` names the visit and is what pictures are joined by in time: when the line came, or what it told.
    `arrived_ms` is always the former. `doubt` says why its part diverts even where it is joined: its counter jumped.
    """

    counter: int
    trigger_ms: int
    arrived_ms: int
    part: PartInfo = field(default_factory=PartInfo)
    doubt: str | None = None

    @property
    def key(self) -> SignalKey:
        """What it is known by between the processes."""
        return self.counter, self.trigger_ms

    @property
    def trigger(self) -> Trigger:
        """The visit that it names, the same for every camera of the station."""
        return Trigger(self.counter, self.trigger_ms)


@dataclass(frozen=True, slots=True)
class ChannelState:
    """Whether the side channel can be read; `away` says why not."""

    away: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """What the side channel says of the line, start or stop, and when its line came (epoch ms)."""

    word: ChannelWord
    at_ms: int


ChannelNews = PartSignal | ChannelState | ChannelOrder
_ADAPTER: TypeAdapter[ChannelNews] = TypeAdapter(ChannelNews)


def to_line(news: ChannelNews) -> bytes:
    """One line of JSON, far shorter than what a pipe takes at once (4096 bytes)."""
    return _ADAPTER.dump_json(news, exclude_none=isinstance(news, PartSignal)) + b"\n"


def to_key(signal: PartSignal) -> bytes:
    """One line that names a trigger."""
    return b"%d %d\n" % signal.key


def keys_in(lines: bytes) -> list[SignalKey]:
    """Read what `to_key` wrote, once or several times."""
    found = (line.split() for line in lines.splitlines())
    return [(int(counter), int(at_ms)) for counter, at_ms in found]


def from_line(line: bytes) -> ChannelNews:
    """Read what `to_line` wrote; raises pydantic.ValidationError where it is something else."""
    return _ADAPTER.validate_json(line)
