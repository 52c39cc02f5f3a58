"""What every command needs: a broker and settings, faults in words, and output for people or programs."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_runtime.ports import Broker
    from linewarden_runtime.records import OutRecord
    from linewarden_runtime.settings import ServiceSettings
    from linewarden_schemas.ids import Namespace

SOURCE = "/cli"


@dataclass(frozen=True, slots=True)
class Connection:
    """A broker and the namespace in which a command acts, with all settings of the environment."""

    settings: ServiceSettings
    namespace: Namespace
    broker: Broker


def connect() -> Connection:
    """Read the environment; raises ConfigurationError for a setting that is wrong."""
    from linewarden_runtime.kafka.broker import KafkaBroker  # noqa: PLC0415
    from linewarden_runtime.settings import ServiceSettings  # noqa: PLC0415
    from linewarden_schemas.ids import Namespace  # noqa: PLC0415

    settings = ServiceSettings.load()
    return Connection(settings, Namespace(settings.namespace), KafkaBroker(settings.kafka))


def publish(broker: Broker, records: Iterable[OutRecord], *, client: str = "cli") -> None:
    """Write records and wait for each; raises DeliveryFailed or BrokerUnavailable."""
    with broker.producer(client=client) as producer:
        for delivery in [producer.send(record) for record in records]:
            delivery.result(15.0)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Tell what a person can mend in one line: ValueError and VisionError become ConfigurationError."""
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415
    from linewarden_vision.errors import VisionError  # noqa: PLC0415

    try:
        yield
    except (ValueError, VisionError) as error:
        raise ConfigurationError(str(error)) from error


@contextmanager
def progress_bar(
    text: str, total: int | None = None, *, hidden: bool = False, transient: bool = True
) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, so that what a command prints stays clean; it is told how many more are done."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), disable=hidden, transient=transient) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.advance(task, done)


def now_ms() -> int:
    """The time that a command stamps what it writes with."""
    return time.time_ns() // 1_000_000


def today() -> str:
    """The day that records are dated with, UTC."""
    return datetime.now(UTC).date().isoformat()


def actor(name: str | None) -> str:
    """Who acts: the given name, or the user of this shell."""
    return name or getpass.getuser()


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool = False, empty: str = "") -> None:
    """Print rows as a table for people, under the names of the first one, or as one JSON array for programs."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import

    if as_json:
        Console(highlight=False).print_json(json.dumps(list(rows)))
    elif rows:
        show_table(list(rows[0]), (list(row.values()) for row in rows))
    else:
        Console().print(empty)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table for people: its head, also where it has no row, and a title above it."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title or None)
    for name in columns:
        table.add_column(name, overflow="fold")  # an id is of no use without its end
    for row in rows:
        table.add_row(*map(str, row))
    Console().print(table)
