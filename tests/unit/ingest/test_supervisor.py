"""Processes of cameras: started again when they die, announced, and ended together."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from linewarden_ingest.metrics import CAMERA_RESTARTS
from linewarden_ingest.supervisor import Supervisor
from linewarden_runtime.clock import ManualClock, SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop


def supervisor(program: Callable[[str], str], *cameras: str, health: Health | None = None) -> Supervisor:
    return Supervisor(
        list(cameras),
        lambda camera: [sys.executable, "-S", "-c", program(camera)],
        clock=SystemClock(),
        health=health or Health(),
        environment=os.environ,
        restart_after_s=0.01,
        drain_s=5.0,
    )


def restarts(camera: str) -> float:
    return float(CAMERA_RESTARTS.labels(camera=camera)._value.get())


def test_it_ends_when_every_source_came_to_its_end() -> None:
    supervisor(lambda _camera: "pass", "a1", "a2").run(Stop())
    assert restarts("a1") == restarts("a2") == 0


def test_a_camera_that_is_held_for_its_clock_is_named_with_the_error() -> None:
    health = Health()
    made = supervisor(lambda _camera: "pass", "cam0", "cam1", health=health)
    made._clock_error_s = {"cam0": 3_600.0, "cam1": None}.get
    made.run(Stop())
    told = "this node's clock is 3600.0 s ahead of the broker's; set it (chronyc makestep, timedatectl)"
    assert health.ailments() == {"cam0, held": told}


def test_a_dead_camera_is_counted_and_started_again_until_it_works(tmp_path: Path) -> None:
    program = f"import os, sys; p = {str(tmp_path / 'n')!r}; open(p, 'a').write('x'); sys.exit(os.path.getsize(p) < 3)"
    supervisor(lambda _camera: program, "b1").run(Stop())
    assert restarts("b1") == 2


def test_a_camera_set_up_wrongly_ends_all() -> None:
    wait = "import signal; signal.pause()"
    with pytest.raises(ConfigurationError, match="c1"):
        supervisor(lambda camera: "raise SystemExit(78)" if camera == "c1" else wait, "c1", "c2").run(Stop())


def test_asked_to_stop_it_asks_every_camera_to_drain(tmp_path: Path) -> None:
    program = (
        "import signal, sys; f = open({path!r}, 'w');"
        "signal.signal(signal.SIGTERM, lambda *_: (f.write('drained'), f.close(), sys.exit(0)));"
        "open({path!r} + '.up', 'w').close(); signal.pause()"
    ).format(path=str(tmp_path / "out"))
    stop = Stop()
    thread = threading.Thread(target=supervisor(lambda _camera: program, "d1").run, args=(stop,))
    thread.start()
    up = threading.Event()
    while not (tmp_path / "out.up").exists():
        up.wait(0.02)
    stop.set("test")
    thread.join()
    assert (tmp_path / "out").read_text() == "drained"


def test_the_wait_doubles_up_to_its_bound_and_begins_anew_after_a_steady_life() -> None:
    clock = ManualClock()
    made = Supervisor(
        ["e1"], lambda _: [], clock=clock, health=Health(), environment={}, restart_after_s=1.0, restart_at_most_s=8.0
    )
    [child] = made._children
    for lived_s, about_s in ((0.1, 1), (0.1, 2), (0.1, 4), (0.1, 8), (0.1, 8), (100.0, 1)):
        child.started_at = clock.monotonic()
        clock.advance(lived_s)
        made._ended(child, 1)
        assert 0.75 * about_s <= child.start_at - clock.monotonic() <= 1.25 * about_s


def test_a_camera_under_a_condition_is_named_and_stays_ready() -> None:
    health = Health()
    made = supervisor(lambda _camera: "pass", "cam0", health=health)
    made._conditions = lambda: {"cam0": "camera_dark, camera_frozen"}
    made.run(Stop())
    assert health.ailments() == {"cam0, its visits divert": "camera_dark, camera_frozen"}
    assert not health.waiting()
