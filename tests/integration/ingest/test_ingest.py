"""Ingest as processes on the embedded broker."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from linewarden_runtime.books import positions_of
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from tests.support.ingest_line import Arrived, IngestProcess, write_pictures
from tests.unit.ingest.lines import set_up_line


@pytest.fixture
def ingest(tmp_path: Path, tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str) -> IngestProcess:
    set_up_line(tansu_broker, Namespace(namespace))
    return IngestProcess(
        namespace, tansu.bootstrap_servers, tmp_path / "pictures", tmp_path / "spool", tmp_path / "log"
    )


def test_every_picture_of_a_folder_arrives_untouched_and_ingest_ends_by_itself(
    ingest: IngestProcess, tansu_broker: KafkaBroker, namespace: str
) -> None:
    digests = write_pictures(ingest.pictures, 40, 20_000)
    assert ingest.start(supervised=True).wait(60) == 0, ingest.log.read_text()
    arrived = Arrived.read(tansu_broker, namespace)
    arrived.require_whole()
    assert [one.sha256 for one in sorted(arrived.captures, key=lambda one: one.sequence)] == digests
    assert arrived.heartbeats[-1].last_sequence == 39


def test_a_process_killed_in_the_middle_loses_nothing_untold(
    ingest: IngestProcess, tansu_broker: KafkaBroker, namespace: str
) -> None:
    digests = write_pictures(ingest.pictures, 400, 30_000)
    killed = ingest.start()
    positions = positions_of(tansu_broker, Namespace(namespace).topic("captures"))
    with tansu_broker.reader(dict.fromkeys(positions, 0)) as reader:
        seen = 0
        while seen < 20 and killed.poll() is None:
            seen += len(reader.poll(0.5))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert ingest.start().wait(60) == 0, ingest.log.read_text()
    arrived = Arrived.read(tansu_broker, namespace)
    arrived.require_whole(kills=1)
    arrived.require_pictures(digests)
    assert arrived.heartbeats[-1].last_sequence == arrived.sequences()[-1]


def test_asked_to_stop_it_publishes_what_it_took_and_goes_on_later(
    ingest: IngestProcess, tansu_broker: KafkaBroker, namespace: str
) -> None:
    write_pictures(ingest.pictures, 200, 5_000)
    slow = IngestProcess(**(vars(ingest) | {"rate_per_s": 5.0}))
    process = slow.start()
    positions = positions_of(tansu_broker, Namespace(namespace).topic("captures"))
    with tansu_broker.reader(dict.fromkeys(positions, 0)) as reader:
        while not reader.poll(0.5) and process.poll() is None:
            pass
    process.terminate()
    assert process.wait(30) == 0
    first = Arrived.read(tansu_broker, namespace)
    first.require_whole()
    assert first.heartbeats[-1].last_sequence == first.sequences()[-1] < 199
    assert ingest.start().wait(60) == 0
    arrived = Arrived.read(tansu_broker, namespace)
    arrived.require_whole()
    assert len(arrived.sequences()) == len(arrived.captures) == 200


def test_without_an_active_recipe_the_line_is_refused_with_the_command_that_mends_it(
    ingest: IngestProcess, namespace: str
) -> None:
    write_pictures(ingest.pictures, 1, 100)
    refused = IngestProcess(**(vars(ingest) | {"options": {"LINEWARDEN_INGEST__LINE_ID": "line9"}}))
    assert refused.start(supervised=True).wait(60) == 78
    assert "linewarden line activate" in refused.log.read_text()


def test_the_cameras_of_a_station_come_to_the_same_visit_by_one_side_channel(
    ingest: IngestProcess, tansu_broker: KafkaBroker, namespace: str
) -> None:
    write_pictures(ingest.pictures, 1, 5_000)
    join = {"by": "time", "earliest_ms": -60_000, "latest_ms": 60_000}
    cameras = [
        {"kind": "folder", "camera_id": f"cam{n}", "view_id": f"view{n}", "path": str(ingest.pictures), "join": join}
        for n in range(2)
    ]
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        trigger = {"kind": "tcp", "address": f"127.0.0.1:{server.getsockname()[1]}", "format": {"form": "pairs"}}
        ingest.options.update(
            {
                "LINEWARDEN_INGEST__CAMERAS": json.dumps(cameras),
                "LINEWARDEN_INGEST__TRIGGER": json.dumps(trigger),
                "LINEWARDEN_INGEST__START_IN_S": "3",
            }
        )
        process = ingest.start(supervised=True)
        device, _ = server.accept()
        device.sendall(b"counter=7 serial=SN-1 encoder=-40\n")
        assert process.wait(60) == 0, ingest.log.read_text()
        device.close()
    captures = Arrived.read(tansu_broker, namespace).captures
    assert {one.camera_id for one in captures} == {"cam0", "cam1"}
    assert {(one.part_id, one.encoder_position, one.doubt, one.lost) for one in captures} == {("SN-1", -40, None, None)}
    assert len({one.visit_id for one in captures}) == 1
    assert captures[0].visit_id.endswith(".000007")
