"""What the station and the projector need of a queue; Redis and a model in memory stand behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from linewarden_reinspect.queue.types import (
    Change,
    Claim,
    Claimant,
    Ended,
    Lease,
    QueueSummary,
    SlotDump,
    SlotStatus,
    Standing,
    Transition,
)


class Queue(Protocol):
    """Slots in hands. Every call is one atomic step; a wrong or late token changes nothing."""

    def claim(self, claimant: Claimant, token: str, code: str = "") -> Claim:
        """The most urgent slot (earliest due first) that the claimant may take, or the one that a scanner read.

        `code` is a part's id or a bin place; where it names nothing that may be taken, nothing is given.

        Raises:
            NotLive: while the view is rebuilt or lags behind.
        """
        ...

    def renew(self, slot_id: str, token: str) -> Lease:
        """Lengthen a lease, up to the longest hold; a parked slot is told as it is. Raises LeaseLost."""
        ...

    def release(self, slot_id: str, token: str) -> None:
        """Put the slot back as if it had never been taken. Raises LeaseLost."""
        ...

    def skip(self, slot_id: str, token: str) -> SlotStatus:
        """Put it back, for a while not for this actor; too many skips leave it to a lead. Raises LeaseLost."""
        ...

    def park(self, slot_id: str, token: str, decision_id: str) -> None:
        """Keep it from everybody until its close is projected, or for a while. Raises LeaseLost."""
        ...

    def reap(self, limit: int = 100) -> tuple[Ended, ...]:
        """Take back leases and parks that ran out, mark what is overdue, and notice where a line's demand changed."""
        ...

    def learn(self, actor: str, visit_id: str) -> None:
        """From now on this person knows what the machine thinks of the visit; outlives rebuilds."""
        ...

    def knows(self, actor: str, visit_id: str) -> bool:
        """Whether this person was told."""
        ...

    def events(self, most: int = 500) -> tuple[Transition, ...]:
        """The oldest transitions that are not told yet; the same ones again until `told`."""
        ...

    def told(self, event_ids: Sequence[str]) -> None:
        """These events lie in Kafka."""
        ...

    def summary(self, most: int = 50) -> QueueSummary:
        """What waits and who holds what, naming at most `most` slots of each kind."""
        ...

    def revision(self) -> str:
        """A word that differs after any change."""
        ...


class ProjectedQueue(Protocol):
    """The same queue as its projector sees it."""

    def standing(self) -> Standing:
        """The topic id and the next offsets that the view was last moved to."""
        ...

    def apply(self, topic_id: str, changes: Sequence[Change], expected: Mapping[int, int]) -> dict[int, int]:
        """Take in records with their offsets; `expected` are the next offsets as the caller left them.

        Answers the next offsets of the partitions named in `changes`. A record taken in before changes nothing.

        Raises:
            ViewMoved: where the view is not what the caller left; records before the culprit are taken in.
        """
        ...

    def beat(self, topic_id: str, expected: Mapping[int, int], gate_ms: int) -> None:
        """Confirm that the view is whole and current, which opens it for claims for `gate_ms`. Raises ViewMoved."""
        ...

    def wipe(self, topic_id: str, offsets: Mapping[int, int]) -> None:
        """Empty the view, to be filled from these offsets; closed for claims until the next beat."""
        ...

    def dump(self) -> dict[str, SlotDump]:
        """Everything that is kept, by slot id."""
        ...
