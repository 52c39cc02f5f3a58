"""Doctor names the node whose clock is wrong, and by how much, and the camera that is under a condition."""

from __future__ import annotations

from typing import Any, cast

import pytest

from linewarden.commands import doctor
from linewarden.commands.context import Connection
from linewarden.commands.doctor import ClockOffset, node_clocks
from linewarden_route.writing import Writer
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import CameraCondition

NAMESPACE = Namespace("line1")
NOW = 1_700_000_000_000


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker(ManualClock(NOW))
    provision_topics(broker.admin(), NAMESPACE, 2)
    return broker


def beat(
    broker: MemoryBroker,
    camera: str,
    error_ms: int | None,
    at_ms: int = NOW,
    **told: Any,
) -> None:
    message = CameraHeartbeat(
        line_id="line1",
        station_id="st1",
        camera_id=camera,
        spool_epoch=1,
        last_sequence=3,
        at_ms=at_ms,
        clock_error_ms=error_ms,
        **told,
    )
    encoded = encode(message, id=f"{camera}.{error_ms}", source="/test", time_ms=NOW)
    broker.append(OutRecord("line1.captures", camera.encode(), encoded.value, encoded.headers))


def test_each_node_is_told_by_its_newest_word(broker: MemoryBroker) -> None:
    beat(broker, "cam0", 3_600_000)
    beat(broker, "cam0", 12)
    beat(broker, "cam1", None, at_ms=NOW - 172_800_000)
    broker.append(Writer(NAMESPACE, 0).probe("edge-7", -4_900))
    assert node_clocks(broker, NAMESPACE) == [
        ClockOffset("node edge-7 of route", -4_900, NOW),
        ClockOffset("node of camera cam0, line line1", 12, NOW),
        ClockOffset("node of camera cam1, line line1", -172_800_000, NOW),
    ]


def test_doctor_names_the_node_and_its_error(broker: MemoryBroker) -> None:
    beat(broker, "cam0", 3_600_000)
    beat(broker, "cam1", -40)
    found = list(doctor._clocks(Connection(cast("Any", None), NAMESPACE, broker)))
    wrong = [one for one in found if not one.good]
    assert [one.check for one in wrong] == ["node of camera cam0, line line1: clock"]
    assert "3600.0 s ahead of the broker's" in wrong[0].advice
    assert len(found) == 2


def test_doctor_says_that_a_broker_without_append_times_is_no_mode_for_production(broker: MemoryBroker) -> None:
    broker.append_time = False
    (found,) = doctor._clocks(Connection(cast("Any", None), NAMESPACE, broker))
    assert "no mode for production" in found.check


def test_doctor_names_a_camera_by_what_its_last_heartbeat_says(broker: MemoryBroker) -> None:
    frozen = (CameraCondition.FROZEN,)
    beat(broker, "cam0", 0, conditions=frozen)
    beat(broker, "cam0", 0, at_ms=NOW + 5_000, last_read_ms=NOW + 4_900)
    beat(broker, "cam1", 0)
    beat(broker, "cam1", 0, at_ms=NOW + 5_000, conditions=frozen)
    beat(broker, "cam2", 0, last_read_ms=NOW - 20_000)
    well, under, hangs = doctor._conditions(Connection(cast("Any", None), NAMESPACE, broker))
    assert (well.check, well.good, under.good, hangs.good) == ("camera cam0, line line1", True, False, False)
    assert under.advice == "camera_frozen: linewarden camera show cam1"
    assert "not read for 20 s" in hangs.advice
