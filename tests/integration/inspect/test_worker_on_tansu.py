"""Workers of one group on the embedded broker: partitions are shared, taken over, and bundles change meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linewarden_inspect.bootstrap import loader, set_threads
from linewarden_inspect.settings import InspectSettings
from linewarden_inspect.worker import InspectWorker
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.health import Health
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.provision import recipe_record
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import RecipeRef
from tests.support.bundles import digest_in, random_picture
from tests.support.frames import frame_record, picture_bytes, recipe
from tests.support.topics import Watcher, provisioned, publish

PARTITIONS = 4
FAR_MS = 1 << 52


@contextmanager
def running(broker: KafkaBroker, namespace: Namespace, store: Path, instance: str) -> Iterator[Stop]:
    """A worker on a thread of its own; what it raises is raised here."""
    settings = InspectSettings(bundles=store, device="cpu", torch_threads=1)
    worker = InspectWorker(
        broker,
        namespace,
        settings,
        loader(store, "cpu", "float32"),
        instance=instance,
        clock=SystemClock(),
        health=Health(),
    )
    stop, failures = Stop(), list[BaseException]()

    def run() -> None:
        try:
            worker.run(stop)
        except BaseException as failure:  # noqa: BLE001 - raised again below
            failures.append(failure)

    thread = threading.Thread(target=run, name=f"inspect-{instance}")
    thread.start()
    try:
        yield stop
    finally:
        stop.set("the test is over")
        thread.join(30)
        assert not thread.is_alive()
        if failures:
            raise failures[0]


def test_two_workers_share_the_frames_and_one_takes_over_while_the_bundle_changes(
    tansu: EmbeddedBroker, namespace: str, bundle_store: Path
) -> None:
    tansu_broker = KafkaBroker(tansu.settings(6_000))
    line = Namespace(namespace)
    set_threads(1)
    a, b = (digest_in(bundle_store, name) for name in "ab")
    provisioned(tansu_broker, line, PARTITIONS)
    publish(tansu_broker, recipe_record(line, recipe(a), "/test"))
    with Watcher(tansu_broker, line.topic("inspections"), Inspection) as watcher:
        with running(tansu_broker, line, bundle_store, "0"):
            with running(tansu_broker, line, bundle_store, "1"):
                send(tansu_broker, line, range(40), version=1)
                watcher.wait_for(lambda found: len(found) >= 40, 60)
                publish(tansu_broker, recipe_record(line, recipe(b, 2), "/test"))
                send(tansu_broker, line, range(40, 60), version=2)
            send(tansu_broker, line, range(60, 80), version=1)
            watcher.wait_for(lambda found: len({one.frame_id for one in found}) >= 80, 60)
        found = {one.frame_id: one for one in watcher.found}
    assert len(found) == 80
    assert all(one.undecidable is None for one in found.values())
    assert {one.bundle_digest for one in found.values() if one.recipe.version == 1} == {a}
    assert {one.bundle_digest for one in found.values() if one.recipe.version == 2} == {b}


def send(broker: KafkaBroker, line: Namespace, numbers: range, *, version: int) -> None:
    publish(
        broker,
        *(
            frame_record(
                line,
                picture_bytes(random_picture(number)),
                number,
                partitions=PARTITIONS,
                decide_by_ms=FAR_MS,
                recipe=RecipeRef(recipe_id="bracket", version=version),
            )
            for number in numbers
        ),
    )
