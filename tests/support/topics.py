"""Writing to and watching topics in tests, with deadlines instead of sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from linewarden_runtime.books import positions_of
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace

M = TypeVar("M", bound=Message)


def provisioned(broker: Broker, namespace: Namespace, partitions: int) -> None:
    """Make all topics of a namespace."""
    with broker.admin() as admin:
        provision_topics(admin, namespace, partitions)


def publish(broker: Broker, *records: OutRecord) -> None:
    """Write records and wait until all are acknowledged."""
    with broker.producer(client="test") as producer:
        for delivery in [producer.send(record) for record in records]:
            delivery.result(30)


class Watcher(Generic[M]):
    """Collects the messages of one kind from one topic, from its beginning on."""

    def __init__(self, broker: Broker, topic: str, kind: type[M]) -> None:
        self._reader = broker.reader(dict.fromkeys(positions_of(broker, topic), 0))
        self._kind = kind
        self.found: list[M] = []

    def wait_for(self, done: Callable[[list[M]], bool], seconds: float) -> list[M]:
        """Read until a condition on everything found holds; fails after the time."""
        deadline = time.monotonic() + seconds
        while not done(self.found):
            assert time.monotonic() < deadline, f"{len(self.found)} of {self._kind.__name__} after {seconds} s"
            self.poll()
        return self.found

    def poll(self, seconds: float = 0.2) -> list[M]:
        """Read what comes within the time, and give everything found so far."""
        for record in self._reader.poll(seconds):
            message = decode(record.headers, record.value).message if record.value is not None else None
            if isinstance(message, self._kind):
                self.found.append(message)
        return self.found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()


class Until(Stop):
    """Asks a loop to stop once a condition holds; fails after a deadline (of the monotonic clock)."""

    def __init__(self, done: Callable[[], bool], deadline: float) -> None:
        super().__init__()
        self._done, self._deadline = done, deadline

    def is_set(self) -> bool:
        """Look at the condition; loops ask before every turn."""
        assert time.monotonic() < self._deadline, "the condition never held"
        if not super().is_set() and self._done():
            self.set("the condition holds")
        return super().is_set()
