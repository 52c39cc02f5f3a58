"""Whether a view can be followed from where it stands, or must be built anew; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from linewarden_reinspect.queue.types import Standing


@dataclass(frozen=True, slots=True)
class Log:
    """A topic as it is: identity, oldest offset kept and end, by partition."""

    topic_id: str
    begins: Mapping[int, int]
    ends: Mapping[int, int]


def why_rebuild(standing: Standing, log: Log, max_age_ms: int) -> str | None:
    """Why a view must be built anew, a word for counting and the log; None where it can be followed from its offsets.

    A view older than `max_age_ms` is built anew: compaction may by now have dropped both a close and its
    tombstone, and a slot would stay open for ever. The first cause that holds is told; the later ones presume that
    the earlier do not.
    """
    if standing.topic_id != log.topic_id:
        return "empty" if standing.topic_id is None else "other_topic"
    offsets = standing.offsets
    if set(offsets) != set(log.ends):
        return "other_partitions"
    if any(offsets[partition] > end for partition, end in log.ends.items()):
        return "beyond_end"
    if any(offsets[partition] < begin for partition, begin in log.begins.items()):
        return "before_begin"
    return "too_old" if standing.age_ms > max_age_ms else None
