"""Brokers for the tests of route."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from linewarden_runtime.ports import Broker
from tests.support.route_line import RouteLine

_PARAMS = ["memory_broker", "tansu_broker", pytest.param("apache_kafka", marks=pytest.mark.kafka)]


@pytest.fixture(params=_PARAMS)
def broker(request: pytest.FixtureRequest) -> Broker:
    made: Broker = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def make_line(broker: Broker, namespace: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., RouteLine]]:
    made: list[RouteLine] = []

    def make(**more: Any) -> RouteLine:
        # The embedded broker lets a static member wait for seconds.
        static = "tansu" not in request.node.callspec.id
        made.append(RouteLine(broker, namespace, static=static, **more))
        return made[-1]

    yield make
    for line in made:
        line.close()
