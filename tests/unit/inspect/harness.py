"""A whole worker on the in-memory broker, turned by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from linewarden_inspect.bootstrap import loader
from linewarden_inspect.settings import InspectSettings
from linewarden_inspect.worker import InspectWorker
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import provision_topics, recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.recipe import Recipe
from linewarden_vision.inspecting.scorer import Scorer

NAMESPACE = Namespace("line1")
FAR_MS = 1 << 52
"""A decide-by that never comes."""


class CountingStop(Stop):
    """Asks the loop to stop once a condition holds; the loop looks after every turn."""

    def __init__(self, done: Callable[[], bool], turns: int = 2000) -> None:
        super().__init__()
        self._done, self._turns = done, turns

    def is_set(self) -> bool:
        self._turns -= 1
        assert self._turns > 0, "the worker never came to an end"
        if self._done():
            self.set("the test has what it wants")
        return super().is_set()


def settings(store: Path, **changes: object) -> InspectSettings:
    fields: dict[str, object] = {"bundles": store, "device": "cpu", "torch_threads": 1, "recipe_wait_s": 0.0}
    return InspectSettings.model_validate(fields | changes)


def memory_line(*recipes: Recipe) -> MemoryBroker:
    """A broker with all topics and some recipes."""
    broker = MemoryBroker(SystemClock())
    with broker.admin() as admin:
        provision_topics(admin, NAMESPACE, partitions=2)
    for one in recipes:
        broker.append(recipe_record(NAMESPACE, one, "/line1/cli"))
    return broker


def worker(
    broker: Broker, store: Path, *, load: Callable[[str], Scorer] | None = None, instance: str = "0", **changes: object
) -> InspectWorker:
    return InspectWorker(
        broker,
        NAMESPACE,
        settings(store, **changes),
        load or loader(store, "cpu", "float32"),
        instance=instance,
        clock=SystemClock(),
        health=Health(),
    )


def answer(broker: MemoryBroker, store: Path, *frames: OutRecord, load: Callable[[str], Scorer] | None = None) -> None:
    """Publish frames and run a worker until all of them are committed."""
    for frame in frames:
        broker.append(frame)
    worker(broker, store, load=load).run(CountingStop(lambda: everything_is_committed(broker)))


def everything_is_committed(broker: MemoryBroker, group: str = NAMESPACE.group("inspect")) -> bool:
    with broker.admin() as admin:
        committed = admin.committed(group)
    return len(committed) == 2 and all(broker.log(place).end <= offset for place, offset in committed.items())


def inspections(broker: MemoryBroker) -> list[Inspection]:
    found = [decode(r.headers, r.value).message for r in broker.records(NAMESPACE.topic("inspections"))]
    return [message for message in found if isinstance(message, Inspection)]


def dead_letters(broker: MemoryBroker) -> list[DeadLetter]:
    found = [decode(r.headers, r.value).message for r in broker.records(NAMESPACE.topic("dead-letters"))]
    return [message for message in found if isinstance(message, DeadLetter)]
