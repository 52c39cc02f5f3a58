"""How fast the chain is verified, live and from an archive: `python -m benchmarks.verify [--records N]`.

Decisions are generated, chained by a notary and archived, N of them and then four times as many, on an embedded broker
each. Every verification runs in a process of its own, whose largest resident memory is compared: it must not grow with
the range.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import machine
from linewarden_archive.archive import Archive, writing
from linewarden_archive.archiver import Archiver
from linewarden_archive.chain import verify_chain
from linewarden_archive.verify import verify_archive
from linewarden_audit.notary.notary import Notary, NotaryLimits, read_heads
from linewarden_audit.notary.signing import make_key, read_key
from linewarden_audit.notary.verify import PartitionReport
from linewarden_audit.notary.verifying import Witness, verify_namespace
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_schemas.decision import Decision
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.samples import SAMPLES

_LINE, _PARTITIONS = Namespace("line1"), 4
_ARCHIVED = ("dispositions", "decisions", "chain-heads")
_BATCH = 500


class Run(NamedTuple):
    """One verification."""

    records: int
    seconds: float
    peak_mib: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print. Nothing is asserted but that the chain holds: the figures are the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=25_000)
    records = parser.parse_args(argv).records
    print(machine())
    for count in (records, 4 * records):
        folder = Path(tempfile.mkdtemp(prefix="linewarden-bench-"))
        public = make_key(folder / "key.pem")
        with EmbeddedBroker(folder / "kafka") as server:
            _fill(server.settings(), count)
            _seal(server.settings(), folder, count)
            _tell("live", _alone(_live, server.settings(), public))
        _tell("archive", _alone(_archived, folder / "archive", public))
        _tell("its files alone", _alone(_files, folder / "archive"))
        shutil.rmtree(folder)
    return 0


def _fill(settings: KafkaSettings, count: int) -> None:
    broker = KafkaBroker(settings)
    with broker.admin() as admin:
        provision_topics(admin, _LINE, partitions=_PARTITIONS)
    sample = next(one for one in SAMPLES if isinstance(one, Decision))
    sent = encode(sample, id="d", source="/bench", time_ms=0)
    topic = _LINE.topic("decisions")
    with broker.producer(client="bench") as producer:
        for first in range(0, count, _BATCH):
            keys = [f"line1.st1.{number:013d}" for number in range(first, min(first + _BATCH, count))]
            records = [
                OutRecord(topic, key.encode(), sent.value, sent.headers, partition_of(key, _PARTITIONS)) for key in keys
            ]
            for delivery in [producer.send(record) for record in records]:
                delivery.result(30)


def _seal(settings: KafkaSettings, folder: Path, count: int) -> None:
    broker, clock = KafkaBroker(settings), SystemClock()
    notary = Notary(broker, _LINE, read_key(folder / "key.pem"), clock, NotaryLimits(every_s=1.0))
    notary.start()
    while _sealed(broker) < count:
        for _ in range(100):
            notary.step()
    notary.close()
    began = time.perf_counter()
    with writing(folder / "archive") as writer:
        archiver = Archiver(broker, _LINE, writer, _ARCHIVED, clock)
        archiver.catch_up()
    print(f"archived           {archiver.records / (time.perf_counter() - began):8.0f} records/s")


def _sealed(broker: KafkaBroker) -> int:
    return sum({head.partition: head.length for head in read_heads(broker, _LINE)}.values())


def _alone(work: Callable[..., Run], *arguments: object) -> Run:
    """In a process of its own, so that memory is that of this work alone."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _live(settings: KafkaSettings, public: str) -> Run:
    return _timed(
        lambda: _verified(
            verify_namespace(KafkaBroker(settings), _LINE, [public], Witness(SystemClock().now_ms())).partitions
        )
    )


def _archived(root: Path, public: str) -> Run:
    return _timed(lambda: _verified(verify_chain(Archive(root), [public])))


def _files(root: Path) -> Run:
    return _timed(lambda: verify_archive(root).records)


def _verified(reports: list[PartitionReport]) -> int:
    broken = [report for report in reports if not report.holds]
    if broken:
        raise RuntimeError(f"the chain does not hold: {broken}")
    return sum(report.verified for report in reports)


def _timed(work: Callable[[], int]) -> Run:
    began = time.perf_counter()
    records = work()
    seconds = time.perf_counter() - began
    return Run(records, seconds, _peak_mib())


def _peak_mib() -> float:
    """The largest resident memory since this program began; `getrusage` would tell that of its parent too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def _tell(what: str, run: Run) -> None:
    figures = f"{run.records} records in {run.seconds:.1f} s, at most {run.peak_mib:.0f} MiB"
    print(f"{what:18s} {run.records / run.seconds:8.0f} records/s ({figures})")


if __name__ == "__main__":
    raise SystemExit(main())
