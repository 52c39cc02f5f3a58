"""Records about the flow itself: dead letters, the gate's reports, closed balances, signed heads."""

from __future__ import annotations

from typing import ClassVar

from linewarden_schemas.base import Actor, Count, Digest, EpochMs, Id, Message, MessagePart, Text
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.vocabulary import Routing


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
    """What a gate did with a visit, as it reports it; the intended is not the actual.

    `actual` is None where it saw no part, or does not know. `epoch` is that of the output's process. `sequence` is that
    of the permission the visit had, absent where it had none or a process before gave it, and `is_simulated` is absent
    where that process alone knew it. `bin_full` is what the sensor of the bin says into which it went.
    """

    TYPE: ClassVar[str] = "linewarden.actuation.v1"

    visit_id: Id
    intended: Routing
    actual: Routing | None = None
    at_ms: EpochMs
    detail: Text | None = None
    output_id: Id | None = None
    epoch: Count | None = None
    sequence: Count | None = None
    is_simulated: bool | None = None
    bin_full: bool | None = None


class OutputState(Message):
    """Who acts for an output to the plant; each process that takes it over raises `epoch`, and then says so again.

    `since_ms` is when this epoch began, as its process knew the time. `has_gate` tells that a gate reports what it did,
    so that silence about a visit with a permission means something.
    """

    TYPE: ClassVar[str] = "linewarden.output-state.v1"

    output_id: Id
    line_id: Id
    kind: Id
    epoch: Count
    since_ms: EpochMs
    has_gate: bool
    instance: Id


class Stretch(MessagePart):
    """Records of one partition that a period closed: from `from_offset` to before `to_offset`.

    What stays open needs its records from `needed_from` on; `to_offset` where it needs none.
    """

    topic: Id
    partition: Count
    from_offset: Count
    to_offset: Count
    needed_from: Count


class CameraMark(MessagePart):
    """The last number of one camera's spool epoch that a period closed."""

    line_id: Id
    station_id: Id
    camera_id: Id
    spool_epoch: Count
    last_sequence: Count


class SetDigests(MessagePart):
    """SHA-256 over the sorted ids that lie in the stretches of a period, a line each.

    `captured` and `inspected` are frames, `routed` visits by their first routing.
    """

    captured: Digest
    inspected: Digest
    routed: Digest


class Balance(Message):
    """A closed period of the conservation audit: counts, and the ids that stay open into the next one.

    `line_id` is the line or cell that the namespace names. A period covers stretches of offsets, which begin where
    those of period `number` - 1 ended, whose record `previous` is the digest of. Of the visits counted, `carried` were
    open at its beginning and `reopened` had been closed before.
    """

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
    number: Count = 0
    carried: Count = 0
    reopened: Count = 0
    stretches: tuple[Stretch, ...] = ()
    cameras: tuple[CameraMark, ...] = ()
    digests: SetDigests | None = None
    closed_by: Actor | None = None
    previous: Digest | None = None
    public_key: Text | None = None
    signature: bytes | None = None


class ChainHead(Message):
    """The signed head of the chain over one partition's committed records.

    `links`: the digests of the records since the head before, 32 bytes each. `head` is SHA-256 of the head before and
    one link, again and again; the first follows on 32 zero bytes. `first_ms` and `last_ms` are the times of the first
    and the last of these records in the log; absent in heads of old writers.
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
    first_ms: EpochMs | None = None
    last_ms: EpochMs | None = None
