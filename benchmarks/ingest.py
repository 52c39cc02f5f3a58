"""Ingest against a raw producer of kafka-python: the same records to the same broker, turn by turn.

    python -m benchmarks.ingest [--broker apache|embedded] [--sizes-kib 50 200 500] [--megabytes 150] [--rounds 3]

All three read the same pictures from a folder and send, for each, the same frame and the same capture: same values,
keys, headers, partitions, acks, idempotence, batches and linger, no compression. Clients are open and warm. Time runs
from the first picture to the last acknowledgement.

    raw      sends. The records' headers and the captures are made beforehand.
    written  writes each picture to a file and fsyncs it, then sends: the plain way to keep what ingest keeps.
    ingest   hashes each picture, builds and checks its capture and its headers, fsyncs both to the spool (several at a
             time), and sends. That durable write is ingest's own duty and counts in its time.

Prints frames/s, MB/s, and the ratio of the medians of ingest and raw.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import structlog
from kafka import KafkaProducer

from benchmarks.machine import machine
from benchmarks.timed import TimedBoard, TimedProducer, warm
from linewarden_ingest.cameras.folder import FolderOptions, list_pictures
from linewarden_ingest.cameras.interface import EncodedPicture, Shot
from linewarden_ingest.captures import build_capture
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.settings import IngestOptions, SpoolOptions
from linewarden_ingest.ticket import Ticket
from linewarden_ingest.worker import Worker
from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.records import OutRecord
from tests.support.ingest_line import write_pictures
from tests.unit.ingest.lines import NAMESPACE, PINS, PLACE, set_up_line

PARTITIONS = 4
Way = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Sending:
    """One picture's file with the frame, without its value, and the capture that go with it."""

    path: Path
    frame: OutRecord
    capture: OutRecord


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 where a ratio is below the target."""
    arguments = _arguments(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(machine())
    ratios = [_compare(arguments, kib << 10) for kib in arguments.sizes_kib]
    return int(min(ratios) < arguments.target)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", choices=["apache", "embedded"], default="apache")
    parser.add_argument("--sizes-kib", type=int, nargs="+", default=[50, 200, 500])
    parser.add_argument("--megabytes", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--target", type=float, default=0.8)
    return parser.parse_args(argv)


def _compare(arguments: argparse.Namespace, size: int) -> float:
    folder = Path(tempfile.mkdtemp(prefix="linewarden-bench-"))
    count = max(arguments.megabytes * 1_000_000 // size, 10)
    write_pictures(folder / "pictures", count, size)
    try:
        with _server(arguments.broker, folder) as server:
            settings = KafkaSettings(bootstrap_servers=server.bootstrap_servers)
            set_up_line(KafkaBroker(settings), partitions=PARTITIONS)
            sendings = list(_sendings(folder / "pictures"))
            ways: dict[str, Way] = {
                "raw": lambda _: _raw(settings, sendings, None),
                "written": lambda number: _raw(settings, sendings, folder / f"plain-{number}"),
                "ingest": lambda number: _ingest(settings, folder, number),
            }
            for way in ways.values():
                way(-1)  # the broker's first records of a size are slow
            seconds = _turn_by_turn(ways, arguments.rounds)
    finally:
        shutil.rmtree(folder)
    return _print(seconds, size, count, arguments.target)


def _turn_by_turn(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            os.sync()  # what the one before left dirty is not the next one's to write
            seconds[name].append(way(number))
    return seconds


def _print(seconds: dict[str, list[float]], size: int, count: int, target: float) -> float:
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        spread = f"{count / max(seconds[name]):.0f} to {count / min(seconds[name]):.0f}"
        print(
            f"{size >> 10:5d} KiB x {count:5d}  {name:7s} {count / median:7.1f} frames/s ({spread}) "
            f"{count * size / median / 1e6:7.1f} MB/s"
        )
    ratio, written = medians["raw"] / medians["ingest"], medians["written"] / medians["ingest"]
    print(f"{size >> 10:5d} KiB  ingest over raw {ratio:.2f} (target {target}), over written {written:.2f}", flush=True)
    return ratio


def _server(kind: str, folder: Path) -> AbstractContextManager[ApacheKafka | EmbeddedBroker]:
    return ApacheKafka(folder / "kafka") if kind == "apache" else EmbeddedBroker(folder / "tansu")


def _sendings(pictures: Path) -> Iterator[Sending]:
    outbound = Outbound(NAMESPACE, PLACE, 1, PARTITIONS)
    for number, path in enumerate(list_pictures(pictures)):
        picture = EncodedPicture(path.read_bytes(), "image/png")
        shot = Shot(number, 1_700_000_000_000 + number, picture)
        capture = build_capture(shot, picture, loss=None, place=PLACE, pins=PINS, spool_epoch=1, sequence=number)
        ticket = Ticket(capture, number, 1, picture.content_type)
        yield Sending(path, outbound.frame(ticket, b""), outbound.capture(capture))


def _raw(settings: KafkaSettings, sendings: Sequence[Sending], written: Path | None) -> float:
    producer = KafkaProducer(**settings.producer())
    warm(producer, PARTITIONS)
    file = -1 if written is None else os.open(written, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began = time.perf_counter()
    for sending in sendings:
        picture = sending.path.read_bytes()
        if file >= 0:
            os.write(file, picture)
            os.fdatasync(file)
        for record, value in ((sending.frame, picture), (sending.capture, sending.capture.value)):
            headers = list(record.headers)
            producer.send(record.topic, value=value, key=record.key, headers=headers, partition=record.partition)
    producer.flush()
    took = time.perf_counter() - began
    producer.close()
    if file >= 0:
        os.close(file)
    return took


def _ingest(settings: KafkaSettings, folder: Path, number: int) -> float:
    clock = SystemClock()
    broker, producer = KafkaBroker(settings), TimedProducer(settings, PARTITIONS)
    camera = FolderOptions(camera_id=f"cam{number}", view_id="view0", path=folder / "pictures")
    options = IngestOptions(cameras=(camera,), spool=SpoolOptions(folder=folder / "spool"))
    board = TimedBoard(LineBook(broker, NAMESPACE), RecipeBook(broker, NAMESPACE), options.line_id, clock)
    worker = Worker(options, camera, lambda: producer, NAMESPACE, partitions=PARTITIONS, board=board, clock=clock)
    worker.run(Stop(), clock.now_ms())
    board.close()
    return producer.last_ack - board.began


if __name__ == "__main__":
    raise SystemExit(main())
