"""Producers outside transactions, and what all producers share."""

from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.kafka.faults import delivery_failure, translated
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Closing
from linewarden_runtime.records import OutRecord
from linewarden_runtime.sizes import require_fit


class KafkaDelivery:
    """The fate of one record. Its offset is left out: an acknowledgement can carry offset -1."""

    __slots__ = ("_future",)

    def __init__(self, future: Any) -> None:  # noqa: ANN401 - kafka-python's futures are not typed
        self._future = future

    def done(self) -> bool:
        """Whether the fate is known."""
        return bool(self._future.is_done)

    def result(self, timeout_s: float | None = None) -> None:
        """Wait for the acknowledgement; raises DeliveryFailed, also when the time is over."""
        try:
            self._future.get(timeout_s)
        except kafka_errors.KafkaError as error:
            raise delivery_failure(error) from error

    def append_ms(self) -> int | None:
        """The broker's append time (epoch ms); None while undecided, after a failure, or if it keeps the producer's."""
        return stamp_of(self._future) if self._future.succeeded() else None

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        """Call from the producer's thread."""
        self._future.add_callback(lambda _metadata: callback(None))
        self._future.add_errback(lambda error: callback(delivery_failure(error)))


def stamp_of(future: Any) -> int | None:  # noqa: ANN401 - kafka-python's futures are not typed
    """The append time (epoch ms) of a record that was acknowledged; None where the topic keeps the producer's time.

    The record's own metadata fall back on the producer's time without telling.
    """
    stamp: int | None = future._produce_future.value[1]  # noqa: SLF001 - there is no public way to tell them apart
    return None if stamp is None or stamp < 0 else stamp


def send(client: KafkaProducer, record: OutRecord) -> Any:  # noqa: ANN401 - kafka-python's futures are not typed
    """Hand a record to a client of kafka-python; raises DeliveryFailed for what it refuses at once."""
    try:
        return client.send(
            record.topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            partition=record.partition,
        )
    except (kafka_errors.KafkaError, ValueError) as error:
        raise delivery_failure(error) from error


def close(client: KafkaProducer, timeout_s: float) -> None:
    """Close within a bounded time, whatever is pending.

    With records pending `close` raises and leaves its thread alive; then the thread is stopped by force,
    which fails the pending deliveries.
    """
    try:
        client.close(timeout=timeout_s)
    except kafka_errors.KafkaTimeoutError:
        client._sender.force_close()  # noqa: SLF001 - there is no public way to stop it
        client._sender.join(timeout_s)  # noqa: SLF001 - the same
        client._closed = True  # noqa: SLF001 - else its finaliser would try again, and raise


class KafkaPlainProducer(Closing):
    """As `linewarden_runtime.ports.Producer` promises; deliveries never time out by themselves."""

    def __init__(self, settings: KafkaSettings, client: str) -> None:
        self._settings = settings
        with translated():
            self._client = KafkaProducer(**settings.producer() | {"client_id": f"{settings.client_id}-{client}"})

    def send(self, record: OutRecord) -> KafkaDelivery:
        """Hand over a record; raises DeliveryFailed for what the client refuses at once."""
        require_fit(record, self._settings.max_record_bytes)
        return KafkaDelivery(send(self._client, record))

    def flush(self, timeout_s: float) -> None:
        """Wait until every record sent so far is decided."""
        try:
            self._client.flush(timeout_s)
        except kafka_errors.KafkaTimeoutError as error:
            raise BrokerUnavailable(f"records are pending after {timeout_s} s") from error

    def close(self) -> None:
        """Send what is pending, within a bounded time."""
        close(self._client, self._settings.close_timeout_s)
