"""What every command needs: settings from the environment, a broker, and output for people or programs."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_runtime.ports import Broker
    from linewarden_runtime.records import OutRecord
    from linewarden_runtime.settings import ServiceSettings
    from linewarden_schemas.ids import Namespace

_DELIVERY_S = 15.0
SOURCE = "/cli"


@dataclass(frozen=True, slots=True)
class Context:
    """Where the command acts."""

    settings: ServiceSettings
    namespace: Namespace
    broker: Broker

    def publish(self, records: Iterable[OutRecord]) -> None:
        """Write records and wait for each; raises DeliveryFailed or BrokerUnavailable."""
        with self.broker.producer(client="cli") as producer:
            for delivery in [producer.send(record) for record in records]:
                delivery.result(_DELIVERY_S)


def context() -> Context:
    """Read the environment; raises ConfigurationError for a setting that is wrong."""
    from linewarden_runtime.kafka.broker import KafkaBroker  # noqa: PLC0415
    from linewarden_runtime.settings import ServiceSettings  # noqa: PLC0415
    from linewarden_schemas.ids import Namespace  # noqa: PLC0415

    settings = ServiceSettings.load()
    return Context(settings, Namespace(settings.namespace), KafkaBroker(settings.kafka))


def now_ms() -> int:
    """The time that a command stamps what it writes with."""
    return time.time_ns() // 1_000_000


def actor(name: str | None) -> str:
    """Who acts: the given name, or the user of this shell."""
    return name or getpass.getuser()


def show(rows: Sequence[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows as a table for people or as one JSON array for programs."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.table import Table  # noqa: PLC0415

    if as_json:
        Console(highlight=False).print_json(json.dumps(list(rows)))
        return
    if not rows:
        Console().print(empty)
        return
    table = Table()
    for name in rows[0]:
        table.add_column(name, overflow="fold")  # an id is of no use without its end
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
