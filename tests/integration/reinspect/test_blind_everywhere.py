"""Nobody who may still review a visit reads anywhere what is thought of it, and drawn visits look like all others.

Route's own rules make the visits; the station is asked for every address that it serves to those who review. A route
that this page does not know how to ask fails it.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from linewarden_reinspect.station.access.guard import routes_of
from linewarden_reinspect.station.access.permissions import Permission, allows, permission_of
from linewarden_reinspect.station.app import ROUTERS
from linewarden_route.events import CaptureSeen, Context, InspectionSeen, Publish
from linewarden_route.positions import DRAWN, Positions
from linewarden_route.visit import step
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition, SlotOpen
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import digest, visit_id
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Cause, LineMode, Role, Verdict
from tests.integration.reinspect.test_drawn_visits import Features, held_out, interval
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.pictures import evidence
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import PARTITIONS
from tests.unit.route.builders import SECRET, T0, make_capture, make_inspection, make_recipe

RECIPE = make_recipe(
    review={"audit_share_of_passes": 0.5, "reject_review_share": 0.6, "slack_low_risk_ms": 600_000},
    time={"max_skew_ms": 60_000},
)
REVIEWERS = sorted(role for role in Role if allows(role, Permission.REVIEW))
PICTURE = evidence("v", "v.top.1-1", "top", 1, 0, size=64)
GETS = [path for method, path in routes_of(ROUTERS) if method == "GET"]
QUERIES = {
    "/api/pictures": [
        "limit=200",
        "limit=200&standing=withheld",
        "limit=200&standing=diverted",
        "limit=200&standing=ng",
    ],
    "/api/history": ["limit=200"],
    "/api/thresholds/preview": ["line_id=line1&recipe_id=tile&suspicion=0.2"],
    "/api/shift": [f"from_ms={T0}&to_ms={T0 + 10**8}"],
    "/api/shift/report": [f"from_ms={T0}&to_ms={T0 + 10**8}"],
    "/api/shift/operators": [f"from_ms={T0}&to_ms={T0 + 10**8}"],
    "/oidc/back": ["code=1&state=1"],
}
"""What is asked of feeds that have something to ask for."""
NOTHING_HERE = {"/api/shift/operators", "/oidc/start", "/oidc/back", "/study", "/api/study", "/api/study/picture"}
"""What is switched off here: results by operator, a provider, studies."""
FILTERS = [f"cause={cause.value}" for cause in Cause] + ["defect_class=scratch", "zone=rim"]
Told = dict[str, Any]


class TurnsOnce(threading.Event):
    """A stream looks at it before each turn, and ends after the first."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def is_set(self) -> bool:
        self.looks += 1
        return self.looks % 2 == 0


@dataclass(slots=True)
class WatchedDay:
    """A station behind a line that made visits of all kinds; `withheld` are those that wait, with their first slot."""

    made: Rig
    withheld: dict[str, SlotOpen] = field(default_factory=dict)

    def person(self, role: Role) -> Person:
        self.made.station = replace(self.made.station, wall=True, wall_parts=True, stop=TurnsOnce())
        return Person(self.made, role)


def publish(made: Rig, name: str, message: Message, key: str, visit: str) -> None:
    at_ms = made.clock.now_ms()
    encoded = encode(message, id=f"{key}.{type(message).__name__}.{at_ms}", source="/line1/test", time_ms=at_ms)
    place = partition_of(visit, PARTITIONS)
    made.producer.send(OutRecord(made.topic(name), key.encode(), encoded.value, encoded.headers, place)).result(5)


@contextmanager
def day(seed: int, visits: int) -> Iterator[WatchedDay]:
    dice, clock, positions = random.Random(seed), ManualClock(T0), Positions()
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as made:
        told = WatchedDay(made)
        state = LineState(line_id="line1", mode=LineMode.PRODUCTION, since_ms=T0, actor="lead", shift="early")
        active = Activation(line_id="line1", recipe=RECIPE.ref(), bundle_digest=digest(b"b"), from_ms=T0, actor="eng")
        publish(made, "line-state", state, "line1", "line1")
        publish(made, "activations", active, "line1", "line1")
        for number in range(visits):
            clock.advance(dice.expovariate(1 / 6.0))
            name = visit_id("line1", "s1", clock.now_ms(), number)
            kind = dice.choices(["good", "doubtful", "bad", "known-bad"], [0.3, 0.4, 0.3, 0.1])[0]
            _pass(told, name, kind, dice, positions)
        made.settle()
        made.station.insight.follower.catch_up()
        made.station.watch.look()
        yield told


def _pass(told: WatchedDay, name: str, kind: str, dice: random.Random, positions: Positions) -> None:
    made, clock = told.made, told.made.clock
    now, known_bad = clock.now_ms(), kind == "known-bad"
    bad = kind in {"bad", "known-bad"} and dice.random() < 0.8
    suspicion = dice.uniform(0.4, 2.0) if kind == "doubtful" else dice.uniform(0.0, 0.3)
    visit: VisitSnapshot | None = None
    events: list[CaptureSeen | InspectionSeen] = []
    kept = []
    for place, view in enumerate(("top", "side")):
        frame: dict[str, Any] = {"frame_id": f"{name}.{view}.1-{place}"}
        one = make_capture(
            view, name, now, known_bad=known_bad, part_id=f"SN-{name[-6:]}", sha256=PICTURE.sha256, **frame
        )
        publish(made, "captures", one, name, name)
        events.append(CaptureSeen(one, now))
    for place, view in enumerate(("top", "side")):
        frame = {"frame_id": f"{name}.{view}.1-{place}"}
        seen = make_inspection(
            view, name, verdict=Verdict.NG if bad else Verdict.OK, suspicion=suspicion, at_ms=now, inspected_ms=now,
            frame_sha256=PICTURE.sha256, defect_class="scratch" if bad else None, **frame,
        )  # fmt: skip
        publish(made, "inspections", seen, name, name)
        events.append(InspectionSeen(seen, SourceRef(topic="line1.inspections", partition=0, offset=2)))
        kept.append(PICTURE.model_copy(update=frame | {"visit_id": name, "view_id": view}))
    clock.advance(0.2)  # type: ignore[attr-defined]  # a manual clock
    for event in events:
        where = positions.of(visit) if visit else ()
        done = step(visit, event, Context(clock.now_ms(), RECIPE, SECRET, where))
        visit = done.visit
        for effect in done.effects:
            if isinstance(effect, Publish) and isinstance(effect.message, Disposition):
                publish(made, "dispositions", effect.message, name, name)
            if isinstance(effect, Publish) and isinstance(effect.message, SlotOpen):
                told.withheld[name] = effect.message
                made.send_slot_alone(effect.message)
    assert visit is not None
    if not visit.final:
        positions.learn(visit, RECIPE)
        for evidence in kept:
            made.send_evidence(evidence)


def reviewers_paths(role: Role) -> list[str]:
    return [path for path in GETS if allows(role, permission_of("GET", path))]


def addresses(path: str, slot: SlotOpen) -> list[str]:
    """The addresses of a route for one visit. Raises KeyError for a part of a path that nobody filled in here."""
    frame = slot.frames[0].frame_id
    known = {"visit_id": slot.visit_id, "slot_id": slot.slot_id, "frame_id": frame}
    layers = ("picture", "mask", "specific", "agnostic") if "{layer}" in path else ("",)
    return [path.format(**known, layer=layer) for layer in layers]


def feeds(person: Person, role: Role) -> Iterator[tuple[str, Any]]:
    """Every page and feed that names no visit in its address, as the role gets it."""
    for path in reviewers_paths(role):
        if "{" in path:
            continue
        for query in QUERIES.get(path, [""]):
            answer = person.get(f"{path}?{query}")
            if path in NOTHING_HERE:
                assert answer.status_code in {200, 303, 403, 404, 422}, path
                continue
            assert answer.status_code == 200, f"{role} {path}?{query}: {answer.status_code} {answer.text[:200]}"
            yield f"{path}?{query}", answer


def mentions(of: Any, visit: str, name: str) -> Features:
    """What an answer says where it names a visit, each field as a number, and where in its list that stands."""
    found: Features = {}
    if isinstance(of, list):
        for place, one in enumerate(of):
            if isinstance(one, dict | list) and visit in json.dumps(one):
                found[f"{name}.place"] = place / max(1, len(of) - 1)
                found |= mentions(one, visit, f"{name}[]")
    elif isinstance(of, dict):
        is_it = any(isinstance(one, str) and one.startswith(visit) for one in of.values())
        for key, one in of.items():
            if isinstance(one, dict | list) and not is_it:
                found |= mentions(one, visit, f"{name}.{key}")
            elif is_it:
                found[f"{name}.{key}"] = _number(one)
    return found


def _number(one: Any) -> float:
    if isinstance(one, bool | int | float):
        return float(one)
    text = one if isinstance(one, str) else json.dumps(one)
    return float(len(text)) + (int(digest(text.encode())[:4], 16) / 65536 if len(text) < 20 else 0.0)


def structured(answer: Any) -> Any:
    """The answer of a feed as JSON: of a stream its last event; of a page nothing but its length of text."""
    kind = answer.headers["content-type"]
    if kind.startswith("application/json"):
        return answer.json()
    if kind.startswith("text/event-stream"):
        events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        assert events, "a stream tells something at once"
        return json.loads(events[-1])
    return answer.text


@pytest.fixture(scope="module")
def one_day() -> Iterator[WatchedDay]:
    with day(1, 60) as told:
        yield told


def test_the_day_has_visits_of_all_kinds(one_day: WatchedDay) -> None:
    causes = {cause for slot in one_day.withheld.values() for cause in slot.causes}
    assert {Cause.LOW_TRUST, Cause.AUDIT, Cause.REJECT_REVIEW, Cause.KNOWN_BAD} <= causes


@pytest.mark.parametrize("role", REVIEWERS)
def test_every_address_of_a_visit_that_waits_answers_the_same_whatever_its_cause(
    one_day: WatchedDay, role: Role
) -> None:
    person = one_day.person(role)
    kinds: dict[Cause, SlotOpen] = {}
    for slot in reversed(one_day.withheld.values()):  # the newest: the page of the line shows few
        kinds.setdefault(slot.causes[0], slot)
    for path in (path for path in reviewers_paths(role) if "{" in path):
        answers = set()
        for slot in kinds.values():
            for address in addresses(path, slot):
                answer = person.get(address)
                text = answer.content.decode(errors="replace")
                for word in (slot.visit_id, slot.part_id or "-", slot.slot_id):
                    text = text.replace(word, "V")
                number = addresses(path, slot).index(address)
                answers.add((number, answer.status_code, re.sub(r"\d{12,}", "T", text)))
        assert len(answers) == len(addresses(path, next(iter(kinds.values())))), f"{role} {path}: {answers}"


@pytest.mark.parametrize("role", REVIEWERS)
def test_no_map_of_a_visit_that_waits_is_served(one_day: WatchedDay, role: Role) -> None:
    person = one_day.person(role)
    slot = next(iter(one_day.withheld.values()))
    for path in (path for path in reviewers_paths(role) if "{layer}" in path):
        answers = {person.get(one).status_code for one in addresses(path, slot) if not one.endswith("/picture")}
        assert answers == {404}, path


@pytest.mark.parametrize("role", REVIEWERS)
def test_no_filter_finds_a_visit_that_waits_by_what_was_found(one_day: WatchedDay, role: Role) -> None:
    person = one_day.person(role)
    for query in FILTERS:
        found = {one["visit_id"] for one in person.get(f"/api/pictures?limit=200&{query}").json()["parts"]}
        assert found.isdisjoint(one_day.withheld), query


@pytest.mark.parametrize("role", REVIEWERS)
def test_no_page_or_feed_says_of_a_visit_that_waits_what_is_thought_of_it(one_day: WatchedDay, role: Role) -> None:
    telling = [*(f'"{cause.value}"' for cause in Cause), "suspicion", "p_defect", '"NG"', '"OK"', "scratch"]
    for name, answer in feeds(one_day.person(role), role):
        told = structured(answer)
        for visit in one_day.withheld:
            if isinstance(told, str):
                assert visit not in told, f"{name} names {visit}"
            else:
                said = json.dumps(list(_objects(told, visit)))
                assert [word for word in telling if word in said] == [], f"{name}: {said[:300]}"


def _objects(of: Any, visit: str) -> Iterator[Any]:
    """The innermost objects that name a visit."""
    if isinstance(of, dict) and any(isinstance(one, str) and one.startswith(visit) for one in of.values()):
        yield of
        return
    for one in of.values() if isinstance(of, dict) else of if isinstance(of, list) else ():
        yield from _objects(one, visit)


def seen_of(told: WatchedDay, role: Role) -> tuple[list[Features], list[bool]]:
    answers = [(name, structured(answer)) for name, answer in feeds(told.person(role), role)]
    features = []
    for visit in told.withheld:
        found: Features = {"stood": float(list(told.withheld).index(visit))}
        for name, answer in answers:
            if not isinstance(answer, str):
                found |= mentions(answer, visit, name)
        features.append(found)
    return features, [slot.causes[0] in DRAWN for slot in told.withheld.values()]


def test_a_classifier_cannot_tell_drawn_visits_apart_by_all_that_reviewers_can_open() -> None:
    days = []
    for seed in (1, 2, 3):
        with day(seed, 160) as told:
            features, drawn = seen_of(told, Role.QUALITY)
            days.append((features, np.array(drawn, float)))
    assert all(30 < drawn.sum() < len(drawn) - 30 for _, drawn in days)
    low, high = interval(*held_out(days))
    assert low <= 0.5 <= high, (low, high)


def test_the_classifier_finds_out_a_feed_that_leaks() -> None:
    """The guard itself is tried: parts that wait say their cause, as the page of an auditor does."""
    days = []
    for seed in (1, 2):
        with day(seed, 100) as told:
            features, drawn = seen_of(told, Role.QUALITY)
            cards = {
                one["visit_id"]: one for one in told.person(Role.AUDITOR).get("/api/pictures?limit=200").json()["parts"]
            }
            for visit, one in zip(told.withheld, features, strict=True):
                one["leak"] = _number(cards[visit]["causes"]) if visit in cards else -1.0
            days.append((features, np.array(drawn, float)))
    low, _ = interval(*held_out(days))
    assert low > 0.5
