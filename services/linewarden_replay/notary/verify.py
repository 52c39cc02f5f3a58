"""What is in a partition against what was chained of it: pure. Names the first thing that does not fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from linewarden_schemas.operations import ChainHead

from .chain import Chain, split_links
from .signing import is_signed_by


class Fault(StrEnum):
    """What is wrong first."""

    SIGNATURE = "a head that no trusted key signed"
    HEADS = "heads that do not follow from each other"
    CHANGED = "a record that was changed"
    MISSING = "a record that is missing"
    INSERTED = "a record that was put in"
    MOVED = "records that changed places"


@dataclass(frozen=True, slots=True)
class Found:
    """One committed record as it lies in the log now."""

    offset: int
    key: str
    link: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that does not fit: its place in the chain, from 0, and where it lies, if it does."""

    fault: Fault
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
    finding: Finding | None

    @property
    def holds(self) -> bool:
        """Whether everything fits."""
        return self.finding is None

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def verify_partition(
    topic: str,
    partition: int,
    heads: Sequence[ChainHead],
    found: Sequence[Found],
    first_kept: int,
    keys: Collection[str],
) -> PartitionReport:
    """Hold the records found, in offset order from ``first_kept`` on, against the heads, in their order.

    Records older than the first head that lies wholly within what is kept are not compared: retention deletes whole
    stretches, and an archive has what they held.
    """
    bad_head = _check_heads(heads, keys)
    good = list(heads) if bad_head is None else list(heads[: bad_head.index])
    links = [link for head in good for link in split_links(head.links)]
    start = next((head for head in (None, *good) if _begins(head) >= first_kept), None if not good else good[-1])
    gone = 0 if start is None else start.length
    present = [one for one in found if one.offset >= _begins(start)]
    finding = first_difference(links[gone:], present, gone)
    if finding is None and bad_head is not None:
        finding = bad_head
    verified = len(links) - gone if finding is None else max(0, finding.index - gone)
    unsealed = max(0, len(present) - (len(links) - gone))
    return PartitionReport(topic, partition, len(heads), len(links), gone, verified, unsealed, finding)


def first_difference(chained: Sequence[bytes], found: Sequence[Found], base: int) -> Finding | None:
    """Name the first place where records differ from what was chained; what lies behind the last link is not judged."""
    for place, link in enumerate(chained):
        if place >= len(found):
            left = len(chained) - place
            return Finding(Fault.MISSING, base + place, None, None, f"the last {left} chained records are missing")
        if found[place].link != link:
            return _named(chained, found, place, base)
    return None


def _named(chained: Sequence[bytes], found: Sequence[Found], place: int, base: int) -> Finding:
    """Tell by where what belongs here lies now, and where what lies here belongs."""
    here, rest = found[place], list(chained[place + 1 :])
    moved_to = next((one for one in found[place + 1 :] if one.link == chained[place]), None)
    belongs = rest.index(here.link) + 1 if here.link in rest else None
    if moved_to is None and belongs is not None:
        what = "a record is" if belongs == 1 else f"{belongs} records are"
        return Finding(Fault.MISSING, base + place, None, None, f"{what} missing before offset {here.offset}")
    if moved_to is None:
        return Finding(Fault.CHANGED, base + place, here.offset, here.key, "its bytes are not what was chained")
    if belongs is None:
        return Finding(Fault.INSERTED, base + place, here.offset, here.key, "nothing like it was chained")
    detail = f"what belongs here lies at offset {moved_to.offset}"
    return Finding(Fault.MOVED, base + place, here.offset, here.key, detail)


def _begins(head: ChainHead | None) -> int:
    """The offset from which a stretch begins that follows this head; None stands for the very beginning."""
    return 0 if head is None else head.next_offset


def _check_heads(heads: Sequence[ChainHead], keys: Collection[str]) -> Finding | None:
    """Check signatures, and that each head follows from the one before; ``index`` of the finding counts heads."""
    chain, offset = Chain(), 0
    for number, head in enumerate(heads):
        if not is_signed_by(head, keys):
            return Finding(Fault.SIGNATURE, number, None, None, f"head {number}, at length {head.length}")
        try:
            chain = chain.extended(split_links(head.links))
        except ValueError as error:
            return Finding(Fault.HEADS, number, None, None, f"head {number}: {error}")
        if (chain.length, chain.head.hex()) != (head.length, head.head) or head.next_offset < offset:
            return Finding(Fault.HEADS, number, None, None, f"head {number}, at length {head.length}, does not follow")
        offset = head.next_offset
    return None
