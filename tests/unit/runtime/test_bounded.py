"""What is kept stays within its bound, and waits within theirs."""

from __future__ import annotations

import random

import pytest

from linewarden_runtime.backoff import Backoff
from linewarden_runtime.bounded import Bounded


def test_the_entry_that_was_put_in_first_is_given_up_first() -> None:
    kept: Bounded[str, int] = Bounded(2)
    for number, name in enumerate("abac"):
        kept[name] = number
    assert list(kept.items()) == [("b", 1), ("c", 3)]


def test_an_entry_that_is_moved_to_the_end_counts_as_new() -> None:
    kept: Bounded[str, list[int]] = Bounded(2)
    for name in ("a", "b"):
        kept.setdefault(name, []).append(1)
    kept.move_to_end("a")
    kept.setdefault("c", [])
    assert list(kept) == ["a", "c"]


def test_the_wait_doubles_up_to_its_bound_however_many_failures_there_were() -> None:
    backoff = Backoff(1.0, 8.0, jitter=(1.0, 1.0))
    assert [backoff.wait_s(failures) for failures in (1, 2, 3, 4, 5, 5000)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


@pytest.mark.parametrize(("chance", "wait_s"), [(0.0, 2.0), (0.5, 3.0)])
def test_the_jitter_is_drawn_by_the_chance_that_was_given(chance: float, wait_s: float) -> None:
    assert Backoff(4.0, chance=lambda: chance).wait_s(1) == wait_s


def test_waits_stay_within_their_jitter() -> None:
    backoff = Backoff(1.0, 8.0, jitter=(0.75, 1.25), chance=random.Random(1).random)
    waits = [backoff.wait_s(failures) for failures in range(1, 7)]
    assert all(0.75 * w <= got <= 1.25 * w for got, w in zip(waits, (1, 2, 4, 8, 8, 8), strict=True))
    assert len(set(waits[3:])) == 3
