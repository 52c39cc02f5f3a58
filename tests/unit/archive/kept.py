"""A small line on the in-memory broker, and an archive of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from linewarden_archive.archive import Archive, writing
from linewarden_archive.archiver import ArchiveLimits, Archiver
from linewarden_archive.findings import ArchiveReport
from linewarden_archive.verify import verify_archive
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from tests.support.frames import frame_record

LINE = Namespace("line1")
TOPICS = ("frames", "captures", "dispositions", "decisions", "chain-heads")
PARTITIONS = 2


class Line:
    """Topics of `line1` in memory, and the folder of its archive."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = ManualClock()
        self.broker = MemoryBroker(self.clock)
        self.limits = ArchiveLimits(records=4)
        with self.broker.admin() as admin:
            provision_topics(admin, LINE, partitions=PARTITIONS)

    def put_frames(self, count: int, first: int = 0) -> None:
        """Frames, each with a picture of its own."""
        for number in range(first, first + count):
            picture = b"\x89PNG" + hashlib.sha256(str(number).encode()).digest() * 40
            self.broker.append(frame_record(LINE, picture, number, partitions=PARTITIONS))

    def put(self, topic: str, message: Message, key: str, at_ms: int = 0) -> None:
        """One message."""
        sent = encode(message, id=key, source="/test", time_ms=at_ms)
        record = OutRecord(LINE.topic(topic), key.encode(), sent.value, sent.headers, partition_of(key, PARTITIONS))
        self.broker.append(record)

    def put_raw(self, topic: str, *values: bytes | None, partition: int = 0) -> None:
        """Records that are none of ours."""
        for value in values:
            self.broker.append(OutRecord(LINE.topic(topic), b"k", value, (("h", b"\x00\xff"),), partition))

    def archive(self, accept_gap: str | None = None) -> Archive:
        """Everything up to now, archived."""
        with writing(self.root) as writer:
            Archiver(self.broker, LINE, writer, TOPICS, self.clock, self.limits, accept_gap=accept_gap).catch_up()
        return Archive(self.root)

    def records(self, topic: str) -> list[InRecord]:
        """What lies in the log, by partition and offset."""
        return sorted(self.broker.records(LINE.topic(topic)), key=lambda one: (one.partition, one.offset))

    def report(self) -> ArchiveReport:
        """What verify says now."""
        return verify_archive(self.root)
