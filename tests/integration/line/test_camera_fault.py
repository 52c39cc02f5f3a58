"""A camera that is not there, by a real ingest: one alarm of the demo's line, and no other."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from linewarden.demo import line
from linewarden.demo.running import RunningLine
from linewarden.demo.servers import servers
from linewarden_domain.alarms import ListedAlarm, current_alarms
from linewarden_runtime.alarm_book import AlarmBook
from linewarden_runtime.processes import free_port
from linewarden_schemas.alarm_vocabulary import AlarmStage
from tests.support.processes import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_camera_that_does_not_answer_is_one_alarm(tmp_path: Path) -> None:
    lost = {
        "kind": "rtsp",
        "camera_id": "cam-top",
        "view_id": "top",
        "url": f"rtsp://127.0.0.1:{free_port()}/none",
    }
    source = replace(line.simulated(line.demo_plan(1), 5, 1.0), cameras=(lost,), views=(("top", "cam-top"),))
    with servers("embedded", tmp_path) as under:
        running = RunningLine(source, under, tmp_path, {})
        running.set_up()
        try:
            for name in ("line", "ingest"):
                running.services[name].start()
            with AlarmBook(running.broker, line.NAMESPACE, 0) as book:
                wait_for(lambda: bool(listed(book)), "an alarm stands", 150)
                (row,) = listed(book)
                assert (row.alarm.alarm_id, row.alarm.stage) == (
                    "line1.camera_lost.cam-top",
                    AlarmStage.UNACKNOWLEDGED,
                )
        finally:
            running.stop()


def listed(book: AlarmBook) -> tuple[ListedAlarm, ...]:
    book.refresh()
    return current_alarms(book.alarms(), time.time_ns() // 1_000_000)
