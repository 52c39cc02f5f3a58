"""The report of a shift counts production alone and invents nothing."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

import pytest

from linewarden_history.reports.rendering import as_json
from linewarden_history.shifts.page import as_csv, page
from linewarden_history.shifts.periods import newest_shift, periods, total_by_mode
from linewarden_history.shifts.positions import PositionMap, spots
from linewarden_history.shifts.report import report
from linewarden_history.shifts.tally import Scope
from linewarden_schemas.capture import Capture
from linewarden_schemas.inspection import Inspection, MeasuredDefect
from linewarden_schemas.vocabulary import Cause, Judgement, LineMode, Outcome, Routing, Verdict
from tests.support.lines import HOUR, NAMESPACE, by_topic, line, mask, passes, ref, rejects, reviewed, state
from tests.support.shift import AT, capture, disposition, inspection

BEGIN, END = AT - HOUR, AT + HOUR


def shift() -> list[Any]:
    """Ten visits in production, and of every other kind one."""
    production = [
        *(one for number in range(5) for one in passes(number)),
        *rejects(5, (0, 0, 4, 4), (40, 20, 4, 4)),
        *reviewed(6, Cause.REJECT_REVIEW, outcome=Outcome.ACCEPT, p=0.9, judgement=Judgement.OK),
        *reviewed(7, Cause.REJECT_REVIEW, outcome=Outcome.SCRAP, p=0.9, defect_class="crack"),
        *reviewed(8, Cause.LOW_TRUST, outcome=Outcome.SCRAP, defect_class="crack"),
        *reviewed(9, Cause.AUDIT, outcome=Outcome.ACCEPT, judgement=Judgement.OK),
    ]
    others = [
        *passes(20, mode=LineMode.BYPASS),
        *passes(21, mode=LineMode.VERIFICATION),
        *passes(22, shift="B"),
        capture(23, line_state=ref(), known_bad=True),
        disposition(23, Routing.DIVERTED, Cause.KNOWN_BAD, final=False, line_state=ref()),
        capture(24, line_state=ref(), is_simulated=True),
        disposition(25, Routing.TRUSTED_PASS),
    ]
    states = [
        state(LineMode.PRODUCTION, AT - HOUR // 2),
        state(LineMode.VERIFICATION, AT),
        state(LineMode.PRODUCTION, AT + HOUR // 4),
        state(LineMode.STOPPED, AT + HOUR // 2, reason="jam"),
        state(LineMode.BYPASS, AT + 3 * HOUR // 4),
    ]
    return [*production, *others, *states]


def made(scope: Scope | None = None, begin: int | None = BEGIN) -> dict[str, Any]:
    broker = line(*by_topic(shift()))
    return report(broker, NAMESPACE, scope or Scope(shift="A"), from_ms=begin, to_ms=END)


def rate_of(document: dict[str, Any], name: str) -> tuple[int, int]:
    return next((one["count"], one["of"]) for one in document["rates"] if one["name"] == name)


def test_rates_have_the_denominators_of_their_names() -> None:
    document = made()
    assert document["visits"] == 10
    assert rate_of(document, "first_pass_yield_of_settled_first_visits") == (7, 10)
    assert rate_of(document, "defective_rate_of_visits") == (3, 10)
    assert rate_of(document, "diversion_rate_of_passes") == (2, 7)
    assert rate_of(document, "overkill_rate_of_reviewed_rejects") == (1, 2)


def test_whatever_is_no_production_of_this_shift_is_left_out_with_its_cause() -> None:
    assert made()["left_out"] == {
        "another shift": 1,
        "line state bypass": 1,
        "line state not told": 1,
        "line state verification": 1,
        "seeded known-bad": 1,
        "simulated": 1,
    }


def test_simulated_visits_count_only_where_they_are_asked_for() -> None:
    assert made(Scope(shift="A", simulated=True))["visits"] == 11


def test_paretos_count_defective_visits_by_what_people_named() -> None:
    document = made()
    found = {by: [(row["name"], row["count"]) for row in rows] for by, rows in document["pareto"].items()}
    assert found["class"] == [("crack", 2), ("not named", 1)]
    assert found["camera"] == [("cam1", 2), ("not named", 1)]
    assert document["pareto"]["class"][-1]["running"] == pytest.approx(1.0)


def test_cavity_and_zone_have_a_pareto_where_part_data_carries_them() -> None:
    defect = MeasuredDefect(
        x=1, y=1, width=2, height=2, length_mm=1, length_error_mm=0, area_mm2=1, area_error_mm2=0, zones=("rim",)
    )
    records = [
        one.model_copy(update={"cavity": "c3"})
        if isinstance(one, Capture)
        else one.model_copy(update={"defects": (defect,)})
        if isinstance(one, Inspection) and one.verdict is Verdict.NG
        else one
        for one in shift()
    ]
    document = report(line(*by_topic(records)), NAMESPACE, Scope(shift="A"), from_ms=BEGIN, to_ms=END)
    assert [(row["name"], row["count"]) for row in document["pareto"]["cavity"]] == [("c3", 3)]
    assert [row["name"] for row in document["pareto"]["zone"]] == ["rim"]
    assert [line for line in document["missing"] if "Pareto" in line] == []
    assert "By cavity" in page(document)


def test_of_settled_visits_alone_nothing_is_told_of_what_waits_for_people() -> None:
    left_out = made(Scope(shift="A", settled_only=True))["left_out"]
    assert left_out["waits for people"] == 1
    assert "seeded known-bad" not in left_out


def test_positions_are_counted_where_the_mask_of_a_rejected_frame_shows_them() -> None:
    found = made()["positions"]["cam1/top"]
    assert found["frames"] == {"the machine": 2}
    assert found["spots"] == 3
    assert found["cells"] == [[0, 0, 2], [12, 6, 1]]
    assert (found["columns"], found["rows"]) == (24, 12)


def test_downtime_bypass_and_verification_come_from_line_state() -> None:
    document = made()
    assert document["time_ms"] == {
        "setup": 0,
        "verification": HOUR // 4,
        "production": 3 * HOUR // 4,
        "bypass": HOUR // 4,
        "stopped": HOUR // 4,
    }
    assert document["production_share_of_scheduled"] == pytest.approx(0.6)
    (check,) = document["checks"]
    assert (check["visits"], check["trusted_pass"]) == (1, 1)


def test_without_a_range_the_newest_run_of_a_shift_is_reported() -> None:
    document = made(begin=None)
    assert (document["from_ms"], document["to_ms"]) == (AT - HOUR // 2, END)
    with pytest.raises(ValueError, match="'Z'"):
        made(Scope(shift="Z"), begin=None)


def test_what_the_records_do_not_carry_is_said_on_the_page() -> None:
    text = page(made())
    for word in ("zone", "cavity", "master part"):
        assert re.search(rf"<li>[^<]*{word}", text), word


def test_the_page_needs_nothing_and_is_the_same_from_the_stored_document() -> None:
    document = made()
    text = page(document)
    assert "<script" not in text
    assert not re.search(r'(src|href|url)\s*[=(]\s*["\']?(https?:|//)', text)
    assert page(json.loads(as_json(document))) == text


def test_an_empty_range_and_a_line_without_state_say_that_nothing_is_known() -> None:
    document = report(line(), NAMESPACE, Scope(), from_ms=BEGIN, to_ms=END)
    text = page(document)
    assert "downtime and bypass are unknown, not none" in text
    assert "no evidence" in text
    assert document["p_chart"]["centre"] is None


def test_the_table_has_a_line_for_every_figure() -> None:
    rows = list(csv.DictReader(as_csv(made()).splitlines()))
    rates = {row["item"]: (row["count"], row["of"]) for row in rows if row["section"] == "rate"}
    assert rates["overkill_rate_of_reviewed_rejects"] == ("1", "2")
    assert {row["section"] for row in rows} >= {"pareto by class", "p-chart", "time_ms", "not told", "left_out"}


def test_names_with_markup_stay_text_on_the_page() -> None:
    document = made()
    document["pareto"]["class"][0]["name"] = "<b>crack</b>"
    assert "<b>crack" not in page(document)


def test_states_are_cut_to_the_range_and_a_state_told_again_counts_once() -> None:
    told = [state(LineMode.PRODUCTION, 0), state(LineMode.STOPPED, 50), state(LineMode.BYPASS, 50)]
    assert total_by_mode(periods(told, 20, 100))["bypass"] == 50
    assert total_by_mode(periods(told, 20, 100))["production"] == 30
    assert total_by_mode(periods(told, 20, 100, "line9"))["production"] == 0


def test_a_run_of_a_shift_goes_over_changes_of_state_and_ends_where_another_begins() -> None:
    told = [
        state(LineMode.PRODUCTION, 0, "A"),
        state(LineMode.PRODUCTION, 10, "B"),
        state(LineMode.PRODUCTION, 20, "A"),
        state(LineMode.STOPPED, 25, "A"),
    ]
    assert newest_shift(told, "A", 40) == (20, 40)
    assert newest_shift(told, "B", 40) == (10, 20)


def test_regions_of_a_mask_are_spots_by_their_place_in_the_picture() -> None:
    marked = spots(mask((0, 0, 8, 4), (40, 20, 2, 2)))
    assert marked is not None
    assert marked.aspect == 0.5
    first, second = marked.spots
    assert first == pytest.approx((4 / 80, 2 / 40))
    assert second == pytest.approx((41 / 80, 21 / 40))


def test_a_mask_that_cannot_be_read_is_no_map_and_another_shape_is_told() -> None:
    assert spots(b"") is None
    assert spots(b"noise") is None
    drawn = PositionMap()
    for aspect_mask in (mask((0, 0, 1, 1)), mask((79, 39, 1, 1))):
        marked = spots(aspect_mask)
        assert marked is not None
        drawn.add(marked, "a person")
    assert drawn.as_dict()["cells"] == [[0, 0, 1], [23, 11, 1]]
    assert drawn.other_shapes == 0


def test_a_defect_of_a_person_is_charted_with_the_hour_of_its_capture() -> None:
    chart = made()["p_chart"]
    assert [(one["defective"], one["n"]) for one in chart["points"]] == [(3, 10)]
    assert inspection(1).captured_ms // HOUR * HOUR == chart["points"][0]["at_ms"]
