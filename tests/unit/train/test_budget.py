"""A budget is kept: what is read before and scored afterwards comes out of it."""

from __future__ import annotations

from linewarden_train.training.terms import Surroundings


def _around(now: float, ends_at: float | None, scored: list[tuple[int, float]]) -> Surroundings:
    return Surroundings(clock=lambda: now, on_progress=lambda *_: None, ends_at=ends_at, scored=scored)


def test_the_last_training_leaves_time_for_what_is_scored_after_it() -> None:
    # 100 pictures took 20 s, so 50 of them take 10 s, and half of it again for what comes after.
    assert _around(400.0, 600.0, [(60, 12.0), (40, 8.0)]).in_time(300.0, 50) == 185.0


def test_it_is_never_longer_than_what_is_left_and_never_nothing() -> None:
    assert _around(590.0, 600.0, [(10, 1.0)]).in_time(300.0, 10) == 8.5
    assert _around(700.0, 600.0, [(10, 1.0)]).in_time(300.0, 10) == 1.0


def test_without_an_end_or_a_measure_the_settings_decide() -> None:
    assert _around(0.0, None, [(10, 1.0)]).in_time(300.0, 10) == 300.0
    assert _around(0.0, 600.0, []).in_time(300.0, 10) == 300.0
    assert _around(0.0, 600.0, [(10, 1.0)]).in_time(None, 10) is None
