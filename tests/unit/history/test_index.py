"""The index tells a part's whole story, goes on where it stopped, and keeps what the topics forget."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from linewarden.commands import select
from linewarden_history.index.following import catch_up
from linewarden_history.index.store import IndexUnusable, StoryIndex
from linewarden_history.index.story import count, is_selected, selected, stories
from linewarden_history.selection import Selection
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Returned
from linewarden_schemas.decision import Decision
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import slot_id
from linewarden_schemas.vocabulary import Cause, Judgement, Loss, Outcome, Role, Routing, Verdict
from tests.support.shift import (
    AT,
    SHA,
    capture,
    decided,
    disposition,
    inspection,
    passed,
    rejected,
    slot_close,
    slot_open,
    visit,
)
from tests.unit.inspect.harness import NAMESPACE, memory_line

DIGEST = "d" * 64
EVER = Selection(0, 1 << 52)
_TOPIC = {
    "Capture": "captures",
    "Inspection": "inspections",
    "Disposition": "dispositions",
    "SlotOpen": "reinspections",
    "SlotClose": "reinspections",
    "Decision": "decisions",
}


def publish(broker: MemoryBroker, *messages: Message) -> None:
    for message in messages:
        encoded = encode(message, id="x", source="/test", time_ms=AT)
        key = str(message.visit_id).encode()  # type: ignore[attr-defined]
        topic = NAMESPACE.topic(_TOPIC[type(message).__name__])
        broker.append(OutRecord(topic, key, encoded.value, encoded.headers, partition_of(key, 2)))


def judged(number: int, actor: str = "op-1") -> Decision:
    return Decision(
        decision_id=f"d-{number}",
        slot_id=slot_id(visit(number), 0, 0),
        visit_id=visit(number),
        judgement=Judgement.OK,
        outcome=Outcome.ACCEPT,
        actor=actor,
        role=Role.OPERATOR,
        decided_ms=AT + number + 4_000,
    )


def reviewed(number: int, **facts: Any) -> list[Message]:
    """A visit diverted, judged and accepted."""
    return [
        capture(number, **facts),
        inspection(number, suspicion=0.9),
        disposition(number, Routing.DIVERTED, Cause.LOW_TRUST, final=False),
        slot_open(number),
        judged(number),
        slot_close(number, AT + number + 5_000),
        disposition(
            number, Routing.DIVERTED, Cause.LOW_TRUST, revision=1, outcome=Outcome.ACCEPT, actors=("op-1",),
            decided_ms=AT + number + 5_000,
        ),
    ]  # fmt: skip


@pytest.fixture
def broker() -> MemoryBroker:
    return memory_line()


@pytest.fixture
def index(broker: MemoryBroker) -> Iterator[StoryIndex]:
    with StoryIndex(None, NAMESPACE.name) as opened:
        yield opened


def test_a_recipe_is_told_with_the_digest_of_its_content(broker: MemoryBroker, index: StoryIndex) -> None:
    bare = capture(1, part_id="P1")
    named = bare.recipe.model_copy(update={"digest": DIGEST})
    publish(broker, bare.model_copy(update={"recipe": named}), *passed(1)[1:], *passed(2))
    catch_up(broker, NAMESPACE, index)
    (story,) = stories(index, "P1")
    assert (story.facts["recipe"], story.facts["recipe_digest"]) == (named.name, DIGEST)
    assert [one["recipe_digest"] for one in selected(index, EVER)] == [DIGEST, None]
    told = [select._row(one)["recipe"] for one in selected(index, EVER)]
    assert told == [f"{named.name}@{'d' * 12}", named.name]


def test_an_index_of_an_older_version_goes_on_and_tells_digests_of_what_comes(
    broker: MemoryBroker, tmp_path: Path
) -> None:
    with StoryIndex(tmp_path / "index", NAMESPACE.name) as old:
        publish(broker, *passed(1))
        catch_up(broker, NAMESPACE, old)
    with closing(sqlite3.connect(tmp_path / "index")) as file:
        file.executescript("ALTER TABLE visits DROP COLUMN recipe_digest; PRAGMA user_version=2;")
    named = capture(2).recipe.model_copy(update={"digest": DIGEST})
    publish(broker, capture(2).model_copy(update={"recipe": named}))
    with StoryIndex(tmp_path / "index", NAMESPACE.name) as index:
        catch_up(broker, NAMESPACE, index)
        assert [one["recipe_digest"] for one in selected(index, EVER)] == [None, DIGEST]


def test_a_serial_gives_every_passage_with_all_that_happened_in_order(broker: MemoryBroker, index: StoryIndex) -> None:
    back = Returned(previous_visit_id=visit(1), authority="rw-7")
    publish(broker, *reviewed(1, part_id="P1", lot_id="L1"), *passed(2))
    publish(broker, capture(9, part_id="P1", returned=back), inspection(9), disposition(9, Routing.TRUSTED_PASS))
    catch_up(broker, NAMESPACE, index)
    first, second = stories(index, "P1")
    assert [one.kind for one in first.happened] == [
        "captured", "inspected", "routed", "asked", "judged", "revised", "closed",
    ]  # fmt: skip
    assert first.facts | {"lot_id": "L1", "routing": "diverted", "outcome": "accept", "final": 1} == first.facts
    assert first.happened[4].told["judgement"] == "OK"
    assert [one["verdict"] for one in first.frames] == ["OK"]
    assert second.facts["returned_from"] == visit(1)
    assert [story.visit_id for story in stories(index, visit(9))] == [visit(1), visit(9)]
    assert [story.visit_id for story in stories(index, visit(1))] == [visit(1), visit(9)]
    assert stories(index, "nobody") == []


def test_the_index_goes_on_where_it_stopped_and_reads_nothing_twice(broker: MemoryBroker, tmp_path: Path) -> None:
    publish(broker, *passed(1), *passed(2))
    read: list[int] = []
    with StoryIndex(tmp_path / "i", NAMESPACE.name) as index:
        catch_up(broker, NAMESPACE, index, progress=lambda _name, done: read.append(done))
    publish(broker, *decided(3))
    with StoryIndex(tmp_path / "i", NAMESPACE.name) as index:
        catch_up(broker, NAMESPACE, index, progress=lambda _name, done: read.append(-done))
        assert count(index, EVER) == 3
    assert sum(one for one in read if one > 0) == 6
    assert sum(one for one in read if one < 0) == -7


def test_an_index_of_an_interrupted_reading_ends_as_one_that_was_not(broker: MemoryBroker, index: StoryIndex) -> None:
    publish(broker, *(message for number in range(9) for message in reviewed(number)))

    class Interrupted(Exception):
        pass

    def interrupt(name: str, _done: int) -> None:
        if name == "dispositions":
            raise Interrupted

    with pytest.raises(Interrupted):
        catch_up(broker, NAMESPACE, index, progress=interrupt)
    catch_up(broker, NAMESPACE, index)
    with StoryIndex(None, NAMESPACE.name) as whole:
        catch_up(broker, NAMESPACE, whole)
        for number in range(9):
            assert stories(index, visit(number)) == stories(whole, visit(number))


def test_what_retention_took_away_stays_in_the_index_and_what_was_missed_is_counted(
    broker: MemoryBroker, index: StoryIndex
) -> None:
    publish(broker, *reviewed(1, part_id="P1"))
    catch_up(broker, NAMESPACE, index)
    before = stories(index, "P1")
    publish(broker, *passed(2))
    for position in {record.position for record in broker.records(NAMESPACE.topic("captures"))}:
        broker.log(position).delete_before(broker.log(position).end)
    catch_up(broker, NAMESPACE, index)
    assert stories(index, "P1") == before
    assert sum(place.taken_away for place in index.places()) == 1
    assert [one.kind for one in stories(index, visit(2))[0].happened] == ["inspected", "routed"]


def test_topics_made_anew_or_another_namespace_are_refused_and_the_file_stays(
    broker: MemoryBroker, tmp_path: Path
) -> None:
    publish(broker, *passed(1))
    with StoryIndex(tmp_path / "i", NAMESPACE.name) as index:
        catch_up(broker, NAMESPACE, index)
    with StoryIndex(tmp_path / "i", NAMESPACE.name) as index:
        with pytest.raises(IndexUnusable, match="made anew"):
            catch_up(memory_line(), NAMESPACE, index)
        assert count(index, EVER) == 1
    with pytest.raises(IndexUnusable, match="is of line1, not of line2"):
        StoryIndex(tmp_path / "i", "line2")
    (tmp_path / "other").write_text("no index of ours, and more than a few bytes of it " * 10)
    with pytest.raises(IndexUnusable, match="--index"):
        StoryIndex(tmp_path / "other", NAMESPACE.name)


def test_records_that_cannot_be_read_are_counted_and_the_rest_is_there(broker: MemoryBroker, index: StoryIndex) -> None:
    broker.append(OutRecord(NAMESPACE.topic("captures"), b"v", b"?", (), 0))
    publish(broker, *passed(1))
    catch_up(broker, NAMESPACE, index)
    assert sum(place.unreadable for place in index.places()) == 1
    assert count(index, EVER) == 1


def test_the_first_inspection_and_the_first_routing_count_and_the_latest_outcome(
    broker: MemoryBroker, index: StoryIndex
) -> None:
    publish(broker, *reviewed(1), inspection(1, p=0.9))
    catch_up(broker, NAMESPACE, index)
    (story,) = stories(index, visit(1))
    assert [one["verdict"] for one in story.frames] == ["OK"]
    assert (story.facts["routing"], story.facts["revision"], story.facts["outcome"]) == ("diverted", 1, "accept")
    assert [one.kind for one in story.happened].count("inspected") == 2


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"lot_id": "L1"}, [0, 1]),
        ({"part_id": "P2"}, [2]),
        ({"camera_id": "cam2"}, [3]),
        ({"recipe": "bracket"}, [0, 1, 2, 3, 4]),
        ({"recipe": "bracket@2"}, []),
        ({"bundle": SHA, "verdict": Verdict.NG}, [1]),
        ({"verdict": Verdict.NOT_DECIDABLE}, []),
        ({"routing": Routing.DIVERTED}, [2, 4]),
        ({"operator": "op-1"}, [2]),
        ({"operator": "op-1", "lot_id": "L1"}, []),
        ({"line_id": "line2"}, []),
    ],
)
def test_words_select_together(
    words: dict[str, Any], numbers: list[int], broker: MemoryBroker, index: StoryIndex
) -> None:
    in_lot = capture(0, lot_id="L1")
    publish(broker, in_lot, inspection(0), disposition(0, Routing.TRUSTED_PASS, lot_id="L1"))
    publish(broker, *rejected(1)[:2], disposition(1, Routing.REJECTED, lot_id="L1"), *reviewed(2, part_id="P2"))
    publish(broker, capture(3, camera_id="cam2"), disposition(3, Routing.TRUSTED_PASS))
    publish(broker, capture(4, lost=Loss.OVERSIZE), disposition(4, Routing.DIVERTED, Cause.FAULT))
    catch_up(broker, NAMESPACE, index)
    selection = Selection(AT, AT + 10, **words)
    assert [one["visit_id"] for one in selected(index, selection)] == [visit(number) for number in numbers]
    assert count(index, selection) == len(numbers)
    assert [number for number in range(5) if is_selected(index, selection, visit(number))] == numbers
    assert count(index, Selection(AT + 5, AT + 10, **words)) == 0


def test_selections_compose_and_what_excludes_each_other_is_an_error() -> None:
    both = Selection(0, 50, lot_id="L1") & Selection(10, 90, routing=Routing.DIVERTED)
    assert both == Selection(10, 50, lot_id="L1", routing=Routing.DIVERTED)
    assert both.needs_index
    assert not Selection(0, 1, "line1", camera_id="cam1", recipe="r@1").needs_index
    with pytest.raises(ValueError, match="no visit has lot_id"):
        _ = both & Selection(0, 50, lot_id="L2")
    with pytest.raises(ValueError, match="before it begins"):
        _ = Selection(0, 5) & Selection(6, 9)
