"""What the engineer's page of trust says of recorded visits, and what it does not say of too few."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linewarden_reinspect.station.insight.curves import curves, reliability
from linewarden_reinspect.station.insight.live import DAY_MS, WINDOW, by_day, drift_of
from linewarden_reinspect.station.insight.passes import PassedVisit, passes_of
from linewarden_reinspect.station.insight.recent import SeenFrame
from linewarden_reinspect.station.references import References
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Cause, Judgement, Role, Verdict
from linewarden_vision.watch.estimate import CatchRecord
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.access.test_insight import REF, judged, running, seen, slot
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT

GOOD = {"margin": np.linspace(-3, 0, 400)}


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


def passed(number: int, suspicion: float, *, defective: bool | None = None, p_defect: float = 0.1) -> PassedVisit:
    doubted = suspicion >= 0.7
    is_audit = not doubted and defective is not None
    return PassedVisit(f"v{number}", suspicion, p_defect, doubted, is_audit, defective, 3, AT)


def line(defective_audits: int) -> list[PassedVisit]:
    """90 trusted passes, ten of them audited, and ten doubted ones, six of these defective."""
    trusted = [passed(n, n / 200, defective=n < defective_audits if n < 10 else None) for n in range(90)]
    return [*trusted, *(passed(90 + n, 0.8 + n / 100, defective=n >= 4) for n in range(10))]


def frame(number: int, suspicion: float = 0.2, margin: float = -1.0, view: str = "top") -> SeenFrame:
    limits = Thresholds(defect=0.5, suspicion=0.7)
    place = (f"v{number}.{view}", f"v{number}", view, "line1", REF, Verdict.OK, 0.1, suspicion, limits, AT + number)
    return SeenFrame(*place, "a" * 64, {"margin": margin})


def test_an_audited_pass_stands_for_those_that_nobody_looked_at() -> None:
    found = curves(line(defective_audits=1))
    assert (found.passes, found.answered, found.audits, found.misses) == (100, 20, 10, 7)
    _, ours, _ = found.table[3]
    assert (ours.diverted, ours.known_passed) == (0.1, 1)
    assert ours.misses_passed == pytest.approx(9 / 15)  # one audit in ten of 90, against six that were all seen


def test_the_rival_ranks_the_same_visits_by_the_network_alone() -> None:
    found = curves([replace(one, p_defect=one.suspicion) for one in line(defective_audits=1)])
    assert found.trust == found.rival
    turned = curves([replace(one, p_defect=1 - one.suspicion) for one in line(defective_audits=1)])
    assert [point.known_passed for point in turned.table[3][1:]] == [1, 6]


def test_scores_that_tie_are_diverted_together_or_not_at_all_and_never_beyond_the_budget() -> None:
    found = curves(line(defective_audits=1))  # the network says the same of all
    assert {(point.diverted, point.known_passed) for _, _, point in found.table} == {(0.0, 7)}


def test_nothing_diverted_passes_all_and_all_diverted_passes_nothing() -> None:
    found = curves(line(defective_audits=1))
    assert [found.trust[place].misses_passed for place in (0, -1)] == [1.0, 0.0]


def test_no_curve_is_drawn_of_too_few_misses_or_without_an_answered_audit() -> None:
    few = curves([replace(one, defective=False) if one.defective else one for one in line(2)])
    blind = curves([replace(one, defective=None) if one.is_audit else one for one in line(0)])
    assert (few.too_few, few.trust, blind.too_few, blind.audits, blind.trust) == (True, (), False, 0, ())


def test_reliability_has_bins_of_twenty_answers_or_none() -> None:
    answered = [passed(n, n / 100, defective=n >= 60) for n in range(100)]
    assert [(one.n, one.defective) for one in reliability(answered)] == [(20, 0), (20, 0), (20, 0), (20, 20), (20, 20)]
    assert reliability(answered)[0].upper == pytest.approx(1 - 0.025 ** (1 / 20))
    assert reliability(answered[:19]) == ()


def test_days_have_an_estimate_of_their_own_and_an_unanswered_audit_counts_against_it() -> None:
    asked = replace(passed(200, 0.1), is_audit=True, captured_ms=AT + DAY_MS)
    days = by_day([*line(1), asked], CatchRecord(40, 40), AT + DAY_MS)
    assert [(day.is_over, day.found.passes, day.found.unanswered) for day in days] == [(False, 1, 1), (True, 90, 0)]
    assert (days[0].found.rate, days[0].found.upper) == (None, 1.0)
    assert days[1].found.rate == pytest.approx(0.1)
    assert 0.1 < days[1].found.upper < 0.6


def test_what_trust_was_not_asked_about_is_no_pass() -> None:
    visits = {f"v{n}": (frame(n),) for n in range(4)}
    causes = {"v1": frozenset({Cause.LATE.value}), "v2": frozenset({Cause.AUDIT.value})}
    causes["v3"] = frozenset({Cause.KNOWN_BAD.value})
    found = passes_of(visits, {"v2": Judgement.NG}, causes, lambda _: None)
    assert [(one.visit_id, one.is_audit, one.defective) for one in found] == [("v0", False, None), ("v2", True, True)]


def test_drift_of_trust_and_of_an_ingredient_is_an_alarm_in_the_newest_window_alone() -> None:
    rng = np.random.default_rng(1)
    steady = [frame(n, float(s), float(-3 * u)) for n, (s, u) in enumerate(rng.random((2 * WINDOW, 2)))]
    moved = [
        frame(2 * WINDOW + n, float(0.5 + s / 2), float(1 - u)) for n, (s, u) in enumerate(rng.random((WINDOW, 2)))
    ]
    assert drift_of(steady, GOOD).alarms == ()
    assert drift_of([*steady, *moved], GOOD).alarms == ("suspicion", "margin")
    assert drift_of(steady[: WINDOW - 1], GOOD).ingredients == ()
    assert drift_of(steady, {}).has_reference is False


def test_good_values_come_from_the_card_of_the_bundle_that_ran(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "bundle.sha256").write_bytes(b"listed")
    card = {"trust": {"ingredients": [{"name": "margin", "good": [0.5, 1.0]}]}}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    held = References(bundles=tmp_path)
    assert held.good_values(hashlib.sha256(b"listed").hexdigest()) == {"margin": [0.5, 1.0]}
    assert held.good_values(hashlib.sha256(b"another").hexdigest()) == {}


def recorded(made: Rig) -> None:
    """Forty visits: one in four doubted, every third of the others audited, and nine of twenty answers NG."""
    running(made)
    for number in range(1, 41):
        doubted = number % 4 == 0
        seen(made, number, 0.75 + number / 400 if doubted else number / 100)
        if doubted or number % 3 == 0:
            cause = Cause.LOW_TRUST if doubted else Cause.AUDIT
            answer = Judgement.NG if number % 8 == 0 or number % 9 == 0 else Judgement.OK
            judged(made, slot(made, number, causes=(cause,)), answer, "Ada")


def test_the_page_has_curve_estimate_and_drift_with_n_beside_them(made: Rig) -> None:
    recorded(made)
    made.station.insight.follower.catch_up()
    text = Person(made, Role.ENGINEER).get("/trust").text
    assert text.count("<polyline") == 2
    assert "Too few to say anything: n = 40 pictures called OK" in text
    assert "Operators not measured" in text
    assert "The bundle is not at hand here" in text


def test_the_page_says_where_there_is_nothing_or_too_little(made: Rig) -> None:
    engineer = Person(made, Role.ENGINEER)
    assert "No inspected visit is recorded yet." in engineer.get("/trust").text
    running(made)
    seen(made, 1, 0.2)
    made.station.insight.follower.catch_up()
    text = engineer.get("/trust?running=line1/bracket").text
    assert "n = 0 known misses, at least 6 are needed" in text
    assert "<svg" not in text


def test_who_may_not_see_thresholds_sees_no_trust_either(made: Rig) -> None:
    assert Person(made, Role.OPERATOR).get("/trust").status_code == 403
