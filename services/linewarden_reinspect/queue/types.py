"""What goes in and out of the queue. Times are the queue server's, epoch milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from linewarden_schemas.disposition import SlotOpen


class SlotStatus(StrEnum):
    """Where a slot is; it is in exactly one of them."""

    READY = "ready"
    LEASED = "leased"
    PARKED = "parked"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things last, and how often they may happen."""

    lease_ms: int = 180_000
    max_hold_ms: int = 1_800_000
    park_ms: int = 60_000
    skip_ms: int = 600_000
    max_skips: int = 3
    max_expired_leases: int = 5


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for a slot. `lead` opens what only a lead may take; `lines` empty means every line."""

    actor: str
    lead: bool = False
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """A slot in somebody's hands until `until_ms`; `token` is the only proof of it."""

    slot: SlotOpen
    token: str
    until_ms: int
    parked_decision: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A lease or park that ran out, and where the slot went."""

    slot_id: str
    visit_id: str
    actor: str
    was: SlotStatus
    now: SlotStatus


@dataclass(frozen=True, slots=True)
class Claim:
    """Answer to a claim: the lease, or None where nothing may be taken; and what ran out before."""

    lease: Lease | None
    ended: tuple[Ended, ...] = ()


@dataclass(frozen=True, slots=True)
class LineCount:
    """What waits on one line. `oldest_ms` is when its oldest slot was opened."""

    ready: int = 0
    leased: int = 0
    parked: int = 0
    dead: int = 0
    next_due_ms: int = 0
    oldest_ms: int = 0


@dataclass(frozen=True, slots=True)
class NamedSlot:
    """One slot as the queue's page lists it."""

    slot_id: str
    line_id: str
    state: SlotStatus
    due_ms: int
    holder: str
    until_ms: int
    cause: str
    opened_ms: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What waits and who holds what, at `now_ms` of the server; `revision` differs after any change."""

    now_ms: int
    live: bool
    revision: str
    lines: Mapping[str, LineCount]
    slots: tuple[NamedSlot, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotDump:
    """Everything that is kept of a slot and that two equal views agree on."""

    slot_id: str
    status: SlotStatus
    due_ms: int
    slot: SlotOpen
    holder: str
    expired_leases: int
    skips: int


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the topic as the view takes it in; `opened` and `closed` absent: only the offset moves."""

    partition: int
    offset: int
    opened: SlotOpen | None = None
    closed: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a view stands; `topic_id` is None where it was emptied or never filled."""

    topic_id: str | None
    live: bool
    age_ms: int
    offsets: Mapping[int, int] = field(default_factory=dict)
