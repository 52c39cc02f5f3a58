"""Audits, reject reviews and known-bads cannot be told from real diversions, before the first answer nor by its words.

Route's own rules make the slots, the queue gives them out, the station answers the claims. Whoever watches sees when a
visit came, where in the order it stood, how long it waited, and every byte of the answer. From that a classifier tries
to tell drawn visits from doubted ones, on each of several days fitted to all the others. Days differ in how fast visits
come and in what becomes of them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from linewarden_reinspect.queue.types import Change, Claimant, Terms
from linewarden_reinspect.station import present
from linewarden_reinspect.station.sessions import Hand
from linewarden_route.events import CaptureSeen, Context, Event, InspectionSeen
from linewarden_route.positions import DRAWN, Positions
from linewarden_route.visit import step
from linewarden_runtime.clock import ManualClock
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Verdict
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.route.builders import SECRET, T0, make_capture, make_inspection, make_recipe, opens

RECIPE = make_recipe(
    review={"audit_share_of_passes": 0.5, "reject_review_share": 0.5, "slack_low_risk_ms": 600_000},
    time={"max_skew_ms": 60_000},
)
DAYS = 5
VISITS = 900
WARM = 100
AT = SourceRef(topic="line1.inspections", partition=0, offset=2)
Features = dict[str, float]
Matrix = NDArray[np.float64]
Day = tuple[list[Features], Matrix]
"""What was seen of a day's visits, and which of them were drawn."""


class Line:
    """A line that makes visits of all kinds at random times, and reviewers who keep up but for a while."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.pace_s = self.dice.uniform(4.0, 16.0)
        good, doubtful, bad = (self.dice.uniform(0.2, 0.4) for _ in range(3))
        self.mix = good, doubtful, bad, 0.1
        self.clock = ManualClock(T0)
        self.queue = MemoryQueue(self.clock, Terms(lease_ms=10**9, max_hold_ms=10**9))
        self.positions = Positions()
        self.queue.wipe("topic", {0: 0})
        self.queue.beat("topic", {0: 0}, 10**12)
        self.offset = 0
        self.slots: dict[str, SlotOpen] = {}
        self.captured: dict[str, int] = {}

    def visits(self, count: int = VISITS) -> Iterator[SlotOpen]:
        """Slots in the order in which they open."""
        for number in range(count):
            self.clock.advance(self.dice.expovariate(1 / self.pace_s))
            name = f"v{number:06d}"
            kind = self.dice.choices(["good", "doubtful", "bad", "known-bad"], self.mix)[0]
            yield from self._routed(self._events(name, kind), name)

    def _events(self, visit: str, kind: str) -> list[Event]:
        now = self.clock.now_ms()
        late = 200 + round(self.dice.gammavariate(4.0, 40.0))
        self.captured[visit] = now
        bin_slot, known_bad = f"B-{self.dice.randrange(40):02d}", kind == "known-bad"
        where: dict[str, Any] = {"part_id": f"SN-{visit}", "bin_slot": bin_slot, "known_bad": known_bad}
        events: list[Event] = [CaptureSeen(make_capture(view, visit, now, **where), now) for view in ("top", "side")]
        suspicion = self.dice.uniform(0.4, 2.0) if kind == "doubtful" else self.dice.uniform(0.0, 0.3)
        bad = kind in {"bad", "known-bad"} and self.dice.random() < 0.8
        for view in ("top", "side"):
            seen = make_inspection(
                view, visit, verdict=Verdict.NG if bad else Verdict.OK, suspicion=suspicion, at_ms=now, inspected_ms=now
            )
            events.append(InspectionSeen(seen, AT))
        self.clock.advance(late / 1000)
        return events

    def _routed(self, events: list[Event], name: str) -> Iterator[SlotOpen]:
        visit: VisitSnapshot | None = None
        for event in events:
            positions = self.positions.of(visit) if visit else ()
            done = step(visit, event, Context(self.clock.now_ms(), RECIPE, SECRET, positions))
            visit = done.visit
            for slot in opens(done):
                self.slots[slot.slot_id] = slot
                yield slot
        assert visit is not None, name
        if not visit.final:
            self.positions.learn(visit, RECIPE)

    def project(self, opened: SlotOpen | None = None, closed: str | None = None) -> None:
        self.queue.apply("topic", [Change(0, self.offset, opened, closed)], {0: self.offset})
        self.offset += 1


def watched(seed: int, count: int = VISITS) -> tuple[list[Features], list[bool]]:
    """What can be seen of each slot up to its first answer, and whether it was drawn."""
    line, seen, drawn = Line(seed), list[Features](), list[bool]()
    backlog = 0
    for number, slot in enumerate(line.visits(count)):
        line.project(slot)
        backlog += 1
        wanted = 12 if number % 80 < 40 else 2
        while backlog > wanted:
            backlog -= 1
            features, which = _claimed(line, number)
            line.project(closed=which.slot_id)
            if number > WARM:
                seen.append(features)
                drawn.append(which.causes[0] in DRAWN)
    return seen, drawn


def _claimed(line: Line, number: int) -> tuple[Features, SlotOpen]:
    lease = line.queue.claim(Claimant("ada"), f"t{line.offset}").lease
    assert lease is not None
    slot, now = lease.slot, line.clock.now_ms()
    hand = Hand(slot, "0" * 32, lease.until_ms, 0.0)
    answer = present.visit(hand, now, RECIPE)
    told = present.visit(Hand(slot, "0" * 32, lease.until_ms, 0.0, knows_already=True), now, RECIPE)["told"]
    evidence = [present.evidence(frame, None, told=hand.is_told) for frame in slot.frames]
    features = {
        "waited": (now - slot.opened_ms) / 1000,
        "waits": float(len(line.queue.dump())),
        "stood": float(number),
        "opened in its second": float(slot.opened_ms % 1000),
        "from its capture": float(slot.opened_ms - line.captured[slot.visit_id]),
    }
    marked = [frame.frame_id for frame in slot.frames].index(told.pop("marked"))
    features |= {"marked": float(marked)} | _flat("told", told)
    return features | _flat("answer", answer) | _flat("evidence", evidence), slot


def _flat(name: str, value: Any) -> Features:
    """Every field of an answer as a number: its size, for words; which it is, for the rest."""
    if isinstance(value, dict):
        return {key: number for part, one in value.items() for key, number in _flat(f"{name}.{part}", one).items()}
    if isinstance(value, list):
        parts = {key: number for at, one in enumerate(value) for key, number in _flat(f"{name}[{at}]", one).items()}
        return parts | {f"{name}.count": float(len(value))}
    if isinstance(value, str):
        return {name: float(len(value))}
    return {name: -1.0 if value is None else float(value)}


def _matrix(seen: list[Features], names: list[str]) -> Matrix:
    """Ranks of each field within its day and their squares, so that order and spread count."""
    raw = np.array([[features.get(name, -2.0) for name in names] for features in seen])
    ranks = np.apply_along_axis(rankdata, 0, raw) / len(raw) - 0.5
    return np.concatenate([ranks, ranks**2 - 1 / 12, np.ones((len(raw), 1))], axis=1)


def _fit(x: Matrix, y: Matrix) -> Matrix:
    def loss(w: Matrix) -> tuple[float, Matrix]:
        z = x @ w
        p = 1 / (1 + np.exp(-z))
        value = float(np.mean(np.logaddexp(0, z) - y * z) + 1e-3 * w @ w)
        return value, x.T @ (p - y) / len(y) + 2e-3 * w

    found: Matrix = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x
    return found


def held_out(days: Sequence[Day]) -> tuple[Matrix, Matrix]:
    """How much each visit looks drawn, by rank within its day, to a classifier of the other days; and the truth."""
    names = sorted({name for seen, _ in days for features in seen for name in features})
    matrices = [_matrix(seen, names) for seen, _ in days]
    truths = [drawn for _, drawn in days]
    scores = []
    for number, matrix in enumerate(matrices):
        known, y = (np.concatenate([*parts[:number], *parts[number + 1 :]]) for parts in (matrices, truths))
        scores.append(rankdata(matrix @ _fit(known, y)) / len(matrix))
    return np.concatenate(scores), np.concatenate(truths)


def auc(scores: Matrix, y: Matrix) -> float:
    ranks = rankdata(scores)
    positives = y > 0
    n, m = positives.sum(), (~positives).sum()
    return float((ranks[positives].sum() - n * (n + 1) / 2) / (n * m))


def interval(scores: Matrix, y: Matrix, seed: int = 3) -> tuple[float, float]:
    """The 95 % bootstrap interval of the AUC."""
    dice = np.random.default_rng(seed)
    draws = [dice.integers(0, len(y), len(y)) for _ in range(400)]
    low, high = np.quantile([auc(scores[draw], y[draw]) for draw in draws], [0.025, 0.975])
    return float(low), float(high)


def day(seed: int, count: int = VISITS) -> Day:
    seen, drawn = watched(seed, count)
    return seen, np.array(drawn, float)


@pytest.fixture(scope="module")
def days() -> list[Day]:
    return [day(seed) for seed in range(1, DAYS + 1)]


def test_timing_order_and_payload_do_not_tell_drawn_visits_apart_on_any_of_several_days(days: list[Day]) -> None:
    scores, truth = held_out(days)
    assert all(100 < drawn.sum() < len(drawn) - 100 for _, drawn in days)
    low, high = interval(scores, truth)
    assert low <= 0.5 <= high, (low, high)
    assert high - low < 0.06, "enough visits to tell"


def test_the_classifier_finds_out_a_field_that_leaks(days: list[Day]) -> None:
    """The guard itself is tried: one field that is right three times in five."""
    dice = random.Random(5)
    low, _ = interval(*held_out([(_leaking(seen, drawn, dice), drawn) for seen, drawn in days]))
    assert low > 0.55


def test_the_classifier_finds_out_drawn_visits_that_keep_their_own_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a drawn position an audit waits long and a reject not at all: order alone tells them apart."""
    monkeypatch.setattr("linewarden_route.routing.DRAWN", frozenset())
    low, _ = interval(*held_out([day(seed, 500) for seed in (1, 2, 3)]))
    assert low > 0.5


def _leaking(seen: list[Features], drawn: Matrix, dice: random.Random) -> list[Features]:
    told = [one if dice.random() < 0.6 else 1 - one for one in drawn]
    return [features | {"leak": float(one)} for features, one in zip(seen, told, strict=True)]


def test_the_answer_to_a_claim_has_no_byte_that_differs_by_cause() -> None:
    line = Line(seed=4)
    answers = set()
    for slot in line.visits():
        hand = Hand(slot, "0" * 32, 0, 0.0)
        answer = json.dumps(present.visit(hand, T0, RECIPE)).replace(slot.visit_id, "V")
        answers.add(answer.replace(slot.bin_slot or "", "B") if slot.bin_slot else answer)
        if len(line.slots) > 60:
            break
    assert len({slot.causes[0] for slot in line.slots.values()}) == 4
    assert len(answers) == 1
