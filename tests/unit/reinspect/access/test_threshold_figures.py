"""What another threshold would have done: pure figures."""

from __future__ import annotations

from linewarden_reinspect.station.insight.recent import SeenFrame
from linewarden_reinspect.station.insight.thresholds import simulate
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import Judgement, Verdict


def frame(visit: str, suspicion: float, verdict: Verdict = Verdict.OK, at_ms: int = 0) -> SeenFrame:
    ref = RecipeRef(recipe_id="bracket", version=3)
    return SeenFrame(f"{visit}.f", visit, "top", "line1", ref, verdict, 0.1, suspicion, None, at_ms)


def test_a_threshold_is_weighed_by_diversions_an_hour_known_misses_and_overkill() -> None:
    visits = {
        "a": (frame("a", 0.1),),
        "b": (frame("b", 0.4, at_ms=1_800_000),),
        "c": (frame("c", 0.6), frame("c", 0.2)),
        "d": (frame("d", 0.9, Verdict.NG, at_ms=3_600_000),),
    }
    truth = {"b": Judgement.NG, "c": Judgement.OK, "d": Judgement.OK}
    found = simulate(visits, truth, now=0.5, wanted=0.3)
    assert (found["visits"], found["hours"]) == (4, 1.0)
    assert (found["now"]["diverted"], found["wanted"]["diverted"]) == (1, 2)
    assert found["wanted"]["diversions_per_hour"] == 2.0
    assert (found["now"]["known_misses_passed"], found["wanted"]["known_misses_passed"]) == (1, 0)
    assert found["wanted"]["known_misses"] == 1
    assert found["wanted"]["overkill_rate_of_good"] == 0.5
    assert [(one["visit_id"], one["to"], one["found"]) for one in found["changing"]] == [("b", "diverted", "NG")]


def test_a_visit_with_a_view_that_is_not_ok_is_no_pass_whatever_the_threshold() -> None:
    visits = {"a": (frame("a", 0.1), frame("a", 0.1, Verdict.NG))}
    assert simulate(visits, {}, now=0.5, wanted=0.0)["wanted"]["passes"] == 0
