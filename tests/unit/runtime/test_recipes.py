"""Two contents under one version make it unknown, to whoever stayed up and to whoever starts after compaction."""

from __future__ import annotations

import random

import pytest
from prometheus_client import REGISTRY

from linewarden_runtime.books import RecipeBook
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.provision import line_state_record, provision_topics, recipe_record
from linewarden_runtime.recipes import PatientRecipes, RecipeRecords
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.ids import Namespace, recipe_key
from linewarden_schemas.line import LineState, RecipeRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.samples import RECIPE, SAMPLES

NAMESPACE = Namespace("line1")
TOPIC = NAMESPACE.topic("recipes")
OTHER = RECIPE.model_copy(update={"note": "another threshold"})
WITHOUT = RecipeRef(recipe_id="bracket", version=3)


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    provision_topics(broker.admin(), NAMESPACE, 4)
    return broker


def record(recipe: Recipe, key: str | None = None) -> OutRecord:
    made = recipe_record(NAMESPACE, recipe, "/test")
    return made if key is None else OutRecord(TOPIC, key.encode(), made.value, made.headers)


def answers(book: RecipeBook) -> list[Recipe | None]:
    return [book.get(ref) for ref in (WITHOUT, RECIPE.ref(), OTHER.ref())]


def test_a_reference_resolves_while_one_content_is_known_and_a_digest_must_be_its(broker: MemoryBroker) -> None:
    broker.append(record(RECIPE), None)
    assert answers(RecipeBook(broker, NAMESPACE)) == [RECIPE, RECIPE, None]


def test_a_second_content_long_after_the_first_makes_the_version_unknown_to_all(broker: MemoryBroker) -> None:
    clock = ManualClock()
    broker.append(record(RECIPE), None)
    stayed = RecipeBook(broker, NAMESPACE)
    patient = PatientRecipes(stayed.get, clock)
    assert patient(WITHOUT) == RECIPE
    broker.append(record(OTHER), None)
    clock.advance(2)
    assert patient(WITHOUT) is None
    broker.log(Position(TOPIC, 0)).compact()
    assert answers(stayed) == answers(RecipeBook(broker, NAMESPACE)) == [None, None, None]


def test_old_keys_are_read_and_two_contents_under_one_contradict(broker: MemoryBroker) -> None:
    broker.append(record(RECIPE, "bracket@3"), None)
    book = RecipeBook(broker, NAMESPACE)
    assert answers(book) == [RECIPE, RECIPE, None]
    broker.append(record(RECIPE), None)
    assert answers(book) == [RECIPE, RECIPE, None]
    broker.append(record(OTHER, "bracket@3"), None)
    assert answers(book) == [None, None, None]


@pytest.mark.parametrize(
    "stray",
    [
        record(OTHER, f"bracket@3@{RECIPE.digest()}"),
        record(RECIPE.model_copy(update={"version": 4}), "bracket@3@x"),
        record(OTHER, "stray"),
        OutRecord(TOPIC, f"bracket@3@{OTHER.digest()}".encode(), b"{", ()),
        OutRecord(
            TOPIC,
            b"bracket@3@" + b"0" * 64,
            (record(RECIPE).value or b"").replace(b'"classifier"', b'"dreams"'),
            record(RECIPE).headers,
        ),
    ],
    ids=["another content under its key", "another version under its key", "no key of ours", "rubbish", "newer value"],
)
def test_what_is_in_doubt_is_unknown_and_counted_and_stops_nobody(broker: MemoryBroker, stray: OutRecord) -> None:
    broker.append(record(RECIPE), None)
    labels = {"topic": TOPIC}
    before = REGISTRY.get_sample_value("linewarden_unreadable_settings_total", labels) or 0.0
    broker.append(stray, None)
    book = RecipeBook(broker, NAMESPACE)
    assert answers(book) == [None, None, None]
    assert REGISTRY.get_sample_value("linewarden_unreadable_settings_total", labels) == before + 1
    broker.log(Position(TOPIC, 0)).compact()
    assert answers(RecipeBook(broker, NAMESPACE)) == answers(book)


def test_records_that_name_no_recipe_are_counted_and_change_nothing(broker: MemoryBroker) -> None:
    broker.append(record(RECIPE), None)
    [state] = [one for one in SAMPLES if isinstance(one, LineState)]
    made = line_state_record(NAMESPACE, state, "/test")
    broker.append(OutRecord(TOPIC, b"line1", made.value, made.headers), None)
    broker.append(OutRecord(TOPIC, b"what", b"\xff", ()), None)
    assert answers(RecipeBook(broker, NAMESPACE)) == [RECIPE, RECIPE, None]


def test_a_content_published_again_under_its_key_mends_what_lay_there(broker: MemoryBroker) -> None:
    book = RecipeBook(broker, NAMESPACE)
    broker.append(record(OTHER, f"bracket@3@{RECIPE.digest()}"), None)
    assert answers(book) == [None, None, None]
    broker.append(record(RECIPE), None)
    assert answers(book) == [RECIPE, RECIPE, None]


def test_whoever_demands_digests_knows_no_reference_without(broker: MemoryBroker) -> None:
    broker.append(record(RECIPE), None)
    assert answers(RecipeBook(broker, NAMESPACE, by_digest=True)) == [None, RECIPE, None]


def test_records_deleted_before_they_were_read_leave_what_a_new_process_would_know(broker: MemoryBroker) -> None:
    broker.append(record(RECIPE), None)
    stayed = RecipeBook(broker, NAMESPACE)
    for version in range(4, 9):
        broker.append(record(RECIPE.model_copy(update={"version": version})), None)
    broker.log(Position(TOPIC, 0)).delete_before(4)
    assert stayed.get(WITHOUT) is None
    assert [one.version for one in stayed.all.known()] == [7, 8]
    assert stayed.all.known() == RecipeBook(broker, NAMESPACE).all.known()


def test_a_topic_made_anew_is_read_anew(broker: MemoryBroker) -> None:
    broker.append(record(RECIPE), None)
    stayed = RecipeBook(broker, NAMESPACE)
    spec = broker.specs[TOPIC]
    broker.drop(TOPIC)
    broker.create(spec)
    assert stayed.get(WITHOUT) is None


@pytest.mark.parametrize("seed", range(40))
def test_compaction_changes_no_answer(seed: int) -> None:
    dice = random.Random(seed)
    contents = [RECIPE, OTHER, RECIPE.model_copy(update={"version": 4})]
    keys = [recipe_key(one.recipe_id, one.version, one.digest()) for one in contents]
    records: list[InRecord] = []
    for offset in range(dice.randrange(1, 12)):
        made = record(dice.choice(contents), dice.choice(keys))
        value = dice.choice([made.value, made.value, made.value, b"{", None])
        records.append(InRecord(TOPIC, 0, offset, 0, made.key, value, made.headers, leader_epoch=0))
    newest = {one.key: one for one in records}
    kept = [one for one in records if newest[one.key] is one or dice.random() < 0.5]
    every, compacted = RecipeRecords(), RecipeRecords()
    for one in records:
        every.learn(one)
    for one in kept:
        compacted.learn(one)
    assert every.snapshot() == compacted.snapshot()


def test_an_outage_leaves_what_was_known_for_a_while_and_asks_less_often() -> None:
    clock, asked = ManualClock(), [0]

    def get(_: RecipeRef) -> Recipe:
        asked[0] += 1
        if asked[0] > 1:
            clock.advance(2)
            raise BrokerUnavailable("ordered by a test")
        return RECIPE

    patient = PatientRecipes(get, clock, stale_s=60.0)
    assert patient(WITHOUT) == RECIPE
    known = []
    for _ in range(70):
        clock.advance(1)
        known.append(patient(WITHOUT) is not None)
    assert known[:50] == [True] * 50
    assert not known[-1]
    assert asked[0] < 8


def test_a_known_recipe_is_glanced_at_and_a_second_content_is_seen_all_the_same(broker: MemoryBroker) -> None:
    clock, asked = ManualClock(), [0]
    broker.append(record(RECIPE), None)
    book = RecipeBook(broker, NAMESPACE)

    def get(ref: RecipeRef) -> Recipe | None:
        asked[0] += 1
        return book.get(ref)

    patient = PatientRecipes(get, clock, glance=book.glance)
    for _ in range(14):
        assert patient(WITHOUT) == RECIPE
        clock.advance(1)
    assert asked == [1]
    broker.append(record(OTHER), None)
    clock.advance(1)
    assert patient(WITHOUT) is None


def test_a_glance_is_followed_by_a_look_before_long(broker: MemoryBroker) -> None:
    clock, looked = ManualClock(), [0]

    def get(_: RecipeRef) -> Recipe:
        looked[0] += 1
        return RECIPE

    patient = PatientRecipes(get, clock, glance=lambda _: RECIPE, look_s=15.0)
    for _ in range(31):
        patient(WITHOUT)
        clock.advance(1)
    assert looked == [3]
