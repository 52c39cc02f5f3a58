"""Follows the topics of the demo from outside any group, and counts."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace

from .figures import Figures

FOLLOWED = ("captures", "inspections", "dispositions", "reinspections", "dead-letters")


class Follower:
    """Feeds `figures` with what was published since the last call; belongs to one thread."""

    def __init__(self, broker: Broker, namespace: Namespace, figures: Figures) -> None:
        with broker.admin() as admin:
            positions = [
                Position(topic, number)
                for topic in map(namespace.topic, FOLLOWED)
                for number in range(admin.describe(topic).partitions)
            ]
        self._reader: Reader = broker.reader(dict.fromkeys(positions, 0), max_records=500)
        for position, offset in self._reader.beginning_offsets(positions).items():
            self._reader.seek(position, offset)
        self._figures = figures

    def follow(self, timeout_s: float) -> int:
        """Count what arrives within the time; how many records that were."""
        records = self._reader.poll(timeout_s)
        for record in records:
            self._learn(record)
        return len(records)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def _learn(self, record: InRecord) -> None:
        if record.value is None:
            return  # a tombstone says only that something is forgotten
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError:
            self._figures.unreadable += 1
            return
        self._figures.learn(message)
