"""Builds the parts of ingest; the only place that makes clients."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from linewarden_ingest.cameras.options import CameraOptions
from linewarden_ingest.metrics import (
    CAMERA_RESTARTS,
    CAMERA_UP,
    TRIGGER_LINES,
    TRIGGER_LINES_REFUSED,
    TRIGGER_SOURCE_UP,
    TRIGGERS_DROPPED,
)
from linewarden_ingest.settings import IngestOptions, IngestSettings, with_cameras
from linewarden_ingest.supervisor import Supervisor
from linewarden_ingest.triggers.desk import CounterMemory, TriggerDesk, follow
from linewarden_ingest.triggers.feed import TriggerFeed
from linewarden_ingest.triggers.signal import ChannelNews, PartSignal, to_key
from linewarden_runtime import logs
from linewarden_runtime.background import Background
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.lifecycle import Stop, run_service, stop_on_signals
from linewarden_runtime.ports import Broker, Producer
from linewarden_runtime.topic_settings import verify_topics
from linewarden_schemas.ids import Namespace

UNREAD_S = 5.0
"""After which a camera's process that reads no more is told, also where it cannot tell by itself."""
_HELD = 3
"""The spool's level at which its camera is held."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run all cameras, each in a process of its own, or with `--camera` that one here; the exit code."""
    parser = argparse.ArgumentParser(prog="linewarden run ingest", description="Cameras to captures and frames.")
    parser.add_argument("--camera", help="run this one camera in this process")
    parser.add_argument("--start-ms", type=int, help="when shot 0 is due, epoch ms; the same for all cameras")
    parser.add_argument("--supervised", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args(argv)
    stop = Stop()
    stop_on_signals(stop)
    logs.configure("ingest")
    return run_service("ingest", lambda asked: _run(arguments, asked), stop)


def _run(arguments: argparse.Namespace, stop: Stop) -> None:
    settings = IngestSettings.load()
    logs.configure("ingest", level=settings.log_level)
    options = with_cameras(settings.ingest)
    feed = TriggerFeed(_tell_parent if arguments.supervised else lambda _signal: None)
    if arguments.supervised:
        threading.Thread(target=_follow_parent, args=(feed, stop), name="parent", daemon=True).start()
    if arguments.camera is None:
        _supervise(settings, options, stop)
    elif arguments.supervised:
        _work(settings, options, arguments.camera, arguments.start_ms, stop, feed)
    else:
        with _side_channel(options, SystemClock(), feed.tell, stop, f"triggers-{arguments.camera}"):
            _work(settings, options, arguments.camera, arguments.start_ms, stop, feed)


@contextmanager
def _side_channel(
    options: IngestOptions, clock: Clock, hand: Callable[[ChannelNews], None], stop: Stop, reader: str
) -> Iterator[None]:
    """Read the station's side channel, where it has one, on a thread of its own; `reader` names who reads it."""
    source = options.trigger
    if source is None:
        yield
        return
    memory = CounterMemory(options.spool.folder / f"{reader}.counter")
    desk = TriggerDesk(source.kind, source.format, clock, hand, memory)
    desk.away("it was not reached yet")
    with closing(memory), Background("trigger", lambda until: follow(source, desk, clock, until), stop):
        yield


def _supervise(settings: IngestSettings, options: IngestOptions, stop: Stop) -> None:
    clock = SystemClock()
    for camera in options.cameras:
        camera.prepare(stop.is_set)
    start_ms = clock.now_ms() + round(options.start_in_s * 1000)
    health = Health(clock)
    this, run = [sys.executable, "-m", "linewarden_ingest"], ["--start-ms", str(start_ms), "--supervised"]
    # Metrics are mapped into memory; on a disk that is full that would kill the process with a signal.
    memory = "/dev/shm"  # noqa: S108 - a folder of a name of its own is made in it
    memory_or_disk = memory if os.access(memory, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="linewarden-ingest-", dir=memory_or_disk) as folder:
        # The cameras' metrics summed over their processes, with the supervisor's own.
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        own_metrics = (
            CAMERA_RESTARTS,
            CAMERA_UP,
            TRIGGER_LINES,
            TRIGGER_LINES_REFUSED,
            TRIGGERS_DROPPED,
            TRIGGER_SOURCE_UP,
        )
        for own in own_metrics:
            registry.register(own)
        supervisor = Supervisor(
            [camera.camera_id for camera in options.cameras],
            lambda camera_id: [*this, "--camera", camera_id, *run],
            clock=clock,
            health=health,
            environment=os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder},
            on_death=lambda pid: mark_process_dead(pid, folder),  # type: ignore[no-untyped-call]
            restart_after_s=options.restart_after_s,
            restart_at_most_s=options.restart_at_most_s,
            drain_s=options.drain_s,
            clock_error_s=lambda camera_id: clock_error_s(registry, camera_id),
            conditions=lambda: conditions(registry, clock.now_ms() / 1000),
        )
        with (
            HealthServer(health, settings.health_port, settings.health_host, registry=registry),
            _side_channel(options, clock, supervisor.tell, stop, "triggers"),
        ):
            supervisor.run(stop)


def clock_error_s(registry: CollectorRegistry, camera_id: str) -> float | None:
    """By how much a camera's node is ahead of the broker, as its process measures it, where the line is held for it."""
    if not registry.get_sample_value("linewarden_ingest_clock_held", {"camera": camera_id}):
        return None
    return registry.get_sample_value("linewarden_clock_error_seconds", {"process": camera_id})


def conditions(registry: CollectorRegistry, now_s: float) -> dict[str, str]:
    """What is wrong with each camera by its own process, in words, and that its process stands still.

    `now_s` is seconds since 1970. Nothing is read while the spool holds the line, which is told elsewhere.
    """
    found: dict[str, list[str]] = {}
    for metric in registry.collect():
        for sample in metric.samples:
            camera_id = sample.labels.get("camera", "")
            if metric.name == "linewarden_ingest_camera_condition" and sample.value:
                found.setdefault(camera_id, []).append(sample.labels["condition"])
            elif metric.name == "linewarden_ingest_camera_last_read_seconds":
                silent_s = now_s - sample.value
                held = registry.get_sample_value("linewarden_ingest_spool_level", {"camera": camera_id})
                if silent_s > UNREAD_S and held != _HELD:
                    found.setdefault(camera_id, []).append(f"not read for {silent_s:.0f} s")
    return {camera_id: ", ".join(sorted(names)) for camera_id, names in found.items()}


def _work(
    settings: IngestSettings,
    options: IngestOptions,
    camera_id: str,
    start_ms: int | None,
    stop: Stop,
    feed: TriggerFeed,
) -> None:
    # Only here, so that the supervisor stays small and starts its cameras at once.
    from linewarden_ingest.pins import PinBoard  # noqa: PLC0415
    from linewarden_ingest.worker import Worker  # noqa: PLC0415
    from linewarden_runtime.books import LineBook, RecipeBook  # noqa: PLC0415
    from linewarden_runtime.kafka.broker import KafkaBroker  # noqa: PLC0415

    clock = SystemClock()
    broker: Broker = KafkaBroker(settings.kafka)
    cameras = {one.camera_id: one for one in options.cameras}
    if (camera := cameras.get(camera_id)) is None:
        raise ConfigurationError(f"no camera {camera_id!r}; known are {', '.join(cameras)}")
    namespace = Namespace(settings.namespace)
    if namespace.is_isolated:
        raise ConfigurationError(f"namespace {namespace.name} belongs to a replay or shadow; ingest only writes live")
    recipes = RecipeBook(broker, namespace, by_digest=settings.recipes_by_digest)
    board = PinBoard(LineBook(broker, namespace), recipes, options.line_id, clock, max_age_s=options.pins_max_age_s)
    try:
        worker = Worker(
            options,
            camera,
            _new_producer(settings, broker, camera),
            namespace,
            partitions=_partitions(broker, namespace),
            board=board,
            clock=clock,
            feed=feed,
        )
        worker.run(stop, clock.now_ms() if start_ms is None else start_ms)
    finally:
        board.close()


def _new_producer(settings: IngestSettings, broker: Broker, camera: CameraOptions) -> Callable[[], Producer]:
    """How to make a producer: in a process of its own, unless the settings or else the camera say otherwise."""
    from linewarden_runtime.kafka.apart.producer import ApartProducer  # noqa: PLC0415 - as above

    client, apart = f"ingest-{camera.camera_id}", settings.ingest.sends_apart
    if camera.sends_apart if apart is None else apart:
        return lambda: ApartProducer(settings.kafka, client)
    return lambda: broker.producer(client=client)


def _partitions(broker: Broker, namespace: Namespace) -> int:
    """The count that captures and frames share.

    Raises:
        ConfigurationError: where they differ or are missing.
    """
    verify_topics(broker, namespace, ("captures", "frames"))
    with broker.admin() as admin:
        captures, frames = (admin.describe(namespace.topic(name)).partitions for name in ("captures", "frames"))
    if captures != frames:
        raise ConfigurationError(
            f"captures has {captures} partitions and frames {frames}; they must be equal; see 'linewarden topics list'"
        )
    return captures


def _tell_parent(signal: PartSignal) -> None:
    """Tell the supervisor that this trigger's capture is on the disk; what it does not hear it tells again."""
    with suppress(OSError), socket.socket(fileno=os.dup(0)) as parent:
        parent.send(to_key(signal), socket.MSG_DONTWAIT)


def _follow_parent(feed: TriggerFeed, stop: Stop) -> None:
    """Take what the supervisor tells of the side channel, until it is gone."""
    # Not through sys.stdin: its lock, held by a daemon thread, makes the interpreter abort when it ends.
    rest = b""
    try:
        with suppress(ConnectionResetError):  # it died with something unread
            while told := os.read(0, 1 << 16):
                *lines, rest = (rest + told).split(b"\n")
                for line in lines:
                    feed.line(line)
    finally:
        stop.set("the supervisor is gone")
