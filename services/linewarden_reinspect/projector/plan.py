"""Whether a view can be followed from where it stands, or must be built anew; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from linewarden_reinspect.queue.types import Standing


@dataclass(frozen=True, slots=True)
class Resume:
    """Read on from these offsets, by partition."""

    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Empty the view and read the topic whole; `cause` is a word for counting and the log."""

    cause: str
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Log:
    """A topic as it is: identity, oldest offset kept and end, by partition."""

    topic_id: str
    begins: Mapping[int, int]
    ends: Mapping[int, int]


def plan(standing: Standing, log: Log, max_age_ms: int) -> Resume | Rebuild:
    """How to bring a view to the end of its topic.

    A view older than `max_age_ms` is built anew: compaction may by now have dropped both a close and its
    tombstone, and a slot would stay open for ever.
    """
    cause = _mismatch(standing, log, max_age_ms)
    if cause is not None:
        return Rebuild(cause, log.begins)
    return Resume({partition: standing.offsets[partition] for partition in log.ends})


def _mismatch(standing: Standing, log: Log, max_age_ms: int) -> str | None:
    """The first reason that holds; the later ones presume that the earlier do not."""
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
