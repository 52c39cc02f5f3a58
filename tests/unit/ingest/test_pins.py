"""Which recipe is in force, and what ingest says when there is none."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.captures import Place
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.worker import require_view
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.memory import MemoryBroker
from linewarden_runtime.provision import activation_record, provision_topics, recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_schemas.line import Activation, RecipeRef
from linewarden_schemas.vocabulary import LineMode
from tests.unit.ingest.lines import NAMESPACE, PLACE, STATE, recipe, set_up_line


def board(broker: MemoryBroker) -> PinBoard:
    return PinBoard(LineBook(broker, NAMESPACE), RecipeBook(broker, NAMESPACE), "line1")


def unknown_recipes() -> float:
    return REGISTRY.get_sample_value("linewarden_ingest_unknown_recipe_total", {"line": "line1"}) or 0.0


def activate(broker: MemoryBroker, version: int, from_ms: int) -> None:
    ref = RecipeRef(recipe_id="plate", version=version)
    activation = Activation(line_id="line1", recipe=ref, from_ms=from_ms, actor="test")
    broker.producer().send(activation_record(NAMESPACE, activation, "/test"))


def test_a_capture_pins_the_version_the_budget_and_the_state_in_force(memory: MemoryBroker) -> None:
    pins = board(memory).pins(100)
    assert (pins.recipe.version, pins.decide_by_ms, pins.line_state) == (1, 4_000, STATE)


def test_an_activation_counts_from_its_time_on_and_is_seen_after_a_refresh(memory: MemoryBroker) -> None:
    pinned = board(memory)
    memory.producer().send(recipe_record(NAMESPACE, recipe(2), "/test"))
    activate(memory, 2, from_ms=500)
    assert pinned.pins(600).recipe.version == 1
    pinned.refresh()
    assert [pinned.pins(at).recipe.version for at in (499, 500)] == [1, 2]


def test_a_line_without_activation_is_refused_with_the_command_that_mends_it() -> None:
    broker = MemoryBroker()
    provision_topics(broker.admin(), NAMESPACE, 4)
    with pytest.raises(ConfigurationError, match="linewarden line activate"):
        board(broker).recipe(100)


def test_a_version_never_published_stops_the_start_but_not_a_running_line(memory: MemoryBroker) -> None:
    activate(memory, 9, from_ms=50)
    pinned = board(memory)
    with pytest.raises(ConfigurationError, match=r"plate@9 .* never published"):
        pinned.recipe(100)
    before = unknown_recipes()
    assert pinned.pins(100).recipe.version == 9
    assert unknown_recipes() == before + 1


def test_a_line_that_never_told_its_state_is_being_set_up() -> None:
    broker = MemoryBroker()
    provision_topics(broker.admin(), NAMESPACE, 4)
    activate(broker, 1, from_ms=0)
    assert board(broker).pins(1).line_state.mode is LineMode.SETUP


def test_a_camera_whose_view_the_recipe_does_not_expect_is_refused() -> None:
    require_view(recipe(), PLACE)
    with pytest.raises(ConfigurationError, match="expects view0, view1, view2"):
        require_view(recipe(), Place("line1", "st1", "cam9", "view9"))


@pytest.fixture
def memory() -> MemoryBroker:
    broker = MemoryBroker()
    set_up_line(broker)
    return broker


def rubbish(broker: MemoryBroker, topic: str, key: bytes) -> None:
    broker.producer().send(OutRecord(NAMESPACE.topic(topic), key, b"{", (), None))


def test_an_activation_that_cannot_be_read_is_unknown_until_the_next_one(memory: MemoryBroker) -> None:
    rubbish(memory, "activations", b"line1")
    pinned = board(memory)
    with pytest.raises(ConfigurationError, match=r"newest activation of line line1 .*cannot be read.* line activate"):
        pinned.pins(100)
    activate(memory, 1, from_ms=50)
    pinned.refresh()
    assert pinned.pins(100).recipe.version == 1


def test_rubbish_of_another_line_stops_nobody(memory: MemoryBroker) -> None:
    rubbish(memory, "activations", b"line2")
    rubbish(memory, "line-state", b"line2")
    assert board(memory).pins(100).line_state == STATE


def test_a_state_that_cannot_be_read_is_set_up_and_a_recipe_is_unknown(memory: MemoryBroker) -> None:
    rubbish(memory, "line-state", b"line1")
    rubbish(memory, "recipes", b"plate@2")
    activate(memory, 2, from_ms=50)
    before = unknown_recipes()
    pins = board(memory).pins(100)
    assert (pins.recipe.version, pins.line_state.mode) == (2, LineMode.SETUP)
    assert unknown_recipes() == before + 1
