"""How much a spool holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of the whole spool, of one segment, how much may wait for its fsync, and in memory for the reader."""

    capacity_bytes: int = 2 << 30
    segment_bytes: int = 64 << 20
    unsynced_bytes: int = 32 << 20
    window_bytes: int = 32 << 20
