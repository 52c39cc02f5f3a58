"""A whole line on Apache Kafka, with everything done to it at once: killed, cut off, emptied, fed with rubbish."""

from __future__ import annotations

import random
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from linewarden.demo import line
from linewarden.demo.servers import Servers, servers
from linewarden_audit.findings import BalanceReport
from linewarden_ingest.cameras.simulation import LinePlan
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_schemas.capture import Capture
from linewarden_schemas.envelope import encode, encode_frame
from linewarden_schemas.ids import digest
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.samples import FRAME_METADATA, SAMPLES
from linewarden_schemas.vocabulary import Routing
from tests.support.whole_line import LineUnderTest, whole_line

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(900)]

KILLS = 10
PLAN = LinePlan(seed=5, defect_rate=0.3, return_after=20)


@pytest.fixture
def under(tmp_path: Path) -> Iterator[Servers]:
    with servers("apache", tmp_path) as running:
        yield running


def assert_balanced(report: BalanceReport) -> None:
    assert report.closes, report.as_dict()
    assert not report.doubled
    assert not report.unsafe
    assert report.final + report.waiting + report.in_flight == report.visits


def kill_at_random(line_under_test: LineUnderTest, kills: dict[str, int], seed: int) -> None:
    """Kill services in random order, each only after the line has moved on since the kill before."""
    victims = [name for name, count in kills.items() for _ in range(count)]
    random.Random(seed).shuffle(victims)
    for victim in victims:
        line_under_test.until(moved_on_since(line_under_test), f"the line moves on before {victim} is killed")
        service = line_under_test.running.services[victim]
        if service.exit_code() is None:
            service.kill()


def moved_on_since(tested: LineUnderTest) -> Callable[[], bool]:
    seen = len(tested.figures.routings)
    ingest = tested.running.services["ingest"]
    return lambda: len(tested.figures.routings) > seen or ingest.exit_code() == 0


def test_keeper_and_projection_are_killed_mid_work_and_no_slot_and_no_evidence_is_missing(
    under: Servers, tmp_path: Path
) -> None:
    source = line.simulated(PLAN, 80, 4.0)
    with whole_line(source, under, tmp_path) as tested:
        kill_at_random(tested, {"keeper": KILLS, "projector": KILLS}, seed=11)
        tested.finish()
        assert_balanced(tested.proof())
        tested.until(lambda: tested.waiting_in_queue() == len(tested.figures.open_slots), "the queue shows every slot")
        wanted = {frame for slot in tested.figures.open_slots for frame in frames_of(tested, slot)}
        tested.until(lambda: wanted <= tested.evidence(), "every frame of a waiting visit has evidence")
        assert tested.running.services["keeper"].restarts >= KILLS - 1


def frames_of(tested: LineUnderTest, slot: str) -> list[str]:
    visit = slot.rsplit(".r", 1)[0]
    return [frame for frame in tested.figures.inspected if frame.startswith(f"{visit}.")]


def test_every_service_dies_redis_is_emptied_the_broker_falls_and_rubbish_arrives_and_the_balance_closes(
    under: Servers, tmp_path: Path
) -> None:
    source = line.simulated(PLAN, 120, 3.0)
    with whole_line(source, under, tmp_path) as tested:
        tested.until(lambda: len(tested.figures.routings) >= 5, "the line runs")
        spoilt = feed_rubbish(tested)
        kill_at_random(tested, {"ingest": 2, "inspect": 2, "route": 3, "keeper": 1, "projector": 1}, seed=12)
        tested.empty_redis()
        under.broker.process.kill()
        under.broker.start()
        tested.finish()
        assert_balanced(tested.proof())
        tested.until(lambda: tested.waiting_in_queue() == len(tested.figures.open_slots), "the queue came back")
        assert {tested.figures.routings[visit] for visit in spoilt} == {Routing.DIVERTED}
        assert tested.figures.dead_letters >= len(RUBBISH) + 3


def test_a_process_that_is_frozen_past_its_session_is_refused_when_it_goes_on(under: Servers, tmp_path: Path) -> None:
    source = line.simulated(PLAN, 60, 3.0)
    with whole_line(source, under, tmp_path) as tested:
        tested.until(lambda: len(tested.figures.routings) >= 5, "the line runs")
        second = tested.running.service("inspect", "1")
        frozen = tested.running.services["inspect"]
        second.start()
        frozen.pause()
        seen = len(tested.figures.inspected)
        tested.until(lambda: len(tested.figures.inspected) > seen + 5, "the second worker takes over")
        frozen.resume()
        tested.finish()
        assert_balanced(tested.proof())
        second.stop()


@dataclass(frozen=True)
class Rubbish:
    """A frame that must divert its visit: its payload, and whether its digest and its recipe are honest."""

    what: str
    payload: bytes
    honest_digest: bool = True
    known_recipe: bool = True


def png_header(width: int, height: int) -> bytes:
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 64 + b"\xff\xd9"
RUBBISH = (
    Rubbish("flipped byte", JPEG, honest_digest=False),
    Rubbish("truncated JPEG", JPEG[:20]),
    Rubbish("nothing at all", b""),
    Rubbish("60-megapixel bomb", png_header(10_000, 6_000)),
    Rubbish("not a picture", b"GIF89a" + b"\x00" * 100),
    Rubbish("unknown recipe", JPEG, known_recipe=False),
)


def feed_rubbish(tested: LineUnderTest) -> list[str]:
    """Send records that are none of ours, and frames of which each spoils its visit; the ids of these visits."""
    frames, captures = line.NAMESPACE.topic("frames"), line.NAMESPACE.topic("captures")
    now = time.time_ns() // 1_000_000
    with tested.running.broker.producer(client="rubbish") as producer:
        for topic in (frames, captures, line.NAMESPACE.topic("decisions")):
            producer.send(OutRecord(topic, b"?", b"not one of ours", (), 0)).result(15)
        for number, rubbish in enumerate(RUBBISH):
            for record in spoilt_visit(rubbish, number, now):
                producer.send(record).result(15)
    return [f"rubbish.{number}" for number in range(len(RUBBISH))]


def spoilt_visit(rubbish: Rubbish, number: int, now: int) -> tuple[OutRecord, OutRecord]:
    """Capture and frame of a visit, as a camera of its own would have sent them."""
    visit, frame = f"rubbish.{number}", f"rubbish.{number}.top.0-{number}"
    same = {
        "visit_id": visit,
        "frame_id": frame,
        "camera_id": "cam-rubbish",
        "captured_ms": now,
        "decide_by_ms": now + 8_000,
        "recipe": RecipeRef(recipe_id="demo-part", version=1 if rubbish.known_recipe else 99),
        "sha256": digest(rubbish.payload if rubbish.honest_digest else b"something else"),
    }
    sample = next(message for message in SAMPLES if isinstance(message, Capture))
    capture = sample.model_copy(update=same | {"spool_epoch": 0, "sequence": number, "returned": None})
    partition = partition_of(visit, line.PARTITIONS)
    sent = encode(capture, id=frame, source="/test", time_ms=now)
    picture = encode_frame(FRAME_METADATA.model_copy(update=same), rubbish.payload, source="/test")
    key = visit.encode()
    return (
        OutRecord(line.NAMESPACE.topic("captures"), key, sent.value, sent.headers, partition),
        OutRecord(line.NAMESPACE.topic("frames"), key, picture.value, picture.headers, partition),
    )
