"""Clients that are open before the clock runs, and tell when the first picture came and the last answer."""

from __future__ import annotations

import time

from kafka import KafkaProducer

from linewarden_ingest.captures import Pins
from linewarden_ingest.pins import PinBoard
from linewarden_runtime.kafka.apart.producer import ApartDelivery, ApartProducer
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.records import OutRecord

_TOPICS = ("line1.frames", "line1.captures")


def warm(producer: KafkaProducer, partitions: int) -> None:
    """Have the client know the topics, hold its connection and its identity: one small record to each partition."""
    for topic in _TOPICS:
        for partition in range(partitions):
            producer.send(topic, value=b"warm", partition=partition)
    producer.flush()


class TimedBoard(PinBoard):
    """Notes when the first picture is pinned, right after it was read."""

    began = 0.0

    def pins(self, at_ms: int) -> Pins:
        """What is in force."""
        self.began = self.began or time.perf_counter()
        return super().pins(at_ms)


class TimedProducer(ApartProducer):
    """Opens and warms its client at once, and notes when the last record of a picture is acknowledged."""

    last_ack = 0.0

    def __init__(self, settings: KafkaSettings, partitions: int) -> None:
        super().__init__(settings, "bench")
        for topic in _TOPICS:
            for partition in range(partitions):
                super().send(OutRecord(topic, None, b"warm", (), partition))
        self.flush(10.0)

    def send(self, record: OutRecord) -> ApartDelivery:
        """As every producer, with a note."""
        delivery = super().send(record)
        if record.key is not None and b"." in record.key:  # a visit's id has dots; heartbeats do not count
            delivery.add_done_callback(self._note)
        return delivery

    def _note(self, _failure: Exception | None) -> None:
        self.last_ack = time.perf_counter()
