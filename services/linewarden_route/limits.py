"""Bounds of route's loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RouterLimits:
    """Times in seconds, `adopt_horizon_ms` in milliseconds."""

    max_records: int = 500
    """Records of one poll."""
    gather_s: float = 0.02
    """How long further records may join a transaction: the commit interval at low load."""
    idle_poll_s: float = 0.2
    threads: int = 8
    """Transactions that run side by side."""
    failures: int = 8
    """Failures in a row after which the process ends."""
    backoff_s: float = 0.05
    max_backoff_s: float = 2.0
    join_poll_s: float = 5.0
    """A poll while the group is joined waits longer and longer, at most this: the client throws away the answer to
    a join that comes between two polls and joins again, on a busy machine without end."""
    unstable_s: float = 120.0
    """Time without a stable place in the group after which the process ends; two full rebalances fit in."""
    adopt_horizon_ms: int = 86_400_000
    """How far before its owner's last word a restore looks for routings, where the state does not tell from where."""
    mark_s: float = 30.0
    """How often an owner notes where the topics that it writes end, so that its heir need not look further back."""
    known_s: float = 600.0
    """How long the memory of a partition whose transaction failed is kept for its heir in the process; then it is
    read anew, from a log that others may have written and compaction has changed."""
