"""What is in a partition against what was chained of it: pure. Names the first thing that does not fit.

Heads and records are taken in step, one head at a time, so that memory does not grow with either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from linewarden_audit.notary.anchors import NO_SEAL, Anchor, sealed
from linewarden_audit.notary.chain import Chain, link_of, split_links
from linewarden_audit.notary.signing import is_signed_by
from linewarden_runtime.records import InRecord
from linewarden_schemas.operations import ChainHead


class ChainFault(StrEnum):
    """What is wrong first in a partition, in words."""

    SIGNATURE = "a head that no trusted key signed"
    HEADS = "heads that do not follow from each other"
    CHANGED = "a record that was changed"
    MISSING = "a record that is missing"
    INSERTED = "a record that was put in"
    MOVED = "records that changed places"
    DELETED = "records that are gone before their time"
    UNSEALED = "records that were never sealed"
    ANCHOR = "not what was anchored"


DEFAULT_UNSEALED_MS = 60_000


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """What time allows, as of `now_ms` (epoch ms); nothing is judged where that is None.

    `retention_ms`: how long records are kept at least; None for ever. `unsealed_ms`: how long a record may be without
    a head. `begun_ms`: when the reading began, before which records may be gone; as `now_ms` by default.
    """

    now_ms: int | None = None
    retention_ms: int | None = None
    unsealed_ms: int = DEFAULT_UNSEALED_MS
    begun_ms: int | None = None

    def may_be_gone(self, at_ms: int) -> bool:
        """Whether retention may have taken what was written then."""
        if self.now_ms is None:
            return True
        begun_ms = self.now_ms if self.begun_ms is None else self.begun_ms
        skew_ms = 60_000  # by so much the clock that verifies may be ahead of the broker's
        return self.retention_ms is not None and at_ms + self.retention_ms <= begun_ms + skew_ms

    def may_be_unsealed(self, at_ms: int | None) -> bool:
        """Whether what was written then may still wait for its head."""
        return self.now_ms is None or at_ms is None or at_ms + self.unsealed_ms > self.now_ms


@dataclass(frozen=True, slots=True)
class Found:
    """One committed record as it lies in the log now."""

    offset: int
    key: str
    link: bytes
    at_ms: int | None = None


def found_in(record: InRecord) -> Found:
    """A record as the chain sees it."""
    return Found(record.offset, (record.key or b"").decode(errors="replace"), link_of(record), record.timestamp_ms)


@dataclass(frozen=True, slots=True)
class ChainFinding:
    """The first thing that does not fit: its place in the chain, from 0, and where it lies, if it does."""

    fault: ChainFault
    index: int
    offset: int | None
    key: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """What was verified of one partition.

    ``gone``: chained, and older than what is kept; ``unsealed``: behind the last head.
    """

    topic: str
    partition: int
    heads: int
    chained: int
    gone: int
    verified: int
    unsealed: int
    finding: ChainFinding | None

    @property
    def holds(self) -> bool:
        """Whether nothing was found that does not fit."""
        return self.finding is None

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, for programs."""
        return asdict(self)


class ChainComparison:
    """Records against the links that were chained of them, from place `base` of the chain on.

    Once they differ, the rest of both is only looked through for what belongs there: nothing is kept.
    """

    def __init__(self, found: Iterable[Found], base: int = 0) -> None:
        self._found, self._base = iter(found), base
        self._links = self._seen = self.verified = 0
        self._expected: bytes | None = None
        self._here: Found | None = None
        self._belongs: int | None = None
        self._mistimed: ChainFinding | None = None
        self.first_unsealed: Found | None = None
        """The first record behind the last link; known after `finding`."""

    def chained(self, link: bytes, times: tuple[int, int] | None = None) -> None:
        """Hold the next link against the next record; `times` (epoch ms) are those between which it was written."""
        self._links += 1
        if self._expected is not None:
            if self._here is not None and self._belongs is None and link == self._here.link:
                self._belongs = self._links - 1 - self.verified
            return
        self._here = next(self._found, None)
        self._seen += self._here is not None
        if self._here is not None and self._here.link == link:
            at_ms = self._here.at_ms
            if times is not None and at_ms is not None and not times[0] <= at_ms <= times[1]:
                self._mistimed = self._mistimed or self._of_time(self._here)
            self.verified += 1
        else:
            self._expected = link

    def finding(self) -> ChainFinding | None:
        """The first thing that differs, once all links were given; what lies behind the last link is not judged."""
        moved_to = self._read_on()
        if self._expected is None:
            return self._mistimed
        place, here = self._base + self.verified, self._here
        if here is None:
            left = self._links - self.verified
            return ChainFinding(ChainFault.MISSING, place, None, None, f"the last {left} chained records are missing")
        if moved_to is None and self._belongs is not None:
            what = "a record is" if self._belongs == 1 else f"{self._belongs} records are"
            return ChainFinding(ChainFault.MISSING, place, None, None, f"{what} missing before offset {here.offset}")
        if moved_to is None:
            return ChainFinding(ChainFault.CHANGED, place, here.offset, here.key, "its bytes are not what was chained")
        if self._belongs is None:
            return ChainFinding(ChainFault.INSERTED, place, here.offset, here.key, "nothing like it was chained")
        return ChainFinding(
            ChainFault.MOVED, place, here.offset, here.key, f"what belongs here lies at offset {moved_to}"
        )

    @property
    def unsealed(self) -> int:
        """Records behind the last link; known after `finding`."""
        return max(0, self._seen - self._links)

    def _of_time(self, one: Found) -> ChainFinding:
        detail = "its time is none at which its head says that it was written"
        return ChainFinding(ChainFault.CHANGED, self._base + self.verified, one.offset, one.key, detail)

    def _read_on(self) -> int | None:
        moved_to: int | None = None
        for one in self._found:
            self._seen += 1
            if self._seen == self._links + 1:
                self.first_unsealed = one
            if moved_to is None and one.link == self._expected:
                moved_to = one.offset
        return moved_to


class PartitionCheck:
    """Holds the records of one partition, in offset order from `first_kept` on, against its heads, in their order.

    What was chained of records older than `first_kept` is not compared: retention deletes whole stretches; but it is
    told where it took what it may not have taken yet. `anchors` are of this partition.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        found: Iterable[Found],
        first_kept: int,
        keys: Collection[str],
        bounds: TimeBounds | None = None,
        anchors: Sequence[Anchor] = (),
    ) -> None:
        self._topic, self._partition, self._bounds = topic, partition, bounds or TimeBounds()
        self._anchors = deque(sorted(anchors, key=lambda one: one.length))
        self._seal, self._gone_ms, self._last_ms = NO_SEAL, 0, 0
        self._unmet: ChainFinding | None = None
        self._found, self._first_kept, self._keys = iter(found), first_kept, keys
        self._heads = self._gone = self._end = 0
        self._chain = Chain()
        self._bad: ChainFinding | None = None
        self._comparison: ChainComparison | None = None

    def take(self, head: ChainHead) -> None:
        """Hold the next head against what came before it, and records against its links."""
        self._seal = sealed(self._seal, head)
        if self._bad is None:
            self._bad = self._follow(head)
        self._meet(head)
        self._heads += 1

    def report(self) -> PartitionReport:
        """What was verified, once every head was taken."""
        if self._comparison is None:
            self._comparison = ChainComparison((one for one in self._found if one.offset >= self._end), self._gone)
        finding = self._comparison.finding() or self._bad or self._unmet or self._left_over() or self._out_of_time()
        return PartitionReport(
            topic=self._topic,
            partition=self._partition,
            heads=self._heads,
            chained=self._chain.length,
            gone=self._gone,
            verified=self._comparison.verified,
            unsealed=self._comparison.unsealed,
            finding=finding,
        )

    def sealed(self) -> list[Anchor]:
        """How far the partition is sealed, as an anchor; nothing where there is no head."""
        chain = self._chain
        if not chain.length:
            return []
        return [Anchor(self._topic, self._partition, chain.length, chain.head.hex(), self._seal.hex())]

    def _meet(self, head: ChainHead) -> None:
        """Hold anchors up to this head against it; each stands exactly at a head."""
        while self._anchors and self._anchors[0].length <= head.length:
            anchor = self._anchors.popleft()
            met = anchor.length == head.length and anchor.is_met_by(head.length, head.head, self._seal)
            if not met and self._unmet is None:
                self._unmet = ChainFinding(
                    ChainFault.ANCHOR, anchor.length, None, None, f"{anchor}: the heads tell another chain"
                )

    def _left_over(self) -> ChainFinding | None:
        if not self._anchors:
            return None
        last = self._anchors[-1]
        return ChainFinding(
            ChainFault.ANCHOR, last.length, None, None, f"{last}: the heads end at length {self._chain.length}"
        )

    def _out_of_time(self) -> ChainFinding | None:
        """What is gone although it is to be kept, or has waited too long for a head; known once all is compared."""
        if self._gone and not self._bounds.may_be_gone(self._gone_ms):
            detail = f"{self._gone} records before offset {self._first_kept} are gone, and retention keeps them longer"
            return ChainFinding(ChainFault.DELETED, self._gone - 1, None, None, detail)
        if self._first_kept > self._end and not self._bounds.may_be_gone(self._last_ms):
            detail = f"what lay before offset {self._first_kept} is gone, and no head covers it"
            return ChainFinding(ChainFault.DELETED, self._chain.length, None, None, detail)
        first = None if self._comparison is None else self._comparison.first_unsealed
        if first is not None and not self._bounds.may_be_unsealed(first.at_ms):
            detail = f"no head covers it within {self._bounds.unsealed_ms / 1000:g} s"
            return ChainFinding(ChainFault.UNSEALED, self._chain.length, first.offset, first.key, detail)
        return None

    def _follow(self, head: ChainHead) -> ChainFinding | None:
        """Go on with a head that a trusted key signed and that follows on the one before, or say what is wrong."""
        if not is_signed_by(head, self._keys):
            return self._of_head(ChainFault.SIGNATURE, f"at length {head.length}")
        try:
            links = split_links(head.links)
        except ValueError as error:
            return self._of_head(ChainFault.HEADS, str(error))
        longer = self._chain.extended(links)
        if (longer.length, longer.head.hex()) != (head.length, head.head) or head.next_offset < self._end:
            return self._of_head(ChainFault.HEADS, f"at length {head.length}, does not follow")
        self._chain, self._end = longer, head.next_offset
        self._last_ms = head.signed_ms if head.last_ms is None else head.last_ms
        self._compare(head, links)
        return None

    def _of_head(self, fault: ChainFault, detail: str) -> ChainFinding:
        return ChainFinding(fault, self._heads, None, None, f"head {self._heads}: {detail}")

    def _compare(self, head: ChainHead, links: list[bytes]) -> None:
        if self._comparison is None and head.next_offset <= self._first_kept:
            self._gone, self._gone_ms = head.length, max(self._gone_ms, self._last_ms)
            return
        if self._comparison is None:
            self._comparison, first = self._begin(head, links)
            links = links[first:]
        times = None if head.first_ms is None or head.last_ms is None else (head.first_ms, head.last_ms)
        for link in links:
            self._comparison.chained(link, times)

    def _begin(self, head: ChainHead, links: list[bytes]) -> tuple[ChainComparison, int]:
        """Find the first link of this head whose record is kept still: that of the oldest record there is."""
        early: list[Found] = []
        for one in self._found:
            early.append(one)
            if one.offset >= head.next_offset:
                break
        present = [one.link for one in early if one.offset < head.next_offset]
        first = 0
        if self._first_kept:
            known = bool(present) and present[0] in links
            first = links.index(present[0]) if known else max(0, len(links) - len(present))
        self._gone = head.length - len(links) + first
        if first:
            self._gone_ms = max(self._gone_ms, head.signed_ms if head.first_ms is None else head.first_ms)
        return ChainComparison(chain(early, self._found), self._gone), first
