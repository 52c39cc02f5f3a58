"""Which recipe is in force, and what ingest says when there is none."""

from __future__ import annotations

import re

import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.captures import CameraPlace
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.worker import require_view
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.provision import activation_record, line_state_record, provision_topics, recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.line import Activation, LineState, RecipeRef
from linewarden_schemas.recipe import TimeBudget
from linewarden_schemas.vocabulary import LineMode
from tests.unit.ingest.lines import NAMESPACE, PLACE, STATE, recipe, set_up_line


def board(broker: MemoryBroker) -> PinBoard:
    return PinBoard(LineBook(broker, NAMESPACE), RecipeBook(broker, NAMESPACE), "line1", ManualClock())


def unknown_recipes() -> float:
    return REGISTRY.get_sample_value("linewarden_ingest_unknown_recipe_total", {"line": "line1"}) or 0.0


def doubtful() -> float:
    return REGISTRY.get_sample_value("linewarden_ingest_doubtful_pins_total", {"line": "line1"}) or 0.0


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
        require_view(recipe(), CameraPlace("line1", "st1", "cam9", "view9"))


@pytest.fixture
def memory() -> MemoryBroker:
    broker = MemoryBroker()
    set_up_line(broker)
    return broker


def rubbish(broker: MemoryBroker, topic: str, key: bytes) -> None:
    broker.producer().send(OutRecord(NAMESPACE.topic(topic), key, b"{", (), None))


def test_an_activation_that_cannot_be_read_leaves_every_capture_in_doubt_until_the_next_one(
    memory: MemoryBroker,
) -> None:
    rubbish(memory, "activations", b"line1")
    pinned = board(memory)
    before = doubtful()
    pins = pinned.pins(100)
    assert pins.recipe.version == 1
    assert pins.doubt is not None
    assert re.search(r"newest activation of line line1 .*cannot be read.* line activate", pins.doubt)
    assert doubtful() == before + 1
    activate(memory, 1, from_ms=50)
    pinned.refresh()
    assert (pinned.pins(100).recipe.version, pinned.pins(100).doubt) == (1, None)


def test_a_picture_from_before_any_activation_is_taken_and_doubted() -> None:
    broker = MemoryBroker()
    provision_topics(broker.admin(), NAMESPACE, 4)
    broker.producer().send(recipe_record(NAMESPACE, recipe(), "/test"))
    activate(broker, 1, from_ms=1_000)
    assert "clock" in (board(broker).pins(0).doubt or "")
    assert board(broker).pins(1_000).doubt is None


def test_pins_that_could_not_be_renewed_for_a_minute_are_doubted_until_they_are(memory: MemoryBroker) -> None:
    clock = ManualClock()
    pinned = PinBoard(LineBook(memory, NAMESPACE), RecipeBook(memory, NAMESPACE), "line1", clock, max_age_s=60.0)
    clock.advance(60)
    assert pinned.pins(100).doubt is None
    clock.advance(1)
    assert pinned.pins(100).doubt == "recipe and line state could not be renewed for 61 s"
    pinned.refresh()
    assert pinned.pins(100).doubt is None


def test_a_capture_pins_the_digest_of_the_content_also_where_the_activation_does_not_name_it(
    memory: MemoryBroker,
) -> None:
    assert board(memory).pins(100).recipe == recipe().ref()


def test_a_second_content_of_the_active_version_leaves_it_unknown_and_a_start_goes_on(memory: MemoryBroker) -> None:
    pinned = board(memory)
    memory.producer().send(recipe_record(NAMESPACE, recipe().model_copy(update={"note": "another"}), "/test"))
    pinned.refresh()
    before = unknown_recipes()
    assert pinned.pins(100).recipe == RecipeRef(recipe_id="plate", version=1)
    assert board(memory).pins(100).recipe == RecipeRef(recipe_id="plate", version=1)
    assert unknown_recipes() == before + 2
    assert board(memory).recipe(100) is None


def test_the_line_state_is_that_of_the_picture_but_a_stop_counts_at_once(memory: MemoryBroker) -> None:
    def tell(mode: LineMode, since_ms: int, lot: str) -> None:
        told = LineState(line_id="line1", mode=mode, since_ms=since_ms, actor="test", lot_id=lot)
        memory.producer().send(line_state_record(NAMESPACE, told, "/test"))

    tell(LineMode.PRODUCTION, 1_000, "L-1")
    tell(LineMode.PRODUCTION, 2_000, "L-2")
    assert [board(memory).pins(at).line_state.lot_id for at in (1_500, 2_500)] == ["L-1", "L-2"]
    tell(LineMode.STOPPED, 9_000, "L-2")
    assert board(memory).pins(2_500).line_state.mode is LineMode.STOPPED
    tell(LineMode.PRODUCTION, 12_000, "L-3")
    assert board(memory).pins(9_500).line_state.mode is LineMode.STOPPED


def test_the_activation_told_last_counts_also_where_its_publishers_clock_is_behind(memory: MemoryBroker) -> None:
    memory.producer().send(recipe_record(NAMESPACE, recipe(2), "/test"))
    memory.producer().send(recipe_record(NAMESPACE, recipe(3), "/test"))
    activate(memory, 2, from_ms=5_000)
    activate(memory, 3, from_ms=4_000)
    assert [board(memory).pins(at).recipe.version for at in (3_000, 6_000)] == [1, 3]


def test_a_record_that_does_not_belong_there_stops_nobody_and_is_counted(memory: MemoryBroker) -> None:
    stray = recipe_record(NAMESPACE, recipe(2), "/test")
    for topic in ("activations", "line-state"):
        memory.producer().send(OutRecord(NAMESPACE.topic(topic), b"line1", stray.value, stray.headers))
    before = REGISTRY.get_sample_value("linewarden_unreadable_settings_total", {"topic": "line1.line-state"}) or 0.0
    assert board(memory).pins(100) == board(memory).pins(100)
    assert board(memory).pins(100).doubt is None
    after = REGISTRY.get_sample_value("linewarden_unreadable_settings_total", {"topic": "line1.line-state"})
    assert after == before + 3


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


def test_a_recipe_with_times_of_no_sense_still_makes_captures_that_can_be_read(memory: MemoryBroker) -> None:
    endless = recipe(2).model_copy(update={"time": TimeBudget(decide_by_ms=2**53)})
    memory.producer().send(recipe_record(NAMESPACE, endless, "/test"))
    activate(memory, 2, from_ms=0)
    assert board(memory).pins(100).decide_by_ms == 86_400_000
