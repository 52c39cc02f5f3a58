"""A worker says what it has loaded of the recipes that are active, and that it leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from linewarden_inspect.announcing import Announcer
from linewarden_inspect.bundle_shelf import BundleShelf
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.provision import activation_record, provision_topics, recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.changeover import WorkerHeartbeat
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation
from linewarden_vision.errors import BundleError
from tests.unit.route.builders import make_recipe

NAMESPACE = Namespace("line1")
RECIPE = make_recipe()


class Loading:
    """A load that a test lets end, or fail."""

    def __init__(self) -> None:
        self.go, self.failure = threading.Event(), ""

    def __call__(self, _digest: str) -> Any:
        self.go.wait(30.0)
        if self.failure:
            raise BundleError(self.failure)
        return object()


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker(SystemClock())
    provision_topics(made.admin(), NAMESPACE, 2)
    return made


@pytest.fixture
def load() -> Loading:
    return Loading()


@pytest.fixture
def announcer(broker: MemoryBroker, load: Loading) -> Iterator[Announcer]:
    shelf = BundleShelf(load, wait_s=1.0, held=2, clock=SystemClock())
    book = RecipeBook(broker, NAMESPACE)
    yield Announcer(broker, NAMESPACE, "inspect-0", book.get, shelf, SystemClock())
    load.go.set()
    shelf.close()
    book.close()


def activate(broker: MemoryBroker) -> None:
    active = Activation(line_id="line1", recipe=RECIPE.ref(), from_ms=1, actor="ann")
    broker.append(activation_record(NAMESPACE, active, "/test"))


def problems(announcer: Announcer, broker: MemoryBroker) -> list[str | None]:
    with LineBook(broker, NAMESPACE) as book:
        return [one.problem for one in announcer.loaded(book)]


def settled(announcer: Announcer, broker: MemoryBroker, load: Loading) -> list[str | None]:
    """What it says once the load has come to its end."""
    load.go.set()
    announcer._bundles.request(RECIPE.bundle_digest).exception(30.0)
    return problems(announcer, broker)


def test_a_recipe_is_acknowledged_once_its_bundle_is_loaded(
    broker: MemoryBroker, announcer: Announcer, load: Loading
) -> None:
    assert problems(announcer, broker) == [], "no line runs anything"
    activate(broker)
    assert problems(announcer, broker) == ["the recipe is unknown, or in doubt"]
    broker.append(recipe_record(NAMESPACE, RECIPE, "/test"))
    assert problems(announcer, broker) == ["its bundle is being loaded"]
    assert settled(announcer, broker, load) == [None]


def test_a_bundle_that_can_not_be_used_is_named(broker: MemoryBroker, announcer: Announcer, load: Loading) -> None:
    activate(broker)
    broker.append(recipe_record(NAMESPACE, RECIPE, "/test"))
    load.failure = "no such folder"
    assert settled(announcer, broker, load) == ["its bundle cannot be used: no such folder"]


def test_it_is_told_and_so_is_that_the_worker_leaves(broker: MemoryBroker, announcer: Announcer, load: Loading) -> None:
    activate(broker)
    broker.append(recipe_record(NAMESPACE, RECIPE, "/test"))
    settled(announcer, broker, load)

    class OnceTold(Stop):
        """Asked to stop as soon as something was told."""

        def is_set(self) -> bool:
            return bool(broker.records(NAMESPACE.topic("workers")))

        def wait(self, *_: object) -> bool:
            return True

    announcer.run(OnceTold())
    records = broker.records(NAMESPACE.topic("workers"))
    beats = [decode(one.headers, one.value).message for one in records]
    assert all(isinstance(one, WorkerHeartbeat) for one in beats)
    assert [getattr(one, "leaving", None) for one in beats] == [False, True]
    first = beats[0]
    assert isinstance(first, WorkerHeartbeat)
    assert (first.worker, first.loaded[0].recipe, first.loaded[0].problem) == ("inspect-0", RECIPE.ref(), None)
