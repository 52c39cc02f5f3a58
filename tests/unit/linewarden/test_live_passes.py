"""The live limit counts each pass once, and what nobody answered, or nobody knows, speaks against it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from linewarden.cli import app
from linewarden.commands import live
from linewarden.commands.context import Connection
from linewarden.live_passes import estimated
from linewarden_domain.rates import lower_limit, upper_limit
from linewarden_domain.words import said, sentences
from linewarden_history.reports.story import VisitHistory
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.events import event_record
from linewarden_runtime.live_limits import LiveLimitBook
from linewarden_runtime.provision import recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.vocabulary import Cause, Judgement, LineMode, Outcome, Routing, Verdict
from linewarden_vision.watch.estimate import LiveEstimate
from tests.support.reading import write
from tests.support.route_line import RouteLine
from tests.unit.route.builders import T0, make_capture, make_decision, make_inspection, make_recipe

RECIPE = make_recipe().ref()
STATE = LineStateRef(mode=LineMode.PRODUCTION, since_ms=T0)
UNKNOWN = sentences((said("network_live_unknown", p=0.1, own_limit=0.5),))


def disposition(
    visit: str, routing: Routing, *causes: Cause, outcome: Outcome | None = None, **more: Any
) -> Disposition:
    fields: dict[str, Any] = {
        "visit_id": visit,
        "revision": 0 if outcome is None else 1,
        "routing": routing,
        "outcome": outcome,
        "final": routing is not Routing.DIVERTED or outcome is not None,
        "causes": causes,
        "line_id": "line1",
        "recipe": RECIPE,
        "line_state": STATE,
        "first_captured_ms": T0,
        "decide_by_ms": T0 + 10_000,
        "decided_ms": T0 + 100,
        "decision_ids": () if outcome is None else ("d",),
    }
    return Disposition.model_validate(fields | more)


_numbers = iter(range(10**6))


def story(
    routing: Routing,
    *causes: Cause,
    outcome: Outcome | None = None,
    recipe: RecipeRef = RECIPE,
    capture: dict[str, Any] | None = None,
    **inspection: Any,
) -> VisitHistory:
    """A visit of one view, answered where an outcome is told."""
    visit = f"v{next(_numbers)}"
    seen = make_capture("top", visit, **(capture or {}))
    first = disposition(visit, routing, *causes, recipe=recipe)
    latest = first if outcome is None else disposition(visit, routing, *causes, outcome=outcome, recipe=recipe)
    judged = Judgement.OK if outcome is Outcome.ACCEPT else Judgement.NG
    decided = {} if outcome is None else {"d": make_decision(f"{visit}.r0.g0", judged, decision_id="d")}
    answered = make_inspection("top", visit, **inspection)
    return VisitHistory(
        visit,
        [],
        captures={seen.frame_id: seen},
        inspections={answered.frame_id: answered},
        first=first,
        latest=latest,
        decisions=decided,
    )


PASSED = (Routing.TRUSTED_PASS,)
AUDITED = (Routing.DIVERTED, Cause.AUDIT)
WITHHELD = (Routing.DIVERTED, Cause.LOW_TRUST)
KNOWN_BAD = (Routing.DIVERTED, Cause.KNOWN_BAD)


def caught(shown: int, missed: int = 0) -> list[VisitHistory]:
    mark = {"known_bad": True}
    seen = [story(*KNOWN_BAD, outcome=Outcome.SCRAP, capture=mark) for _ in range(shown - missed)]
    return [*seen, *(story(*KNOWN_BAD, outcome=Outcome.ACCEPT, capture=mark) for _ in range(missed))]


def found(*stories: VisitHistory, **more: Any) -> LiveEstimate:
    return estimated(stories, RECIPE, confidence=0.95, **more)


def test_passes_audits_and_known_bads_make_the_limit() -> None:
    passes = [story(*PASSED) for _ in range(60)]
    audits = [story(*AUDITED, outcome=Outcome.ACCEPT) for _ in range(38)]
    audits += [story(*AUDITED, outcome=Outcome.SCRAP), story(*AUDITED)]
    estimate = found(*passes, *audits, *caught(50, missed=2))
    assert (estimate.passes, estimate.audited, estimate.unanswered, estimate.found_defective) == (100, 39, 1, 1)
    assert (estimate.shown, estimate.catch_lower) == (50, lower_limit(48, 50, 0.025))
    assert estimate.upper == upper_limit(2, 40, 0.025) / lower_limit(48, 50, 0.025)


def test_what_only_the_live_limit_withheld_counts_as_drawn_and_what_trust_doubts_does_not() -> None:
    withheld = [story(*WITHHELD, outcome=Outcome.ACCEPT, **UNKNOWN) for _ in range(9)]
    waiting = story(*WITHHELD, **UNKNOWN)
    doubted = story(*WITHHELD, outcome=Outcome.SCRAP, suspicion=0.5, **UNKNOWN)
    by_trust = story(*WITHHELD, outcome=Outcome.SCRAP)
    rejected = story(*WITHHELD, outcome=Outcome.SCRAP, verdict=Verdict.NG, **UNKNOWN)
    broken = story(Routing.DIVERTED, Cause.LOW_TRUST, Cause.FAULT, outcome=Outcome.SCRAP, **UNKNOWN)
    estimate = found(*withheld, waiting, doubted, by_trust, rejected, broken)
    assert (estimate.passes, estimate.audited, estimate.unanswered, estimate.found_defective) == (10, 9, 1, 0)
    assert estimate.upper == 1.0, "nobody measured the people"


def test_what_people_found_of_a_pass_that_nobody_drew_speaks_against_it() -> None:
    late = story(*PASSED, outcome=Outcome.SCRAP)
    assert (found(story(*PASSED), late).found_defective, found(story(*PASSED), late).audited) == (1, 1)


def test_other_contents_simulated_parts_and_states_that_are_not_production_are_no_passes() -> None:
    other = RECIPE.model_copy(update={"digest": "e" * 64})
    setup = LineStateRef(mode=LineMode.SETUP, since_ms=T0)
    strangers = [
        story(*PASSED, recipe=other),
        story(*PASSED, capture={"line_state": setup}),
        story(*PASSED, capture={"is_simulated": True}),
    ]
    assert found(story(*PASSED), *strangers).passes == 1
    assert found(story(*PASSED), *strangers, simulated=True).passes == 2
    with pytest.raises(ValueError, match=f"no trusted pass under {RECIPE.short} .* ID@VERSION"):
        found(*strangers)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[RouteLine]:
    clock = ManualClock(T0)
    made = RouteLine(MemoryBroker(clock), "line1", views=("top",))
    here = Connection(None, made.namespace, made.broker)  # type: ignore[arg-type]  # no setting is asked for
    monkeypatch.setattr(live, "connect", lambda: here)
    monkeypatch.setattr(live, "now_ms", lambda: T0 + 86_400_000)
    yield made
    made.close()


def tell(line: RouteLine, *stories: VisitHistory) -> None:
    """Write everything of some visits into their topics."""
    for one in stories:
        messages: dict[str, list[Message | None]] = {
            "captures": [*one.captures.values()],
            "inspections": [*one.inspections.values()],
            "decisions": [*one.decisions.values()],
            "dispositions": [one.first, one.latest],
        }
        for name, listed in messages.items():
            topic = line.namespace.topic(name)
            about = [message for message in listed if message is not None]
            write(
                line.broker,
                [
                    event_record(topic, one.visit_id, message, id=f"{number}", source="/test", time_ms=T0)
                    for number, message in enumerate(about)
                ],
            )


def test_the_command_tells_the_workers_what_it_counted_and_exits_1_above_the_recipes_limit(line: RouteLine) -> None:
    loose = line.recipe.model_copy(update={"version": 2, "max_defect_rate_of_passes": 0.5})
    write(line.broker, [recipe_record(line.namespace, loose, "/test")])
    line.recipe = loose
    audits = [story(*AUDITED, outcome=Outcome.ACCEPT, recipe=loose.ref()) for _ in range(30)]
    tell(line, *audits, *caught(20))
    run = CliRunner().invoke(
        app, ["live", "line1", "tile", "--from", clock(T0), "--to", clock(T0 + 1000), "--by", "qa-2"]
    )
    assert (run.exit_code, "told, until" in run.output) == (0, True), (run.output, run.exception)
    with LiveLimitBook(line.broker, line.namespace) as book:
        assert book.all() == []
    told = ["live", "line1", "tile", "--from", clock(T0), "--to", clock(T0 + 1000), "--by", "qa-2", "--tell"]
    assert CliRunner().invoke(app, told).exit_code == 0
    with LiveLimitBook(line.broker, line.namespace) as book:
        limit = book.of("line1", loose.ref())
    assert limit is not None
    assert (limit.passes, limit.audited, limit.known_bads_shown, limit.actor) == (30, 30, 20, "qa-2")
    assert limit.until_ms == limit.made_ms + 30 * 86_400_000
    older = CliRunner().invoke(app, ["live", "line1", "tile@1", "--from", clock(T0), "--to", clock(T0 + 1000)])
    assert isinstance(older.exception, Exception)


def clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
