"""Reading partitions; what a group's member and a reader outside groups have in common."""

from collections.abc import Collection, Mapping
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors

from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, LogTruncated, RetentionOvertook
from linewarden_runtime.kafka.faults import translate, translated
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Closing
from linewarden_runtime.records import InRecord, Position


class KafkaReader(Closing):
    """Partitions from given offsets, outside any group, as `linewarden_runtime.ports.Reader` promises."""

    def __init__(self, client: KafkaConsumer, settings: KafkaSettings) -> None:
        self._client = client
        self._settings = settings
        self._closed = False

    @classmethod
    def at(cls, offsets: Mapping[Position, int], settings: KafkaSettings, max_records: int) -> Self:
        """Open a reader of these partitions at these offsets."""
        with translated():
            client = KafkaConsumer(**settings.reader(), max_poll_records=max_records)
        reader = cls(client, settings)
        # Each is sought before the first poll: without a position the client raises, since it may not choose one
        # itself.
        client.assign([TopicPartition(*position) for position in offsets])
        for position, offset in offsets.items():
            reader.seek(position, offset)
        return reader

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[InRecord]:
        """Next records; a broker that is away for the moment reads as none."""
        self._unpark()
        try:
            polled = self._client.poll(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        except kafka_errors.OffsetOutOfRangeError as error:
            raise self._out_of_range(error) from error
        except kafka_errors.KafkaError as error:
            fault = translate(error)
            # Not raised: a member must go on polling, and whoever reads to an end counts polls without a record.
            if isinstance(fault, BrokerUnavailable):
                return []
            raise (fault or error) from error
        return [_record(record) for records in polled.values() for record in records]

    def _unpark(self) -> None:
        """Let records of partitions that were paused come out again after `resume`.

        The client parks them and takes them back only while no partition is in line, which it tells by None;
        but one that is read to its end stays in line. Parked partitions are not fetched either, so without
        this they would be silent for ever.
        """
        fetcher = self._client._fetcher  # noqa: SLF001 - there is no public way
        current = fetcher._next_partition_records  # noqa: SLF001 - the same
        if current is not None and not current:
            fetcher._next_partition_records = None  # noqa: SLF001 - the same

    def _out_of_range(self, error: kafka_errors.OffsetOutOfRangeError) -> Exception:
        wanted: dict[TopicPartition, int] = error.args[0]
        partition, offset = next(iter(wanted.items()))
        position = Position(*partition)
        # The broker's answer is the same for both ends of the log, and they call for different acts.
        earliest = self.beginning_offsets([position])[position]
        if offset < earliest:
            return RetentionOvertook(position, offset, earliest)
        return LogTruncated(f"{position}: offset {offset} is wanted, which lies beyond the end of the log")

    def assignment(self) -> frozenset[Position]:
        """List the partitions being read."""
        return frozenset(Position(*partition) for partition in self._client.assignment())

    def pause(self, positions: Collection[Position]) -> None:
        """Hand out nothing more of these; what was fetched of them is kept."""
        if positions:
            self._client.pause(*(TopicPartition(*position) for position in positions))

    def resume(self, positions: Collection[Position]) -> None:
        """Hand out again what `pause` held back; partitions that are not paused are no error."""
        if positions:
            self._client.resume(*(TopicPartition(*position) for position in positions))

    def paused(self) -> frozenset[Position]:
        """List the partitions paused now."""
        return frozenset(Position(*partition) for partition in self._client.paused())

    def seek(self, position: Position, offset: int) -> None:
        """Read on from `offset`; raises ConfigurationError for a partition that is not read, or an offset below 0."""
        try:
            self._client.seek(TopicPartition(*position), offset)
        except ValueError as error:
            raise ConfigurationError(f"{position}: {error}") from error

    def position(self, position: Position) -> int:
        """Give the offset to be read next."""
        with translated():
            offset = self._client.position(TopicPartition(*position), timeout_ms=self._timeout_ms)
        if offset is None:
            raise BrokerUnavailable(f"no position of {position} within {self._timeout_ms} ms")
        return int(offset)

    def beginning_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Offset of the oldest record kept."""
        with translated():
            found = self._client.beginning_offsets([TopicPartition(*p) for p in positions], self._timeout_ms)
        return {Position(*partition): int(offset) for partition, offset in found.items()}

    def end_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """The last stable offset of each: what lies beyond belongs to an open transaction, or is not there yet."""
        with translated():
            found = self._client.end_offsets([TopicPartition(*p) for p in positions], self._timeout_ms)
        if self._settings.ends_by_fetch:
            found = self._ends_by_fetch(found)
        return {Position(*partition): int(offset) for partition, offset in found.items()}

    def _ends_by_fetch(self, listed: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The high watermarks that fetches carry, for partitions whose listed end is not 0.

        Tansu lists the first offset of the last batch plus one, which is right for batches of one record only.
        """
        clock = SystemClock()
        ends = dict(listed)
        unknown = {partition for partition, end in listed.items() if end > 0}
        if not unknown:
            return ends
        # Uncommitted: the high watermark is wanted, which an open transaction does not hold back.
        options = self._settings.reader() | {"isolation_level": "read_uncommitted"}
        with translated(), KafkaConsumer(**options, max_poll_records=1) as client:
            client.assign(list(unknown))
            for partition in unknown:
                # One before the listed end, which lies in the log whatever it should have been; fetching beyond it
                # answers nothing.
                client.seek(partition, listed[partition] - 1)
            deadline = clock.monotonic() + self._settings.delivery_timeout_ms / 1000
            while unknown:
                if clock.monotonic() > deadline:
                    raise BrokerUnavailable(f"no end of {sorted(unknown)} in time")
                client.poll(timeout_ms=100)
                for partition in [p for p in unknown if client.highwater(p) is not None]:
                    ends[partition] = client.highwater(partition)
                    unknown.discard(partition)
                    # Known, and not to be fetched again while the others are waited for.
                    client.pause(partition)
        return ends

    def offsets_for_times(self, times_ms: Mapping[Position, int]) -> dict[Position, int | None]:
        """Offset of the first record at or after a time."""
        wanted = {TopicPartition(*position): time for position, time in times_ms.items()}
        with translated():
            found = self._client.offsets_for_times(wanted, self._timeout_ms)
        return {Position(*p): None if hit is None else int(hit.offset) for p, hit in found.items()}

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        with translated():
            found = self._client.partitions_for_topic(topic)
        if not found:
            raise ConfigurationError(f"unknown topic {topic!r}; create it with 'linewarden topics create'")
        return len(found)

    @property
    def _timeout_ms(self) -> int:
        return self._settings.delivery_timeout_ms

    def close(self) -> None:
        """Leave within the settings' bound without committing anything; twice is harmless."""
        if not self._closed:
            self._closed = True
            self._client.close(autocommit=False, timeout_ms=int(self._settings.close_timeout_s * 1000))


def _record(record: Any) -> InRecord:  # noqa: ANN401 - kafka-python's records are not typed
    return InRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple([(name, value or b"") for name, value in record.headers]),
        -1 if record.leader_epoch is None else record.leader_epoch,
    )
