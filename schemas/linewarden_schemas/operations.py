"""Records about the flow itself: dead letters, the gate's reports, closed balances, signed heads."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from .base import Digest, EpochMs, Id, Message, Text
from .inspection import SourceRef

Count = Annotated[int, Field(ge=0)]


class DeadLetter(Message):
    """A record that could not be handled, whole up to a cap, so that it can be looked at and sent again."""

    TYPE: ClassVar[str] = "linewarden.dead-letter.v1"

    service: Id
    cause: Id
    detail: Text
    source: SourceRef
    at_ms: EpochMs
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    value: bytes | None = None
    value_bytes: Count = 0
    visit_id: Id | None = None
    frame_id: Id | None = None


class Actuation(Message):
    """What the gate did with a visit, as it reports it; the intended is not the actual."""

    TYPE: ClassVar[str] = "linewarden.actuation.v1"

    visit_id: Id
    intended: Id
    actual: Id
    at_ms: EpochMs
    detail: Text | None = None


class Balance(Message):
    """A closed period of the conservation audit: counts, and the ids that stay open into the next one."""

    TYPE: ClassVar[str] = "linewarden.balance.v1"

    line_id: Id
    from_ms: EpochMs
    to_ms: EpochMs
    visits: Count
    frames: Count
    final: Count
    waiting: Count
    in_flight: Count
    lost: tuple[Id, ...] = ()
    doubled: tuple[Id, ...] = ()
    unknown: tuple[Id, ...] = ()
    open_ids: tuple[Id, ...] = ()
    closed_ms: EpochMs


class ChainHead(Message):
    """The signed head of the chain over one partition's committed records.

    `links`: the digests of the records since the head before, 32 bytes each. `head` is SHA-256 of the head before and
    one link, again and again; the first follows on 32 zero bytes.
    """

    TYPE: ClassVar[str] = "linewarden.chain-head.v1"

    topic: Id
    partition: Count
    next_offset: Count
    length: Count
    head: Digest
    links: bytes = b""
    public_key: Text
    signature: bytes
    signed_ms: EpochMs
