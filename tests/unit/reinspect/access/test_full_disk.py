"""A full disk below the station's own files: nothing is acknowledged that is not kept, and nothing is lost."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from linewarden_reinspect.station.access.access import AccessRules
from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.insight.index import HistoryIndex
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.vocabulary import Role
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT

ACT = "INSERT INTO audit (at_ms, actor, role, act, object, outcome, detail, address) VALUES (?,'a','b','c','','d',?,'')"
LARGE = "x" * 400


@contextmanager
def no_room(folder: Path) -> Iterator[None]:
    """No file grows beyond what the largest one here has: the kernel refuses the write, as on a full disk."""
    largest = max(path.stat().st_size for path in folder.iterdir())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock, rules=AccessRules(folder=tmp_path)) as one:
        for number in range(200):
            one.station.access.book.write(ACT, number, LARGE)
        yield one


def write_much(book: StationBook) -> None:
    with book.change() as connection:
        connection.executemany(ACT, [(number, LARGE) for number in range(20_000)])


def acts(book: StationBook) -> int:
    row = book.row("SELECT count(*) AS n FROM audit")
    assert row is not None
    return int(row["n"])


def test_a_book_on_a_full_disk_keeps_what_it_acknowledged_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    book = StationBook(tmp_path)
    kept = 0
    for number in range(20):
        book.write(ACT, number, LARGE)
        kept += 1
    with no_room(tmp_path):
        for number in range(50):
            with pytest.raises(sqlite3.Error):
                book.write(ACT, number, LARGE)
        with pytest.raises(sqlite3.Error):
            write_much(book)
    assert acts(book) == kept
    book.write(ACT, 99, LARGE)
    book.close()
    assert acts(StationBook(tmp_path)) == kept + 1


def test_a_decision_on_a_full_disk_is_not_acknowledged_and_the_same_request_is_the_same_decision_later(
    made: Rig, tmp_path: Path
) -> None:
    slot = made.open_slot(1)
    made.settle()
    person = Person(made, Role.OPERATOR)
    visit = person.post("/api/claim").json()["visit"]
    shown = [{"frame_id": frame["frame_id"], "layers": ["picture"]} for frame in visit["frames"]]
    for frame in visit["frames"]:
        assert person.get(f"/frames/{frame['frame_id']}/picture").status_code == 200
    body = {"token": visit["token"], "judgement": "NG", "shown": shown}
    assert person.post(f"/api/slots/{slot.slot_id}/first", body).status_code == 200
    with no_room(tmp_path):
        answer = person.post(f"/api/slots/{slot.slot_id}/decision", body)
        assert (answer.status_code, answer.json()["error"]) == (503, "book_away")
        assert "disk" in answer.json()["message"]
    again = person.post(f"/api/slots/{slot.slot_id}/decision", body)
    assert again.status_code == 200
    (decision,) = made.decisions()
    assert again.json()["decision"]["decision_id"] == decision.decision_id


def test_a_page_on_a_full_disk_says_so_and_nobody_is_signed_in_who_is_not_in_the_book(
    made: Rig, tmp_path: Path
) -> None:
    person = Person(made, Role.ADMIN)
    made.clock.advance(600)  # type: ignore[attr-defined]  # a manual clock
    with no_room(tmp_path):
        page = person.get("/")
        assert page.status_code == 503
        assert page.headers["content-type"].startswith("text/html")
        assert "own book cannot be written" in page.text
        with pytest.raises(AssertionError, match="book_away"):
            Person(made, Role.LEAD)
    assert person.get("/").status_code in {200, 303}
    assert Person(made, Role.LEAD).get("/api/me").status_code == 200


def test_an_index_that_cannot_be_written_waits_and_goes_on_when_there_is_room(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower, stop = made.station.insight.follower, Stop()
    refused: list[object] = []

    def take(*given: object) -> None:
        if len(refused) < 3:
            refused.append(given)
            raise sqlite3.OperationalError("database or disk is full")
        stop.set("the test has what it wants")

    monkeypatch.setattr(HistoryIndex, "take", take)
    made.open_slot(1)
    follower.run(stop.event)
    assert len(refused) == 3
