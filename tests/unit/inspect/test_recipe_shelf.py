"""Recipes that cannot be renewed are believed for a stated time, and no longer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden_domain.words import said
from linewarden_inspect.recipe_shelf import RecipeShelf
from linewarden_runtime.books import RecipeBook
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.health import Health
from linewarden_schemas.vocabulary import Undecidable, Verdict
from linewarden_vision.inspecting.refusal import PictureRefused
from tests.support.bundles import digest_in
from tests.support.frames import recipe
from tests.unit.inspect.harness import (
    NAMESPACE,
    CountingStop,
    dead_letters,
    everything_is_committed,
    inspections,
    memory_line,
    worker,
)
from tests.unit.inspect.test_worker import good

BUNDLE = "b" * 64
PATIENCE_S = 30.0


class HandClock(ManualClock):
    """Time goes by as the test moves it; who waits looks again soon."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(0.001)


class Book(RecipeBook):
    """The recipes of a broker that may be cut off; `looks` is released at each look."""

    is_cut_off = False

    def refresh(self) -> None:
        if self.is_cut_off:
            raise BrokerUnavailable("cut off")
        super().refresh()
        self.looked.release()

    looked = threading.Semaphore(0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def book() -> Book:
    book = Book(memory_line(recipe(BUNDLE)), NAMESPACE)
    book.looked = threading.Semaphore(0)
    return book


@pytest.fixture
def shelf(clock: HandClock, book: Book) -> Iterator[RecipeShelf]:
    made = RecipeShelf(lambda: book, wait_s=0.0, refresh_s=1.0, stale_s=60.0, clock=clock)
    made.start()
    yield made
    made.close()


def look_anew(book: Book) -> None:
    """Until a look that began after this call has come to its end."""
    while book.looked.acquire(blocking=False):
        pass
    for _ in range(3):
        assert book.looked.acquire(timeout=PATIENCE_S)


def test_what_cannot_be_renewed_is_believed_for_a_while_and_then_refused_until_it_can(
    clock: HandClock, book: Book, shelf: RecipeShelf
) -> None:
    wanted = recipe(BUNDLE)
    look_anew(book)
    book.is_cut_off = True
    clock.advance(60.0)
    assert shelf.get(wanted.ref()) == wanted
    clock.advance(0.5)
    with pytest.raises(PictureRefused, match="could not be renewed for 60 s") as refused:
        shelf.get(wanted.ref())
    assert refused.value.reason is Undecidable.UNKNOWN_RECIPE
    assert not refused.value.is_record_fault, "nothing is wrong with the frame"
    book.is_cut_off = False
    look_anew(book)
    assert shelf.get(wanted.ref()) == wanted
    assert shelf.stale() is None


def test_frames_are_answered_in_doubt_where_recipes_are_stale_and_health_says_so(
    bundle_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecipeShelf, "stale", lambda _: said("recipes_stale", seconds=61))
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    told: list[dict[str, str]] = []
    monkeypatch.setattr(Health, "unwell", lambda _, found: told.append(dict(found)))
    for number in range(3):
        broker.append(good(number))
    worker(broker, bundle_store).run(CountingStop(lambda: everything_is_committed(broker)))
    answers = inspections(broker)
    assert {(one.verdict, one.undecidable) for one in answers} == {(Verdict.NOT_DECIDABLE, Undecidable.UNKNOWN_RECIPE)}
    assert all("could not be renewed" in reason for one in answers for reason in one.reasons)
    assert not dead_letters(broker)
    assert "nothing is judged" in told[-1]["recipes"]
