"""The queue of re-inspection under load: many waiting parts, many operators, everything on this machine.

    python -m benchmarks.queue [--parts 100000] [--operators 100] [--seconds 30] [--every 5]

The parts lie in `reinspections` on the embedded broker; the projector fills an empty Valkey from it (rebuild rate:
records a second, every write synced to disk before it is answered). Then operators, as threads of a few processes, each
with a connection of its own over loopback, claim the most urgent part, write a decision to Kafka, wait for its
confirmation and park the slot. Meanwhile a process closes what was decided, as route does, the projector follows, and
a watch reaps and summarises twice a second, as a station does.

    paced   each operator decides every few seconds, spread evenly: what a hall of people does
    full    no operator ever waits: what the machine can do

Claims and decisions are timed at the operator. Nobody gets a part that somebody else got: such are counted, must be 0.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.machine import machine
from benchmarks.queue_parts import LINE, PARTITIONS, Place, part, record
from benchmarks.queue_people import Shift, close_decided, operators
from linewarden_audit.summary import percentile
from linewarden_reinspect.projector.projector import Projector
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker, EmbeddedRedis
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.provision import provision_topics

PROCESSES = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print. Nothing is asserted but that no part was given twice: the figures are the result."""
    options = _arguments(argv)
    print(machine())
    print(f"load               {os.getloadavg()[0]:.1f} before")
    folder = Path(tempfile.mkdtemp(prefix="linewarden-bench-"))
    with EmbeddedBroker(folder / "kafka") as server, EmbeddedRedis(folder / "valkey") as valkey:
        place = Place(server.bootstrap_servers, valkey.url)
        _fill(place, options.parts)
        with (
            redis.Redis.from_url(place.redis_url) as client,
            _following(_rebuilt(place, client), place),
            _closing(place),
        ):
            given = _shift(place, options, options.every, "paced") + _shift(place, options, 0.0, "full")
    shutil.rmtree(folder)
    print(f"load               {os.getloadavg()[0]:.1f} after")
    doubles = len(given) - len(set(given))
    print(f"given twice        {doubles:8d} of {len(given)} parts")
    return int(doubles > 0)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=100_000)
    parser.add_argument("--operators", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two decisions of one operator")
    return parser.parse_args(argv)


def _fill(place: Place, parts: int) -> None:
    broker, clock, dice = place.broker(), SystemClock(), random.Random(7)
    with broker.admin() as admin:
        provision_topics(admin, LINE, PARTITIONS)
    size = 0
    with broker.producer(client="route") as producer:
        for number in range(parts):
            sent = record(part(number, clock.now_ms(), dice), clock.now_ms())
            size += len(sent.value or b"")
            producer.send(sent)
        producer.flush(300.0)
    print(f"parts              {parts:8d} of {size / parts:.0f} bytes each")


def _projector(place: Place, broker: KafkaBroker, client: redis.Redis) -> Projector:
    topic = LINE.topic("reinspections")
    reader = broker.reader(dict.fromkeys(positions_of(broker, topic), 0))
    return Projector(place.queue(client), reader, broker.admin(), topic, SystemClock())


def _rebuilt(place: Place, client: redis.Redis) -> Projector:
    projector = _projector(place, place.broker(), client)
    began = time.perf_counter()
    taken = projector.rebuild()
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    place.queue(client).summary()
    looked_ms = (time.perf_counter() - began) * 1000
    used_mib = client.info("memory")["used_memory"] / (1 << 20)
    print(f"rebuild            {taken / seconds:8.0f} records/s ({taken} in {seconds:.1f} s), then {used_mib:.0f} MiB")
    print(f"summary            {looked_ms:8.1f} ms, everything waiting")
    return projector


@contextmanager
def _following(projector: Projector, place: Place) -> Iterator[None]:
    """The projector and a station's watch, on a thread."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(_follow, projector, place, stop)
        try:
            yield
        finally:
            stop.set()
        done.result()


def _follow(projector: Projector, place: Place, stop: threading.Event) -> None:
    with redis.Redis.from_url(place.redis_url) as client:
        queue, looked = place.queue(client), 0.0
        while not stop.is_set():
            projector.step()
            if time.monotonic() - looked > 0.5:
                looked = time.monotonic()
                queue.reap()
                queue.summary()
                queue.told([event.event_id for event in queue.events()])


@contextmanager
def _closing(place: Place) -> Iterator[None]:
    """A process that closes what was decided."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=close_decided, args=(place, stop))
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join()


def _shift(place: Place, options: argparse.Namespace, every_s: float, name: str) -> list[str]:
    context = multiprocessing.get_context("spawn")
    share = options.operators // PROCESSES
    with context.Pool(PROCESSES) as pool:
        firsts = [number * share for number in range(PROCESSES)]
        work = [(place, name, first, share, options.seconds, every_s) for first in firsts]
        shift = Shift()
        for one in pool.starmap(operators, work):
            shift.add(one)
    rate = len(shift.decisions) / options.seconds
    print(f"{name:6s} {share * PROCESSES} operators, {rate:.1f} decisions/s in {options.seconds:.0f} s")
    print(f"{name:6s} shut out     {shift.shut} claims while the view lagged")
    for what, times in (("claim", shift.claims), ("decision", shift.decisions)):
        ordered = sorted(times)
        p50, p99 = percentile(ordered, 0.5) or 0.0, percentile(ordered, 0.99) or 0.0
        print(f"{name:6s} {what:11s} p50 {p50:8.1f} ms, p99 {p99:8.1f} ms, n {len(ordered)}")
    return shift.slots


if __name__ == "__main__":
    raise SystemExit(main())
