"""Of two publishers of one version, paused wherever they may be, never both succeed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from linewarden_domain.line_acts import tell
from linewarden_domain.line_situation import Who as ByName
from linewarden_domain.line_situation import Work
from linewarden_runtime.acting import act_on_line, look_at_line
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import provision_topics, recipe_record
from linewarden_runtime.publishing import activate, publish_recipe
from linewarden_runtime.records import OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.testing.faults import Fault
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState, RecipeRef
from linewarden_schemas.recipe import Recipe, ViewSpec
from linewarden_schemas.samples import RECIPE as SAMPLE
from linewarden_schemas.vocabulary import LineMode

NAMESPACE = Namespace("line1")
_VIEWS = tuple(ViewSpec(view_id=one.view_id, camera_id=one.camera_id) for one in SAMPLE.views)
RECIPE = SAMPLE.model_copy(update={"views": _VIEWS, "zones": (), "criteria": ()})
OTHER = RECIPE.model_copy(update={"note": "another threshold"})
STEPS = 3
"""Taking the identity, reading to the end, writing with the commit."""


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    provision_topics(broker.admin(), NAMESPACE, 4)
    return broker


class Publisher:
    """Publishes on a thread, which stands still before each step until it is let go."""

    def __init__(self, broker: Broker, what: Recipe | LineState | Activation, namespace: Namespace = NAMESPACE) -> None:
        self._broker, self._what, self._namespace = broker, what, namespace
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self.done, self.refused = False, ""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stands.acquire()

    def step(self) -> None:
        if not self.done:
            self._go.release()
            self._stands.acquire()

    def pause(self) -> None:
        self._stands.release()
        self._go.acquire()

    def _run(self) -> None:
        try:
            self._publish(_Pausing(self._broker, self))
        except ConfigurationError as error:
            self.refused = str(error)
        self.done = True
        self._stands.release()

    def _publish(self, broker: Any) -> None:
        match self._what:
            case Recipe():
                publish_recipe(broker, self._namespace, self._what, "/test")
            case LineState():
                told_state(broker, self._namespace, self._what)
            case Activation():
                activate(broker, self._namespace, self._what, "/test")


class _Pausing:
    def __init__(self, inner: Any, publisher: Publisher) -> None:
        self._inner, self._publisher = inner, publisher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __enter__(self) -> _Pausing:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()

    def transactional_producer(self, transactional_id: str, writes: Collection[Position] = ()) -> Any:
        return _Pausing(self._inner.transactional_producer(transactional_id, writes), self._publisher)

    def reader(self, offsets: Mapping[Position, int]) -> Any:
        self._publisher.pause()
        return self._inner.reader(offsets)

    def init(self) -> None:
        self._publisher.pause()
        self._inner.init()

    def transact(self, outputs: list[OutRecord]) -> None:
        self._publisher.pause()
        self._inner.transact(outputs)


@pytest.mark.parametrize(
    "firsts", list(itertools.combinations(range(2 * STEPS), STEPS)), ids=lambda places: "".join(map(str, places))
)
def test_two_publishers_of_one_version_never_both_succeed(broker: MemoryBroker, firsts: tuple[int, ...]) -> None:
    one, two = Publisher(broker, RECIPE), Publisher(broker, OTHER)
    for place in range(2 * STEPS):
        (one if place in firsts else two).step()
    while not one.done:
        one.step()
    while not two.done:
        two.step()
    assert sorted(map(bool, (one.refused, two.refused))) == [False, True]
    winner = two if one.refused else one
    assert "exists and differs; publish it as version 4" in one.refused + two.refused
    assert RecipeBook(broker, NAMESPACE).all.known() == [RECIPE if winner is one else OTHER]
    assert len(broker.records(NAMESPACE.topic("recipes"))) == 1


def test_the_same_content_is_published_once(broker: MemoryBroker) -> None:
    assert publish_recipe(broker, NAMESPACE, RECIPE, "/test") == RECIPE.ref()
    assert publish_recipe(broker, NAMESPACE, RECIPE, "/test") == RECIPE.ref()
    assert len(broker.records(NAMESPACE.topic("recipes"))) == 1


@pytest.mark.parametrize("fault", [Fault.COMMIT_LOST, Fault.SEND, Fault.INIT])
def test_a_commit_without_an_answer_is_looked_at_before_it_is_repeated(broker: MemoryBroker, fault: Fault) -> None:
    broker.faults.order(fault)
    publish_recipe(broker, NAMESPACE, RECIPE, "/test")
    assert len(broker.records(NAMESPACE.topic("recipes"))) == 1


def test_a_broker_that_never_confirms_is_told(broker: MemoryBroker) -> None:
    for _ in range(20):
        broker.faults.order(Fault.INIT)
    with pytest.raises(BrokerUnavailable, match="see what is published"):
        publish_recipe(broker, NAMESPACE, RECIPE, "/test")


def test_contents_under_old_keys_get_keys_of_their_own_with_the_next_act(broker: MemoryBroker) -> None:
    for recipe in (RECIPE, OTHER):
        made = recipe_record(NAMESPACE, recipe, "/old")
        broker.append(OutRecord(made.topic, b"bracket@3", made.value, made.headers), None)
    with pytest.raises(ConfigurationError, match=r"was published with 2 contents .* publish it as version 4"):
        publish_recipe(broker, NAMESPACE, RECIPE, "/test")
    publish_recipe(broker, NAMESPACE, RECIPE.model_copy(update={"version": 4}), "/test")
    broker.log(Position(NAMESPACE.topic("recipes"), 0)).compact()
    book = RecipeBook(broker, NAMESPACE)
    assert book.get(RecipeRef(recipe_id="bracket", version=3)) is None
    assert [one.version for one in book.all.known()] == [4]


def test_an_activation_names_the_digest_and_what_is_in_doubt_is_not_activated(broker: MemoryBroker) -> None:
    publish_recipe(broker, NAMESPACE, RECIPE, "/test")
    plain = Activation(line_id="line1", recipe=RecipeRef(recipe_id="bracket", version=3), from_ms=1, actor="eng")
    written = activate(broker, NAMESPACE, plain, "/test")
    assert LineBook(broker, NAMESPACE).activation("line1", 1) == written
    assert (written.recipe, written.bundle_digest) == (RECIPE.ref(), RECIPE.bundle_digest)
    wrong = plain.model_copy(update={"recipe": OTHER.ref()})
    with pytest.raises(ConfigurationError, match=r"is not what was published .*; see 'linewarden recipe list'"):
        activate(broker, NAMESPACE, wrong, "/test")
    broker.append(recipe_record(NAMESPACE, OTHER, "/old"), None)
    with pytest.raises(ConfigurationError, match="2 contents"):
        activate(broker, NAMESPACE, plain, "/test")


def test_a_recipe_that_nobody_could_judge_by_is_not_published(broker: MemoryBroker) -> None:
    with pytest.raises(ConfigurationError, match=r"bracket@3 is not.*pose of view top.*criterion 1, defect_class"):
        publish_recipe(broker, NAMESPACE, SAMPLE, "/test")
    assert broker.records(NAMESPACE.topic("recipes")) == []


STATE_LOOKED, STATE_BEFORE_WRITING = 4, 9
LOOKED, BEFORE_WRITING = 2, 6
"""Steps after which a teller has looked at what was told, and after which only the commit is left."""


def told_state(broker: Any, namespace: Namespace, wanted: LineState) -> LineState | None:
    """Tell a state as the command does; the one before."""
    seen = look_at_line(broker, namespace, wanted.line_id, wanted.since_ms)
    act_on_line(
        broker,
        namespace,
        wanted.line_id,
        lambda line, _: tell(line, ByName(wanted.actor), wanted.mode, Work(), has_gate=False),
        "/test",
        lambda: wanted.since_ms,
        seen=seen,
    )
    return seen.state


def said(mode: LineMode, actor: str) -> LineState:
    return LineState(line_id="line1", mode=mode, since_ms=2, actor=actor)


@pytest.mark.parametrize("steps", range(STATE_LOOKED, STATE_BEFORE_WRITING + 1))
def test_a_state_that_somebody_else_told_meanwhile_is_not_overruled_unseen(broker: MemoryBroker, steps: int) -> None:
    told_state(broker, NAMESPACE, said(LineMode.PRODUCTION, "ann"))
    one = Publisher(broker, said(LineMode.PRODUCTION, "ben").model_copy(update={"since_ms": 3}))
    two = Publisher(broker, said(LineMode.STOPPED, "cleo"))
    for _ in range(steps):
        one.step()
    while not two.done:
        two.step()
    while not one.done:
        one.step()
    assert not two.refused
    assert "cleo told meanwhile that line line1 is in stopped" in one.refused
    assert LineBook(broker, NAMESPACE).state("line1") == said(LineMode.STOPPED, "cleo")


@pytest.mark.parametrize("steps", range(LOOKED, BEFORE_WRITING + 1))
def test_a_recipe_that_somebody_else_activated_meanwhile_is_not_overruled_unseen(
    broker: MemoryBroker, steps: int
) -> None:
    newer = RECIPE.model_copy(update={"version": 4})
    for recipe in (RECIPE, newer):
        publish_recipe(broker, NAMESPACE, recipe, "/test")
    one, two = (
        Publisher(broker, Activation(line_id="line1", recipe=recipe.ref(), from_ms=1, actor=who))
        for recipe, who in ((RECIPE, "ben"), (newer, "cleo"))
    )
    for _ in range(steps):
        one.step()
    while not two.done:
        two.step()
    while not one.done:
        one.step()
    assert not two.refused
    assert "cleo activated bracket@4@" in one.refused
    active = LineBook(broker, NAMESPACE).activation("line1", 1)
    assert active is not None
    assert active.recipe == newer.ref()


@pytest.mark.parametrize("fault", [Fault.COMMIT_LOST, Fault.SEND, Fault.INIT])
def test_a_state_whose_commit_got_no_answer_is_told_once(broker: MemoryBroker, fault: Fault) -> None:
    broker.faults.order(fault)
    assert told_state(broker, NAMESPACE, said(LineMode.SETUP, "ann")) is None
    assert len(broker.records(NAMESPACE.topic("line-state"))) == 1
    before = told_state(broker, NAMESPACE, said(LineMode.PRODUCTION, "ann"))
    assert before is not None
    assert before.mode is LineMode.SETUP


@pytest.mark.parametrize("fault", [Fault.COMMIT_LOST, Fault.SEND, Fault.INIT])
def test_an_activation_whose_commit_got_no_answer_is_written_once(broker: MemoryBroker, fault: Fault) -> None:
    publish_recipe(broker, NAMESPACE, RECIPE, "/test")
    broker.faults.order(fault)
    activate(broker, NAMESPACE, Activation(line_id="line1", recipe=RECIPE.ref(), from_ms=1, actor="ann"), "/test")
    assert len(broker.records(NAMESPACE.topic("activations"))) == 1
