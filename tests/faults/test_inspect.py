"""Inspect and keeper as real processes on Apache Kafka, killed in the middle of their work."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_schemas.disposition import SlotFrame, SlotOpen
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace, slot_id
from linewarden_schemas.inspection import Evidence, Inspection
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Cause, Undecidable, Verdict
from tests.support.bundles import bundle_store, digest_in, random_picture
from tests.support.frames import AT, RECIPE, flat, frame_record, metadata, picture_bytes, recipe
from tests.support.processes import ServiceProcess
from tests.support.topics import Watcher, provisioned, publish
from tests.unit.inspect.test_intake import bomb, jpeg_bomb

__all__ = ["bundle_store"]
pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(1200)]

PARTITIONS = 4
KILLS = 10
SEED = 20
FAR_MS = 1 << 52
SLOW_S = 180.0


@pytest.fixture
def line(apache_kafka: KafkaBroker, namespace: str, bundle_store: Path) -> Namespace:
    """A namespace with its topics and one recipe."""
    made = Namespace(namespace)
    provisioned(apache_kafka, made, PARTITIONS)
    publish(apache_kafka, recipe_record(made, recipe(digest_in(bundle_store, "a")), "/test"))
    return made


def service(module: str, server: ApacheKafka, line: Namespace, store: Path, folder: Path) -> Iterator[ServiceProcess]:
    environment = {
        "LINEWARDEN_NAMESPACE": line.name,
        "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": server.bootstrap_servers,
        "LINEWARDEN_INSPECT__BUNDLES": str(store),
        "LINEWARDEN_INSPECT__DEVICE": "cpu",
        "LINEWARDEN_INSPECT__TORCH_THREADS": "1",
        "LINEWARDEN_INSPECT__MAX_POLL_RECORDS": "8",
    }
    process = ServiceProcess(module, environment, folder / "service.log")
    process.start()
    yield process
    process.close()


@pytest.fixture
def worker(apache_server: ApacheKafka, line: Namespace, bundle_store: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A running worker."""
    yield from service("linewarden_inspect", apache_server, line, bundle_store, tmp_path)


@pytest.fixture
def keeper(apache_server: ApacheKafka, line: Namespace, bundle_store: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A running keeper."""
    yield from service("linewarden_inspect.keeper", apache_server, line, bundle_store, tmp_path)


def good(line: Namespace, number: int) -> OutRecord:
    payload = picture_bytes(random_picture(number))
    return frame_record(line, payload, number, partitions=PARTITIONS, decide_by_ms=FAR_MS)


def test_a_worker_killed_ten_times_answers_every_frame_exactly_once(
    apache_kafka: KafkaBroker, line: Namespace, worker: ServiceProcess
) -> None:
    chance = random.Random(SEED)
    sent: set[str] = set()
    with Watcher(apache_kafka, line.topic("inspections"), Inspection) as watcher:
        for kill in range(KILLS):
            numbers = range(kill * 60, (kill + 1) * 60)
            publish(apache_kafka, *(good(line, number) for number in numbers))
            sent |= {metadata(b"", number).frame_id for number in numbers}
            wanted = len(watcher.found) + chance.randint(1, 50)
            watcher.wait_for(lambda found, wanted=wanted: len(found) >= wanted, SLOW_S)  # type: ignore[misc]
            worker.kill()
            worker.start()
        watcher.wait_for(lambda found: len({one.frame_id for one in found}) >= len(sent), SLOW_S)
        assert worker.stop() == 0
        times = Counter(one.frame_id for one in watcher.found)
    assert times.keys() == sent
    assert set(times.values()) == {1}


def test_a_corpus_of_poison_is_answered_and_delays_nobody(
    apache_kafka: KafkaBroker, line: Namespace, worker: ServiceProcess
) -> None:
    payload = picture_bytes(random_picture(0))
    flipped = bytearray(payload)
    flipped[len(flipped) // 2] ^= 1

    def poison(number: int, content: bytes, **changes: Any) -> OutRecord:
        return frame_record(line, content, number, partitions=PARTITIONS, decide_by_ms=FAR_MS, **changes)

    unknown = RecipeRef(recipe_id="unheard", version=1)
    corpus = {
        1: (poison(1, payload, sent=bytes(flipped)), Undecidable.DIGEST_MISMATCH),
        2: (poison(2, flat(kind="jpg")[:-40]), Undecidable.UNREADABLE),
        3: (poison(3, b""), Undecidable.NOT_A_PICTURE),
        4: (poison(4, bomb()), Undecidable.TOO_LARGE),
        5: (poison(5, jpeg_bomb()), Undecidable.TOO_LARGE),
        6: (poison(6, b"%PDF-1.7"), Undecidable.NOT_A_PICTURE),
        7: (poison(7, payload, recipe=unknown), Undecidable.UNKNOWN_RECIPE),
        8: (poison(8, payload, view_id="unheard"), Undecidable.BAD_METADATA),
    }
    bare = replace(poison(9, payload), headers=())
    neighbours = [good(line, number) for number in range(100, 140)]
    mixed = [*(record for record, _ in corpus.values()), bare, *neighbours]
    random.Random(SEED).shuffle(mixed)
    publish(apache_kafka, *mixed)
    with Watcher(apache_kafka, line.topic("inspections"), Inspection) as watcher:
        found = watcher.wait_for(lambda found: len(found) >= len(mixed) - 1, SLOW_S)
        answers = {one.frame_id: one for one in found}
    with Watcher(apache_kafka, line.topic("dead-letters"), DeadLetter) as letters:
        dead = letters.wait_for(lambda found: len(found) >= len(corpus) + 1, SLOW_S)
    assert worker.stop() == 0
    for number, (_, reason) in corpus.items():
        assert answers[metadata(b"", number).frame_id].undecidable is reason
    assert all(
        answers[metadata(b"", number).frame_id].verdict is not Verdict.NOT_DECIDABLE for number in range(100, 140)
    )
    assert Counter(letter.visit_id is None for letter in dead) == {False: len(corpus), True: 1}


def test_a_keeper_killed_ten_times_keeps_every_picture_that_was_asked_for(
    apache_kafka: KafkaBroker, line: Namespace, worker: ServiceProcess, keeper: ServiceProcess
) -> None:
    chance = random.Random(SEED)
    count = KILLS * 20
    publish(apache_kafka, *(good(line, number) for number in range(count)))
    with Watcher(apache_kafka, line.topic("inspections"), Inspection) as watcher:
        found = watcher.wait_for(lambda found: len({one.frame_id for one in found}) >= count, SLOW_S)
        by_frame = {one.frame_id: one for one in found}
    assert worker.stop() == 0
    with Watcher(apache_kafka, line.topic("evidence"), Evidence) as kept:
        for kill in range(KILLS):
            numbers = range(kill * 20, (kill + 1) * 20)
            publish(apache_kafka, *(asked(line, by_frame, number) for number in numbers))
            wanted = len(kept.found) + chance.randint(1, 15)
            kept.wait_for(lambda found, wanted=wanted: len(found) >= wanted, SLOW_S)  # type: ignore[misc]
            keeper.kill()
            keeper.start()
        evidence = kept.wait_for(lambda found: len({one.frame_id for one in found}) >= count, SLOW_S)
    assert keeper.stop() == 0
    assert {one.frame_id for one in evidence} == by_frame.keys()
    assert all(one.missing is None and one.sha256 == by_frame[one.frame_id].frame_sha256 for one in evidence)


def asked(line: Namespace, by_frame: dict[str, Inspection], number: int) -> OutRecord:
    inspection = by_frame[metadata(b"", number).frame_id]
    frame = SlotFrame(frame_id=inspection.frame_id, view_id="top", doubtful=True, frame=inspection.source)
    slot = SlotOpen(
        slot_id=slot_id(inspection.visit_id, 0, 0),
        visit_id=inspection.visit_id,
        round=0,
        generation=0,
        causes=(Cause.LOW_TRUST,),
        risk=0.5,
        opened_ms=AT,
        due_ms=AT + 60_000,
        line_id="line1",
        recipe=RECIPE,
        frames=(frame,),
    )
    encoded = encode(slot, id=slot.slot_id, source="/test", time_ms=AT)
    partition = partition_of(slot.visit_id, PARTITIONS)
    return OutRecord(line.topic("reinspections"), slot.slot_id.encode(), encoded.value, encoded.headers, partition)
