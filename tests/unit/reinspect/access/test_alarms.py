"""Who may do what with alarms at the station, and what is answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from linewarden_runtime.alarm_book import AlarmBook
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.alarm_vocabulary import AlarmStage
from linewarden_schemas.vocabulary import CameraCondition, Role
from tests.support.alarm_line import alarm_process, beat, topics_of_a_line
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT

DARK = "line1.camera_dark.cam1"


@pytest.fixture
def made() -> Iterator[Rig]:
    """A station in memory of its own."""
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        one.station.stop.set()  # streams end at once
        yield one


@contextmanager
def kept(made: Rig) -> Iterator[None]:
    """A line's process and the station's look at alarms, on a thread of their own."""
    stop, ready, started = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with (
            alarm_process(made.broker, made.namespace, made.clock) as process,
            AlarmBook(made.broker, made.namespace, 0) as book,
        ):
            process.start()
            started.set()
            while not stop.is_set():
                process.step()
                book.refresh()
                made.station.alarms.take(book)
                if made.station.alarms.alarms:
                    ready.set()

    topics_of_a_line(made.broker, made.namespace)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert started.wait(30)  # what a camera told before, the process takes as old
        beat(made.broker, made.namespace, made.clock, "cam1", CameraCondition.DARK)
        assert ready.wait(30)
        yield
    finally:
        stop.set()
        thread.join()


def stage(made: Rig) -> AlarmStage:
    return next(one.stage for one in made.station.alarms.alarms if one.alarm_id == DARK)


def test_an_operator_acknowledges_and_may_put_nothing_aside(made: Rig) -> None:
    with kept(made):
        operator = Person(made, Role.OPERATOR)
        shown = operator.get("/api/alarms").json()
        assert [(row["kind"], row["is_new"]) for row in shown["rows"]] == [("camera_dark", True)]
        assert shown["lines"][0]["is_kept"]
        done = operator.post(f"/api/alarms/{DARK}/acknowledge", {"occurrence": 1})
        assert (done.status_code, done.json()) == (200, {"step": "acknowledged"})
        again = operator.post(f"/api/alarms/{DARK}/acknowledge", {"occurrence": 1})
        assert (again.status_code, again.json()["error"]) == (409, "alarm_refused")
        refused = operator.post(f"/api/alarms/{DARK}/wish", {"occurrence": 1, "doing": "shelve", "minutes": 10})
        assert refused.status_code == 403
        assert stage(made) is AlarmStage.ACKNOWLEDGED


def test_what_came_after_what_was_seen_is_not_acknowledged(made: Rig) -> None:
    with kept(made):
        late = Person(made, Role.LEAD).post(f"/api/alarms/{DARK}/acknowledge", {"occurrence": 0})
        assert late.status_code == 409
        assert stage(made) is AlarmStage.UNACKNOWLEDGED


def test_a_lead_puts_aside_and_takes_back_and_the_history_names_both(made: Rig) -> None:
    with kept(made):
        lead = Person(made, Role.LEAD)
        wish = {"occurrence": 1, "doing": "shelve", "minutes": 10, "comment": "lamp is ordered"}
        assert lead.post(f"/api/alarms/{DARK}/wish", wish).json() == {"step": "shelved"}
        assert [one["alarm_id"] for one in lead.get("/api/alarms").json()["aside"]] == [DARK]
        back = lead.post(f"/api/alarms/{DARK}/wish", {"occurrence": 1, "doing": "unshelve"})
        assert back.json() == {"step": "unshelved"}
        steps = lead.get("/api/alarms/history?hours=1").json()["steps"]
        assert [(one["step"], one["comment"]) for one in steps] == [
            ("unshelved", ""),
            ("shelved", "lamp is ordered"),
            ("raised", ""),
        ]


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"occurrence": 1, "doing": "shelve"}, 422),
        ({"occurrence": 1, "doing": "shelve", "minutes": 481}, 422),
        ({"occurrence": 1, "doing": "reset", "minutes": 5}, 422),
        ({"occurrence": 1, "doing": "count"}, 422),
        ({"occurrence": 1, "doing": "reset"}, 409),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(made: Rig, wish: dict[str, object], status: int) -> None:
    with kept(made):
        assert Person(made, Role.LEAD).post(f"/api/alarms/{DARK}/wish", wish).status_code == status
        assert stage(made) is AlarmStage.UNACKNOWLEDGED


def test_an_alarm_that_is_none_is_not_found(made: Rig) -> None:
    answer = Person(made, Role.LEAD).post("/api/alarms/line1.camera_dark.cam9/acknowledge", {"occurrence": 1})
    assert (answer.status_code, answer.json()["error"]) == (404, "no_such_alarm")
