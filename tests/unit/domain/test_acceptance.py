"""A defect is let go where everything that binds it allows it, with its uncertainty, and something says so."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_domain.acceptance import MOST_DEFECTS, judged
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Criterion

RIM = Criterion(zone_id="rim", accept=True, max_length_mm=1.0, max_area_mm2=0.5)


def defect(length: float = 0.8, area: float = 0.3, **more: Any) -> MeasuredDefect:
    place: dict[str, Any] = {"x": 0, "y": 0, "width": 1, "height": 1, "zones": ("rim",), "is_outside": False}
    errors = {"length_error_mm": 0.1, "area_error_mm2": 0.1}
    return MeasuredDefect(**(place | errors | {"length_mm": length, "area_mm2": area} | more))


def within(*defects: MeasuredDefect, criteria: tuple[Criterion, ...] = (RIM,)) -> list[bool]:
    return [one.is_within for one in judged(defects, criteria)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (defect(), True),
        (defect(0.9), True),
        (defect(0.91), False),
        (defect(area=0.41), False),
        (defect(zones=("face",)), False),
        (defect(zones=("rim", "face")), False),
        (defect(is_outside=True), False),
        (defect(9.0, zones=(), is_ignored=True), True),
        (defect(float(10**9)), False),
    ],
)
def test_measured_value_and_uncertainty_together_lie_within_every_limit(one: MeasuredDefect, expected: bool) -> None:
    assert within(one) == [expected]


def test_without_a_word_that_accepts_nothing_is_let_go() -> None:
    assert within(defect(), criteria=()) == [False]
    assert within(defect(), criteria=(RIM.model_copy(update={"accept": False}),)) == [False]


def test_what_one_criterion_accepts_another_may_forbid() -> None:
    strict = Criterion(max_length_mm=0.5)
    assert within(defect(), criteria=(RIM, strict)) == [False]


def test_more_than_the_count_are_all_beyond() -> None:
    two = RIM.model_copy(update={"max_count": 2})
    assert within(defect(), defect(), criteria=(two,)) == [True, True]
    assert within(defect(), defect(), defect(), criteria=(two,)) == [False, False, False]
    assert within(defect(), defect(), defect(zones=(), is_ignored=True), criteria=(two,)) == [True, True, True]


def test_a_class_that_nobody_told_is_accepted_by_no_class_and_bound_by_all() -> None:
    scratch = Criterion(defect_class="scratch", accept=True, max_length_mm=2.0)
    pit = Criterion(defect_class="pit", max_length_mm=0.1)
    assert within(defect(), criteria=(scratch,)) == [False]
    assert within(defect(), criteria=(RIM, pit)) == [False]
    assert within(defect(defect_class="scratch"), criteria=(scratch, pit)) == [True]


def test_an_unknown_class_is_held_to_the_strictest_criterion_of_every_class_that_it_may_be() -> None:
    scratch = Criterion(defect_class="scratch", accept=True, max_length_mm=2.0)
    pit = Criterion(defect_class="pit", accept=True, max_length_mm=1.0)
    unknown: dict[str, Any] = {"may_be": ("pit", "scratch")}
    assert within(defect(0.8, **unknown), criteria=(scratch, pit)) == [True]
    assert within(defect(1.5, **unknown), criteria=(scratch, pit)) == [False]
    assert within(defect(1.5, defect_class="scratch"), criteria=(scratch, pit)) == [True]
    assert within(defect(0.8, may_be=("crack", "pit", "scratch")), criteria=(scratch, pit)) == [False]
    assert within(defect(0.8, **unknown), criteria=(scratch, pit.model_copy(update={"zone_id": "face"}))) == [False]
    none = Criterion(defect_class="pit", max_count=0)
    assert within(defect(0.8, **unknown), criteria=(scratch, pit, none)) == [False]


def test_more_defects_than_are_told_are_none_that_anybody_accepts() -> None:
    assert all(within(*[defect()] * MOST_DEFECTS))
    assert not any(within(*[defect()] * (MOST_DEFECTS + 1)))
