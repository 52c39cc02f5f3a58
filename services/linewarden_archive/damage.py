"""Where in a segment's file something was touched, and which of its records that concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from linewarden_audit.notary.verify import ChainComparison, ChainFault, Found, found_in

from .contents import Contents
from .entries import Segment
from .findings import Finding, Wrong
from .segments import salvage_segment

_READABLE = "every record can still be read as it was"


class _Touched(NamedTuple):
    offset: int | None
    told: str


def name_damage(file: str, content: bytes, segment: Segment, contents: Contents | None) -> Finding:
    """Name the bytes by blocks of 4 KiB, and the first record; without its list only that the file was changed."""
    length = len(content)
    wrong = Wrong.CUT if length < segment.size else Wrong.LONGER if length > segment.size else Wrong.CHANGED
    detail = "" if length == segment.size else f"{length} bytes instead of {segment.size}"
    if contents is None:
        return Finding(wrong, file, detail or "its list of contents is of no use, so the place is not known")
    ranges = [(begin, min(end, max(length, segment.size))) for begin, end in contents.damaged(content)]
    first = first_touched(contents, [found_in(one) for one in salvage_segment(content, segment, segment.topic)])
    finding = Finding(wrong, file, detail, tuple(ranges), records=first.told)
    if first.offset is None:
        return finding
    return replace(finding, topic=segment.topic, partition=segment.partition, offset=first.offset)


def first_touched(contents: Contents, found: Sequence[Found]) -> _Touched:
    """The first record that is not as it was, by the offset that it had; None where all of them are."""
    places = list(contents.kept())
    comparison = ChainComparison(found)
    for place in places:
        comparison.chained(contents.links[place])
    finding = comparison.finding()
    if finding is None and comparison.unsealed:
        return _Touched(found[len(places)].offset, ChainFault.INSERTED.value)
    if finding is None:
        return _Touched(None, _READABLE)
    at = places[finding.index]
    was_there = finding.fault is not ChainFault.INSERTED
    offset = contents.offsets[at] if was_there else finding.offset
    told = f"{finding.fault.value} ({contents.keys[at] if was_there else finding.key})"
    lost = len(places) - len(found)
    return _Touched(offset, f"{told}, {lost} in all are missing or not to be read" if lost > 0 else told)
