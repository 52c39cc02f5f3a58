"""Every id and every physical name is built here and nowhere else.

All ids of a visit derive from `visit_id`, never from `part_id`: parts come back, and serials may be bound late.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from linewarden_schemas.base import ID_PATTERN

MOST_ID = 128
"""Characters of an id at most."""
MOST_VISIT_ID = MOST_ID - len(".r000.g00000000")
"""Characters of a visit's id, so that ids of its slots are ids."""
_ID = re.compile(ID_PATTERN)
_NAMESPACE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}(\.[a-z0-9][a-z0-9_-]{0,63})?$")
_TRIGGER = re.compile(r"\.(?P<trigger_ms>[0-9]{13,16})\.(?P<counter>[0-9]{6,19})$")
_NUMBER = re.compile(r"\.(?P<epoch>[0-9a-f]{1,16})-(?P<sequence>[0-9a-f]{1,16})$")


class InvalidId(ValueError):
    """An id or namespace that cannot be a Kafka topic part, a Redis key or a file name."""


def check_id(value: str) -> str:
    """Return `value` if it is a valid id.

    Raises:
        InvalidId: with the pattern that it does not match.
    """
    if not _ID.fullmatch(value):
        raise InvalidId(f"{value!r} is not an id ({ID_PATTERN})")
    return value


def visit_id(line_id: str, station_id: str, trigger_ms: int, counter: int) -> str:
    """The id of one passage of a part, minted where the trigger is seen.

    `trigger_ms` is epoch milliseconds; `counter` tells visits of one millisecond and of one trigger source apart.

    Raises:
        InvalidId: also where it is too long for the ids of its slots.
    """
    made = check_id(f"{line_id}.{station_id}.{trigger_ms:013d}.{counter:06d}")
    if len(made) > MOST_VISIT_ID:
        raise InvalidId(f"visit {made} has {len(made)} characters; {MOST_VISIT_ID} are allowed")
    return made


def trigger_in(visit: str) -> tuple[int, int] | None:
    """When its trigger was seen (epoch ms) and the trigger's counter, in the id of a visit; None where it has none."""
    found = _TRIGGER.search(visit)
    return None if found is None else (int(found["trigger_ms"]), int(found["counter"]))


def frame_id(visit: str, view: str, spool_epoch: int, sequence: int) -> str:
    """The id of one picture: the same capture always has the same frame id, also when it is sent twice."""
    return check_id(f"{visit}.{view}.{spool_epoch:x}-{sequence:x}")


def number_in(frame: str) -> tuple[int, int] | None:
    """Spool epoch and sequence in the id of a picture; None where it has none."""
    found = _NUMBER.search(frame)
    return None if found is None else (int(found["epoch"], 16), int(found["sequence"], 16))


def slot_id(visit: str, review_round: int, generation: int) -> str:
    """The id of one request for one person's judgement."""
    return check_id(f"{visit}.r{review_round}.g{generation}")


def visit_of(slot: str) -> str:
    """The visit in the id of a slot; empty where it is none."""
    return slot.rpartition(".r")[0]


def decision_id(slot: str, actor: str, token: str) -> str:
    """The id of one act of one person on one slot: a repeated request carries the same id."""
    digest = hashlib.sha256(f"{slot}\x00{actor}\x00{token}".encode()).hexdigest()
    return f"d-{digest[:32]}"


def escape_id(part_id: str, found_ms: int, defect_class: str) -> str:
    """The id of one report from the field: a repeated report of the same finding carries the same id."""
    digest = hashlib.sha256(f"{part_id}\x00{found_ms}\x00{defect_class}".encode()).hexdigest()
    return f"e-{digest[:32]}"


def recipe_key(recipe_id: str, version: int, digest: str | None = None) -> str:
    """The name of a recipe version; with the digest of its content its key in the `recipes` topic."""
    name = f"{check_id(recipe_id)}@{version}"
    return name if digest is None else f"{name}@{digest}"


def digest(payload: bytes) -> str:
    """SHA-256 in lower-case hexadecimal, as every header and record carries it."""
    return hashlib.sha256(payload).hexdigest()


@dataclass(frozen=True, slots=True)
class Namespace:
    """A line or cell, `replay.<run>` or `shadow.<run>`. Prefix of everything physical.

    Raises:
        InvalidId: where the name is not lower-case words, at most two, joined by a dot.
    """

    name: str

    def __post_init__(self) -> None:
        if not _NAMESPACE.fullmatch(self.name):
            raise InvalidId(f"{self.name!r} is not a namespace; use e.g. 'line1' or 'replay.run1'")

    @property
    def is_isolated(self) -> bool:
        """Whether it belongs to a replay or a shadow, which may never touch a live name."""
        return self.name.startswith(("replay.", "shadow."))

    def topic(self, logical: str) -> str:
        """Physical name of a topic of the catalogue."""
        return f"{self.name}.{logical}"

    def source(self, writer: str) -> str:
        """Source of the events of a writer, as CloudEvents has it."""
        return f"/{self.name}/{writer}"

    def group(self, service: str) -> str:
        """Consumer group of a service."""
        return f"{self.name}.{service}"

    def transactional_id(self, member: str) -> str:
        """Transactional id of a producer, e.g. of `route-3` for partition 3."""
        return f"{self.name}.{member}"

    def redis_prefix(self, name: str = "rq") -> str:
        """Redis key prefix with a hash tag, so that all keys of a queue lie in one slot of a cluster."""
        return f"{{{self.name}.{name}}}"

    def logical(self, topic: str) -> str:
        """The logical name of a physical topic.

        Raises:
            InvalidId: where the topic belongs to another namespace.
        """
        prefix = f"{self.name}."
        if not topic.startswith(prefix):
            raise InvalidId(f"topic {topic!r} is not in namespace {self.name!r}")
        return topic.removeprefix(prefix)
