"""Publishing recipes by compare and set, on every broker."""

from __future__ import annotations

import pytest

from linewarden_runtime.books import RecipeBook
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import provision_topics
from linewarden_schemas.ids import Namespace
from tests.unit.runtime.test_publishing import OTHER, RECIPE, STEPS, Publisher


@pytest.mark.parametrize("steps", range(STEPS + 1))
def test_a_publisher_that_another_overtook_publishes_nothing_that_contradicts(
    broker: Broker, namespace: str, steps: int
) -> None:
    here = Namespace(namespace)
    with broker.admin() as admin:
        provision_topics(admin, here, 1)
    one, two = Publisher(broker, RECIPE, here), Publisher(broker, OTHER, here)
    for _ in range(steps):
        one.step()
    while not two.done:
        two.step()
    while not one.done:
        one.step()
    assert sorted(map(bool, (one.refused, two.refused))) == [False, True]
    with RecipeBook(broker, here) as book:
        assert book.all.known() == [OTHER if one.refused else RECIPE]
