"""A line's process that keeps alarms alone, on any broker, for stations and pages in tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from linewarden_line.alarms.limits import AlarmLimits
from linewarden_line.bootstrap import alarm_part
from linewarden_line.process import FOLLOWED, RECALLED, LineProcess
from linewarden_line.settings import LineKeeping
from linewarden_runtime.clock import Clock
from linewarden_runtime.events import event_record
from linewarden_runtime.ports import Broker, TopicSpec
from linewarden_schemas.alarm import LineWord
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import CameraCondition


def topics_of_a_line(broker: Broker, namespace: Namespace) -> None:
    """Make the topics that the process needs, where they are missing."""
    with broker.admin() as admin:
        there = admin.topics()
        named = {namespace.topic(name) for name in (*RECALLED, *FOLLOWED)}
        admin.create_topics(TopicSpec(name, 1) for name in named - there)


@contextmanager
def alarm_process(
    broker: Broker, namespace: Namespace, clock: Clock, limits: AlarmLimits | None = None
) -> Iterator[LineProcess]:
    """One that is not started."""
    options = LineKeeping(line_id="line1", alarms=limits or AlarmLimits())
    about = LineWord(line_id="line1", epoch=0, since_ms=0, at_ms=0, instance="here")
    with ExitStack() as stack:
        part = alarm_part(broker, namespace, options, clock, stack)
        yield stack.enter_context(LineProcess(broker, namespace, about, [part], clock, poll_s=0.05))


def keeping(broker: Broker, namespace: Namespace, clock: Clock) -> Callable[[threading.Event], None]:
    """Something to run beside a station: the process, until it is asked to stop."""

    def run(stop: threading.Event) -> None:
        with alarm_process(broker, namespace, clock) as process:
            process.start()
            while not stop.is_set():
                process.step()

    return run


def beat(broker: Broker, namespace: Namespace, clock: Clock, camera: str, *conditions: CameraCondition) -> None:
    """A camera tells how it is."""
    now = clock.now_ms()
    told = CameraHeartbeat(
        line_id="line1",
        station_id="st1",
        camera_id=camera,
        spool_epoch=1,
        last_sequence=7,
        at_ms=now,
        conditions=conditions,
    )
    record = event_record(
        namespace.topic("captures"), camera, told, id=f"{camera}.{now}", source="/test", time_ms=now, partition=0
    )
    with broker.producer(client="test") as producer:
        producer.send(record).result(10)
