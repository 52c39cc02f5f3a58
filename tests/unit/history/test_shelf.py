"""Visits come back whole from the shelf, whatever the order of the records."""

from __future__ import annotations

from linewarden_history.reading import WrittenAt
from linewarden_history.reports.gather import gather, tell_visits
from linewarden_history.reports.store import VisitStore
from linewarden_history.selection import Selection
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.records import OutRecord
from linewarden_schemas.envelope import encode
from linewarden_schemas.vocabulary import Cause, Outcome, Routing, Verdict
from tests.support.lines import NAMESPACE, by_topic, line, maps, passes, rejects, reviewed
from tests.support.shift import AT, capture, disposition, inspection, visit

EVERYTHING = Selection(0, AT * 2)


def test_messages_of_a_visit_come_together_in_the_order_in_which_they_were_put() -> None:
    with VisitStore() as shelf:
        for number in (2, 1):
            shelf.put(visit(number), inspection(number))
        for number in (1, 2):
            shelf.put(visit(number), capture(number), WrittenAt(number, AT, "t[0]@7"))
        found = list(shelf.visits())
    assert [name for name, *_ in found] == [visit(1), visit(2)]
    assert found[0][1:] == ([inspection(1), capture(1)], [WrittenAt(), WrittenAt(1, AT, "t[0]@7")])


def test_gaps_between_given_numbers_and_to_the_last_told_one_are_named_camera_by_camera() -> None:
    with VisitStore() as shelf:
        for run, given in (("l.s.cam1.epoch1", (7, 3, 4, 4)), ("l.s.cam2.epoch1", (5,))):
            for number in given:
                shelf.put_sequence(run, number, f"f{number}")
        for run, last in (
            ("l.s.cam1.epoch1", 7),
            ("l.s.cam2.epoch1", 6),
            ("l.s.cam2.epoch1", 5),
            ("l.s.cam3.epoch1", 9),
        ):
            shelf.put_last(run, last)
        assert list(shelf.gaps()) == ["l.s.cam1.epoch1.seq5-6", "l.s.cam2.epoch1.seq6-6"]


def test_a_number_given_to_two_frames_names_both() -> None:
    with VisitStore() as shelf:
        for frame in ("a", "a", "b", "c"):
            shelf.put_sequence("run", 1 if frame != "c" else 2, frame)
        assert list(shelf.doubled()) == ["a", "b"]


def test_the_file_ends_with_its_block() -> None:
    with VisitStore() as shelf:
        folder = shelf._folder.name
        shelf.put(visit(1), capture(1))
    assert not shelf._folder._finalizer.alive, folder  # type: ignore[attr-defined]


def test_a_story_joins_topics_and_keeps_first_and_newest_routing() -> None:
    told = reviewed(1, Cause.LOW_TRUST, outcome=Outcome.SCRAP)
    broker = line(*by_topic(reversed(told)), *by_topic([disposition(1, Routing.TRUSTED_PASS)]))
    with VisitStore() as shelf:
        gather(broker, NAMESPACE, EVERYTHING, shelf)
        (story,) = tell_visits(shelf, EVERYTHING)
    assert story.latest is not None
    assert story.latest.revision == 1
    assert [one.decision_id for one in story.counted] == ["d1"]
    assert story.found_bad
    assert story.is_defective


def test_visits_outside_the_stretch_and_of_other_lines_are_not_told() -> None:
    broker = line(*by_topic(passes(1) + passes(2) + passes(3)))
    with VisitStore() as shelf:
        stretch = Selection(AT + 2, AT + 2, "line1")
        gather(broker, NAMESPACE, stretch, shelf)
        assert [one.visit_id for one in tell_visits(shelf, stretch)] == [visit(2)]
    with VisitStore() as shelf:
        other = Selection(0, AT * 2, "line9")
        gather(broker, NAMESPACE, other, shelf)
        assert list(tell_visits(shelf, other)) == []


def test_what_is_none_of_ours_is_counted_with_its_place() -> None:
    broker = line(*by_topic(passes(1)))
    with broker.producer(client="test") as producer:
        producer.send(OutRecord(NAMESPACE.topic("captures"), b"k", b"noise", (), 1)).result(5)
    with VisitStore() as shelf:
        unreadable, _ = gather(broker, NAMESPACE, EVERYTHING, shelf)
    assert (unreadable.count, unreadable.places) == (1, ["line1.captures[1]@0"])


def test_only_the_mask_of_a_rejected_frame_stays_of_the_maps() -> None:
    broker = line(*by_topic([*rejects(1, (0, 0, 3, 3)), *passes(2), inspection(3, maps=maps())]))
    with VisitStore() as shelf:
        gather(broker, NAMESPACE, EVERYTHING, shelf)
        found = [one for story in tell_visits(shelf, EVERYTHING) for one in story.inspections.values()]
    assert [one.maps is not None for one in found] == [one.verdict is Verdict.NG for one in found]
    assert found[0].maps is not None
    assert found[0].maps.class_agnostic_png == b""


def test_what_a_camera_sent_after_an_outage_and_what_one_with_a_clock_ahead_took_is_found_by_captured_time() -> None:
    hour = 3_600_000
    for number, appended_ms in ((1, AT + 20 * hour), (hour, AT)):
        broker = line()
        assert isinstance(broker.clock, ManualClock)
        broker.clock.advance((appended_ms - AT) / 1000)
        for name, message in by_topic(passes(number)):
            encoded = encode(message, id=f"{name}.{number}", source="/line1/test", time_ms=AT)
            broker.append(OutRecord(NAMESPACE.topic(name), b"k", encoded.value, encoded.headers, 0))
        stretch = Selection(AT + number, AT + number)
        with VisitStore() as shelf:
            gather(broker, NAMESPACE, stretch, shelf)
            assert [one.visit_id for one in tell_visits(shelf, stretch)] == [visit(number)]
