"""Clients of one Kafka cluster, made from one set of settings."""

import logging
from collections.abc import Collection, Mapping, Sequence

from linewarden_runtime.kafka.admin import KafkaAdmin
from linewarden_runtime.kafka.consumer import KafkaGroupConsumer
from linewarden_runtime.kafka.producer import KafkaPlainProducer
from linewarden_runtime.kafka.reader import KafkaReader
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.kafka.transactional import KafkaTransactionalProducer
from linewarden_runtime.ports import Start
from linewarden_runtime.records import Position
from linewarden_runtime.watchdog import Watchdog


def _is_a_fault(record: logging.LogRecord) -> bool:
    """Not where a client is closed while it asks for metadata, which kafka-python calls an error."""
    return not ("Metadata refresh" in str(record.msg) and "Cancelled" in record.getMessage())


logging.getLogger("kafka.cluster").addFilter(_is_a_fault)


class KafkaBroker:
    """Clients of a Kafka-protocol broker, as `linewarden_runtime.ports.Broker` promises."""

    def __init__(self, settings: KafkaSettings, watchdog: Watchdog | None = None) -> None:
        self.settings = settings
        self.append_time = settings.append_time
        self._watchdog = watchdog or Watchdog()

    def consumer(
        self,
        *,
        group: str,
        topics: Sequence[str],
        instance: str | None = None,
        start: Start = Start.EARLIEST,
        max_records: int = 64,
    ) -> KafkaGroupConsumer:
        """Join a group at the first poll."""
        return KafkaGroupConsumer.join(
            self.settings, group=group, topics=topics, instance=instance, start=start, max_records=max_records
        )

    def reader(self, offsets: Mapping[Position, int], *, max_records: int = 256) -> KafkaReader:
        """Read partitions from offsets on."""
        return KafkaReader.at(offsets, self.settings, max_records)

    def producer(self, *, client: str = "producer") -> KafkaPlainProducer:
        """An idempotent producer outside transactions; `client` names it in the broker's logs and metrics."""
        return KafkaPlainProducer(self.settings, client)

    def transactional_producer(
        self, transactional_id: str, writes: Collection[Position] = ()
    ) -> KafkaTransactionalProducer:
        """Not yet initialised producer of one identity."""
        return KafkaTransactionalProducer(transactional_id, writes, self.settings, self._watchdog)

    def admin(self) -> KafkaAdmin:
        """A client for topics and groups, connected; raises BrokerUnavailable."""
        return KafkaAdmin(self.settings)
