"""The only way for a replay to write: into an isolated namespace, or not at all."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from linewarden_runtime.ports import Delivery, Producer
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import InvalidId, Namespace

from .errors import LiveTopicRefused


class IsolatedProducer:
    """A producer that sends to the topics of one `replay.*` or `shadow.*` namespace alone.

    Raises:
        LiveTopicRefused: for any other namespace, when made, and for any other topic, before anything is sent.
    """

    def __init__(self, producer: Producer, namespace: Namespace) -> None:
        if not namespace.is_isolated:
            raise LiveTopicRefused(f"{namespace.name!r} is a live namespace; a simulation writes to replay.<run> alone")
        self._producer, self._namespace = producer, namespace

    def send(self, record: OutRecord) -> Delivery:
        """Send a record of the own namespace."""
        try:
            self._namespace.logical(record.topic)
        except InvalidId as error:
            raise LiveTopicRefused(str(error)) from error
        return self._producer.send(record)

    def flush(self, timeout_s: float) -> None:
        """Flush the producer."""
        self._producer.flush(timeout_s)

    def close(self) -> None:
        """Close the producer."""
        self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
