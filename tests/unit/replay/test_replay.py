"""A replay says what changed, and can touch nothing that is live."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from linewarden.commands.options import chosen, parse_time
from linewarden_history.selection import Selection
from linewarden_replay.compare import DifferenceKind, FrameAnswer, Tolerances, kind_of
from linewarden_replay.inspecting import ReplayPlan, Setting
from linewarden_replay.replay import run
from linewarden_replay.report import ReplayReport
from linewarden_runtime.errors import LiveTopicRefused
from linewarden_runtime.guard import IsolatedProducer
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import Routing, Undecidable
from linewarden_vision.errors import BundleError
from tests.support.bundles import digest_in
from tests.support.frames import AT, recipe
from tests.support.shift import disposition, inspection
from tests.unit.inspect.harness import NAMESPACE, answer, inspections, memory_line
from tests.unit.inspect.test_worker import good

ALL = Selection(0, 1 << 52)


def line(store: Path, count: int = 20) -> MemoryBroker:
    """A line that inspected some frames, one of them late and one damaged."""
    broker = memory_line(recipe(digest_in(store, "a")))
    frames = [good(number) for number in range(count)]
    answer(broker, store, *frames, good(100, decide_by_ms=1), good(101, sent=b"\xff\xd8\xff"))
    return broker


def again(
    broker: MemoryBroker, store: Path, selection: Selection = ALL, bundle: str | None = None, name: str = "r1"
) -> ReplayReport:
    return run(broker, NAMESPACE, ReplayPlan(selection, store, Setting(bundle), "cpu", name=name))


def replayed(broker: MemoryBroker) -> list[Inspection]:
    found = [decode(r.headers, r.value).message for r in broker.records("replay.r1.inspections")]
    return [message for message in found if isinstance(message, Inspection)]


def sizes(broker: MemoryBroker) -> dict[str, int]:
    return {topic: len(broker.records(topic)) for topic in broker.counts() if topic.startswith("line1.")}


def test_the_same_bundle_says_the_same_of_every_frame_and_live_topics_stay_as_they_are(bundle_store: Path) -> None:
    broker = line(bundle_store)
    before = sizes(broker)
    report = again(broker, bundle_store)
    assert report.frames == 22
    assert report.differences == ()
    assert report.largest_deviation < 1e-5
    assert sizes(broker) == before
    assert {one.frame_id for one in replayed(broker)} == {one.frame_id for one in inspections(broker)}
    assert all(one.is_simulated for one in replayed(broker))
    with broker.admin() as admin:
        assert admin.committed("replay.r1.inspect") == {}


def test_a_selection_is_by_the_time_of_capture_and_by_line(bundle_store: Path) -> None:
    broker = line(bundle_store)
    some = Selection(AT + 3, AT + 7)
    assert again(broker, bundle_store, some).frames == 5
    other = Selection(0, 1 << 52, "line2")
    assert again(broker, bundle_store, other, name="r2").frames == 0
    with pytest.raises(ValueError, match="before it begins"):
        Selection(5, 4)


def test_words_that_a_frame_does_not_tell_choose_its_visit_by_the_index(bundle_store: Path, tmp_path: Path) -> None:
    broker = line(bundle_store)
    for number in range(20):
        publish(broker, disposition(number, Routing.TRUSTED_PASS, lot_id="L1" if number < 4 else "L2"))
    of_lot = Selection(0, 1 << 52, lot_id="L1")
    with chosen(of_lot, tmp_path / "index", lambda: (broker, NAMESPACE), hidden=True) as is_chosen:
        report = run(broker, NAMESPACE, ReplayPlan(of_lot, bundle_store, device="cpu"), is_chosen=is_chosen)
    assert (report.frames, report.differences) == (4, ())
    other = Selection(0, 1 << 52, camera_id="cam2")
    assert again(broker, bundle_store, other, name="r2").frames == 0


def test_another_bundle_is_compared_and_passes_it_would_not_pass_are_listed(bundle_store: Path) -> None:
    broker = line(bundle_store, 40)
    for number in range(40):
        publish(broker, disposition(number, Routing.TRUSTED_PASS))
    report = again(broker, bundle_store, bundle=digest_in(bundle_store, "b"))
    doubted = {one.visit_id for one in replayed(broker) if one.is_doubtful}
    passed = {disposition(number, Routing.TRUSTED_PASS).visit_id for number in range(40)}
    assert report.by_kind["verdict"] + report.by_kind["trust"] + report.by_kind["numbers"] >= 40
    assert report.by_cause == {"bundle": report.differing}
    assert {one.visit_id for one in report.containment} == doubted & passed
    assert report.containment
    assert {one.bundle_digest for one in replayed(broker) if one.undecidable is None} == {digest_in(bundle_store, "b")}


def test_a_bundle_that_is_not_in_the_store_is_an_error_and_no_report(bundle_store: Path) -> None:
    broker = line(bundle_store, 1)
    with pytest.raises(BundleError, match="copy its folder"):
        again(broker, bundle_store, bundle="0" * 64)


def test_a_frame_without_recorded_answer_is_a_difference(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    broker.append(good(1))
    report = again(broker, bundle_store)
    assert [difference.kind for difference in report.differences] == [DifferenceKind.NOT_RECORDED]


def test_a_replay_of_a_replay_is_refused(bundle_store: Path) -> None:
    with pytest.raises(LiveTopicRefused, match="itself a simulation"):
        run(MemoryBroker(), Namespace("replay.r1"), ReplayPlan(ALL, bundle_store))


def test_a_simulation_cannot_write_to_a_live_topic() -> None:
    broker = memory_line()
    with pytest.raises(LiveTopicRefused, match="live namespace"):
        IsolatedProducer(broker.producer(), NAMESPACE)
    with IsolatedProducer(broker.producer(), Namespace("replay.r1")) as producer:
        for topic in ("line1.inspections", "replay.r10.inspections", "replay.inspections", "dispositions"):
            with pytest.raises(LiveTopicRefused):
                producer.send(OutRecord(topic, b"k", b"v"))
    assert broker.records("line1.inspections") == []


def test_what_differs_is_named_by_its_weightiest_part() -> None:
    recorded = FrameAnswer.of(inspection(0, p=0.1, suspicion=0.1))

    def kind(**changed: float | Undecidable) -> DifferenceKind | None:
        return kind_of(recorded, FrameAnswer.of(inspection(0, **changed)), Tolerances())  # type: ignore[arg-type]

    assert kind() is None
    assert kind(p=0.10005) is None
    assert kind(p=0.2) is DifferenceKind.NUMBERS
    assert kind(suspicion=0.7) is DifferenceKind.TRUST
    assert kind(p=0.9) is DifferenceKind.VERDICT
    assert kind(undecidable=Undecidable.LATE) is DifferenceKind.VERDICT
    elsewhere = FrameAnswer.of(inspection(0, p=0.11, suspicion=0.1, device="cuda"))
    assert kind_of(recorded, elsewhere, Tolerances()) is None, "another device has a tolerance of its own"
    assert kind_of(recorded, elsewhere, Tolerances(across=1e-3)) is DifferenceKind.NUMBERS


def test_times_are_iso_or_epoch_milliseconds() -> None:
    assert parse_time("1764000000000") == 1_764_000_000_000
    assert parse_time("2025-11-24T16:00") == 1_764_000_000_000
    assert parse_time("2025-11-24T17:00+01:00") == 1_764_000_000_000
    with pytest.raises(typer.BadParameter, match="14:00, -2h"):
        parse_time("yesterday")


@pytest.mark.parametrize("text", ["1764000000", "17640000000000", "20251", "-1764000000000", "²", "20251124160000"])
def test_the_unit_of_a_number_is_never_guessed(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_time(text)


def test_eight_digits_are_a_day() -> None:
    assert parse_time("20251124") == parse_time("2025-11-24") == 1_763_942_400_000


def publish(broker: MemoryBroker, message: Message) -> None:
    encoded = encode(message, id="d", source="/line1/route", time_ms=AT)
    broker.append(OutRecord(NAMESPACE.topic("dispositions"), b"v", encoded.value, encoded.headers, 0))
