"""The demo's figures count every event once."""

import io
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from linewarden.demo.figures import Figures
from linewarden.demo.screen import final_table
from linewarden_audit.ledger import AuditLedger
from linewarden_audit.summary import percentile, shift_summary
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.samples import SAMPLES
from linewarden_schemas.vocabulary import Loss, Routing, Verdict

T = TypeVar("T")


def one(kind: type[T]) -> T:
    return next(message for message in SAMPLES if isinstance(message, kind))


def test_a_record_that_comes_twice_counts_once() -> None:
    figures = Figures()
    for message in (*SAMPLES, *SAMPLES):
        figures.learn(message)
    assert len(figures.captured) == len(figures.visits) == len(figures.inspected) == 1
    assert figures.verdicts[Verdict.OK] == 1
    assert figures.routed(Routing.DIVERTED) == 1
    assert figures.latencies_ms == [400]


def test_a_shift_that_ended_before_its_first_picture_has_a_table_too() -> None:
    nothing = shift_summary(AuditLedger(), 0, truth={})
    summary = nothing | {"alarms": {"standing": []}, "model_only_frames_per_s": None}
    console = Console(width=120, file=io.StringIO())
    console.print(final_table(summary))
    assert isinstance(console.file, io.StringIO)
    assert "- / -" in console.file.getvalue()


def test_only_revision_zero_is_a_routing() -> None:
    figures = Figures()
    figures.learn(one(Disposition).model_copy(update={"revision": 1}))
    assert figures.routed(Routing.DIVERTED) == 0


def test_a_slot_waits_until_it_is_closed() -> None:
    figures = Figures()
    figures.learn(one(SlotOpen))
    assert len(figures.open_slots) == 1
    figures.learn(one(SlotClose))
    assert not figures.open_slots


def test_lag_counts_pictures_that_exist_and_are_not_inspected() -> None:
    figures = Figures()
    capture = one(Capture)
    figures.learn(capture)
    figures.learn(capture.model_copy(update={"frame_id": "f2", "sha256": None, "lost": Loss.OVERSIZE}))
    assert figures.lag == 1
    figures.learn(one(Inspection))
    assert figures.lag == 0


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_a_percentile_is_one_of_the_values_with_its_share_at_or_below(values: list[int]) -> None:
    for share in (0.5, 0.99, 1.0):
        value = percentile(sorted(values), share)
        assert value in values
        assert sum(v <= value for v in values) >= share * len(values)


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.99, 4), (0.25, 1)])
def test_percentiles_of_four_values(share: float, expected: int) -> None:
    assert percentile([1, 2, 3, 4], share) == expected
