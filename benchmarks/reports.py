"""What memory and time the reports take: `python -m benchmarks.reports [--visits N]`.

A line of N and of four times as many visits is told to the embedded broker; then `linewarden audit report`,
`linewarden report shift` and `linewarden audit balance` run as commands, and their largest resident memory is read.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.machine import machine
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Delivery, Producer
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.samples import SAMPLES

_PARTITIONS = 2
_AT = 1_764_000_000_000
_IN_FLIGHT = 2_000
_COMMANDS = (("audit", "report"), ("report", "shift"), ("audit", "balance"))
_RANGE = ("--from", "0", "--to", str(_AT * 2))
_TOPICS: tuple[tuple[str, type[Message]], ...] = (
    ("captures", Capture),
    ("inspections", Inspection),
    ("dispositions", Disposition),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print: the figures are the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=10_000)
    visits = parser.parse_args(argv).visits
    print(machine())
    with tempfile.TemporaryDirectory(prefix="linewarden-bench-") as folder, EmbeddedBroker(Path(folder)) as server:
        settings = server.settings(6000)
        told = settings.model_dump(mode="json", exclude_defaults=True)
        env = {f"LINEWARDEN_KAFKA__{name.upper()}": str(value) for name, value in told.items()}
        for number, count in enumerate((visits, 4 * visits)):
            namespace = Namespace(f"bench{number}")
            _tell(KafkaBroker(settings), namespace, count)
            for words in _COMMANDS:
                _measure(words, os.environ | env | {"LINEWARDEN_NAMESPACE": namespace.name}, count)
    return 0


def _measure(words: Sequence[str], env: dict[str, str], visits: int) -> None:
    stretch = () if words[-1] == "balance" else _RANGE
    command = [sys.executable, "-m", "linewarden", *words, *stretch, "--json"]
    began = time.perf_counter()
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    print(f"{' '.join(words):15s} {visits:8d} visits {used.ru_maxrss / 1024:7.0f} MiB {seconds:6.1f} s")


def _tell(broker: KafkaBroker, namespace: Namespace, visits: int) -> None:
    with broker.admin() as admin:
        provision_topics(admin, namespace, _PARTITIONS)
    samples = [(name, next(one for one in SAMPLES if isinstance(one, kind))) for name, kind in _TOPICS]
    with broker.producer() as producer:
        waiting: list[Delivery] = []
        for number in range(visits):
            waiting += _visit(producer, namespace, samples, number)
            if len(waiting) >= _IN_FLIGHT:
                _settle(waiting)
        _settle(waiting)


def _visit(
    producer: Producer, namespace: Namespace, samples: Sequence[tuple[str, Message]], number: int
) -> Iterator[Delivery]:
    visit = f"line1.st1.{_AT + number:013d}.{number:06d}"
    ids = {"visit_id": visit, "frame_id": f"{visit}.top.1-{number:x}", "sequence": number, "captured_ms": _AT + number}
    key = visit.encode()
    for name, sample in samples:
        one = sample.model_copy(update={field: value for field, value in ids.items() if hasattr(sample, field)})
        sent = encode(one, id=visit, source="/bench", time_ms=_AT)
        place = partition_of(key, _PARTITIONS)
        yield producer.send(OutRecord(namespace.topic(name), key, sent.value, sent.headers, place))


def _settle(waiting: list[Delivery]) -> None:
    for delivery in waiting:
        delivery.result(60)
    waiting.clear()


if __name__ == "__main__":
    raise SystemExit(main())
