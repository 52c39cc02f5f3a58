"""Ingest under kill -9 and broker outages on Apache Kafka: nothing that was taken is lost, nothing wedges."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.books import positions_of
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Reader
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Loss
from tests.support.ingest_line import Arrived, IngestProcess, write_pictures
from tests.unit.ingest.lines import set_up_line

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(500)]

KILLS = 10
_log = structlog.get_logger(__name__)
OUTAGE_S = 5.0


@pytest.fixture
def server(tmp_path: Path) -> ApacheKafka:
    """A node of this test's own, since it is stopped."""
    return ApacheKafka(tmp_path / "kafka")


def broker_of(server: ApacheKafka) -> KafkaBroker:
    return KafkaBroker(KafkaSettings(bootstrap_servers=server.bootstrap_servers))


def ingest_of(server: ApacheKafka, folder: Path, **more: object) -> IngestProcess:
    given = {"options": {}, **more}
    return IngestProcess(
        "line1",
        server.bootstrap_servers,
        folder / "pictures",
        folder / "spool",
        folder / "log",
        **given,  # type: ignore[arg-type]
    )


def captures_of(broker: KafkaBroker) -> Reader:
    return broker.reader(dict.fromkeys(positions_of(broker, Namespace("line1").topic("captures")), 0))


def wait_for_more(reader: Reader, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until `count` more captures arrived, or the process ended."""
    seen = 0
    while seen < count and process.poll() is None:
        seen += len(reader.poll(0.5))


def test_killed_again_and_again_it_loses_nothing_that_was_taken(server: ApacheKafka, tmp_path: Path) -> None:
    chance = random.Random(11)
    with server:
        broker = broker_of(server)
        set_up_line(broker)
        ingest = ingest_of(server, tmp_path, rate_per_s=150.0)
        digests = write_pictures(ingest.pictures, 3_000, 20_000)
        kills = 0
        with captures_of(broker) as reader:
            for _ in range(KILLS):
                process = ingest.start()
                wait_for_more(reader, chance.randrange(1, 120), process)
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                process.wait()
        assert ingest.start().wait(120) == 0, ingest.log.read_text()[-2000:]
        arrived = Arrived.read(broker, "line1")
    assert kills == KILLS
    arrived.require_whole(kills=kills)
    arrived.require_pictures(digests)
    taken = len(arrived.sequences())
    duplicates = len(arrived.captures) - taken
    _log.info("figures", kills=kills, taken=taken, duplicates=duplicates, torn=len(arrived.torn()))


@pytest.mark.parametrize("end", [ApacheKafka.kill, ApacheKafka.stop], ids=["killed", "stopped"])
def test_a_broker_that_goes_and_comes_back_costs_nothing(
    server: ApacheKafka, tmp_path: Path, end: Callable[[ApacheKafka], None]
) -> None:
    with server:
        broker = broker_of(server)
        set_up_line(broker)
        ingest = ingest_of(server, tmp_path, rate_per_s=100.0)
        digests = write_pictures(ingest.pictures, 2_000, 20_000)
        process = ingest.start()
        with captures_of(broker) as reader:
            wait_for_more(reader, 200, process)
        for _ in range(2):
            end(server)
            threading.Event().wait(OUTAGE_S)
            server.start()
            with captures_of(broker) as reader:
                wait_for_more(reader, 300, process)
        assert process.wait(120) == 0, ingest.log.read_text()[-2000:]
        arrived = Arrived.read(broker, "line1")
    arrived.require_whole()
    assert {one.sha256 for one in arrived.captures} == set(digests)
    assert len(arrived.sequences()) == len(digests)
    assert arrived.heartbeats[-1].last_sequence == len(digests) - 1


def test_with_drop_oldest_an_outage_costs_counted_pictures_and_no_capture(server: ApacheKafka, tmp_path: Path) -> None:
    with server:
        broker = broker_of(server)
        set_up_line(broker)
        options = {
            "LINEWARDEN_INGEST__SPOOL__CAPACITY_BYTES": str(4 << 20),
            "LINEWARDEN_INGEST__SPOOL__SEGMENT_BYTES": str(512 << 10),
            "LINEWARDEN_INGEST__SPOOL__OVERLOAD": "drop-oldest",
            "LINEWARDEN_INGEST__UNACKED_BYTES": str(1 << 20),
        }
        ingest = ingest_of(server, tmp_path, rate_per_s=100.0, options=options)
        digests = write_pictures(ingest.pictures, 1_500, 20_000)
        process = ingest.start()
        with captures_of(broker) as reader:
            wait_for_more(reader, 200, process)
        server.kill()
        threading.Event().wait(OUTAGE_S)
        server.start()
        assert process.wait(120) == 0, ingest.log.read_text()[-2000:]
        arrived = Arrived.read(broker, "line1")
    arrived.require_whole()
    assert len(arrived.sequences()) == len(digests)
    dropped = {one.sequence for one in arrived.captures if one.lost is Loss.DROPPED_OLDEST}
    assert dropped
    assert arrived.heartbeats[-1].lost_by_cause == {"dropped_oldest": len(dropped)}
