"""Ingest against a bare producer of kafka-python, the same pictures on the same broker, turn by turn.

    python -m benchmarks.ingest [--broker apache|embedded] [--sizes-kib 50 200 500] [--megabytes 150] [--rounds 3]

Both read the pictures from a folder in one process. The bare producer sends each with its key and waits for all
acknowledgements at the end. Ingest hashes each, builds its capture, fsyncs it to the spool, reads it back and
checks it, and sends frame and capture with their headers. Prints frames/s, MB/s and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import structlog
from kafka import KafkaProducer

from linewarden_ingest.cameras.folder import list_pictures
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.settings import FolderOptions, IngestOptions, SpoolOptions
from linewarden_ingest.worker import Worker
from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.partitions import partition_of
from linewarden_schemas.ids import Namespace
from tests.support.ingest_line import write_pictures
from tests.unit.ingest.lines import set_up_line

PARTITIONS = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 where a ratio is below the target."""
    arguments = _arguments(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(f"{platform.platform()}, {os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}")
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


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _compare(arguments: argparse.Namespace, size: int) -> float:
    folder = Path(tempfile.mkdtemp(prefix="linewarden-bench-"))
    count = max(arguments.megabytes * 1_000_000 // size, 10)
    write_pictures(folder / "pictures", count, size)
    try:
        with _server(arguments.broker, folder) as server:
            settings = KafkaSettings(bootstrap_servers=server.bootstrap_servers)
            set_up_line(KafkaBroker(settings), partitions=PARTITIONS)
            seconds: dict[str, list[float]] = {"bare": [], "ingest": []}
            for number in range(arguments.rounds):
                seconds["bare"].append(_bare(settings, folder / "pictures"))
                seconds["ingest"].append(_ingest(settings, folder, number))
    finally:
        shutil.rmtree(folder)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        spread = f"{count / max(seconds[name]):.0f} to {count / min(seconds[name]):.0f}"
        print(
            f"{size >> 10:5d} KiB x {count:5d}  {name:6s} {count / median:7.1f} frames/s ({spread}) "
            f"{count * size / median / 1e6:7.1f} MB/s"
        )
    ratio = medians["bare"] / medians["ingest"]
    print(f"{size >> 10:5d} KiB          ratio  {ratio:.2f} (target {arguments.target})", flush=True)
    return ratio


def _server(kind: str, folder: Path) -> AbstractContextManager[ApacheKafka | EmbeddedBroker]:
    return ApacheKafka(folder / "kafka") if kind == "apache" else EmbeddedBroker(folder / "tansu")


def _bare(settings: KafkaSettings, pictures: Path) -> float:
    producer = KafkaProducer(**settings.producer())
    producer.partitions_for("line1.frames")
    began = time.perf_counter()
    for path in list_pictures(pictures):
        key = path.stem.encode()
        producer.send("line1.frames", value=path.read_bytes(), key=key, partition=partition_of(key, PARTITIONS))
    producer.flush()
    took = time.perf_counter() - began
    producer.close()
    return took


def _ingest(settings: KafkaSettings, folder: Path, number: int) -> float:
    broker, namespace, clock = KafkaBroker(settings), Namespace("line1"), SystemClock()
    camera = FolderOptions(camera_id=f"cam{number}", view_id="view0", path=folder / "pictures")
    options = IngestOptions(cameras=(camera,), spool=SpoolOptions(folder=folder / "spool"))
    board = PinBoard(LineBook(broker, namespace), RecipeBook(broker, namespace), options.line_id)
    worker = Worker(options, camera, broker, namespace, partitions=PARTITIONS, board=board, clock=clock)
    began = time.perf_counter()
    worker.run(Stop(), clock.now_ms())
    took = time.perf_counter() - began
    board.close()
    return took


if __name__ == "__main__":
    raise SystemExit(main())
