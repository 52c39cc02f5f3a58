"""An identity from a proxy's headers counts only on the proxy's own connections."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from linewarden_reinspect.station.access.access import AccessRules
from linewarden_reinspect.station.access.proxy import TrustedProxy
from linewarden_reinspect.station.app import create_app
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.vocabulary import Role
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import BASE
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT

EVA = {"x-remote-user": "eva", "x-remote-groups": "staff, line-leads"}
PROXY = TrustedProxy(networks=(ipaddress.ip_network("10.0.0.5/32"),), roles={"line-leads": Role.LEAD})


@pytest.fixture(scope="module")
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock, rules=AccessRules(proxy=PROXY)) as one:
        yield one


def client(made: Rig, address: str) -> TestClient:
    return TestClient(create_app(made.station), base_url=BASE, follow_redirects=False, client=(address, 40000))


def test_who_comes_through_the_proxy_is_signed_in(made: Rig) -> None:
    browser = client(made, "10.0.0.5")
    assert browser.get("/sign-in", headers=EVA).headers["location"] == "/line"
    assert browser.get("/api/me", headers=EVA).json()["role"] == "lead"


def test_the_same_headers_from_elsewhere_mean_nothing(made: Rig) -> None:
    browser = client(made, "10.0.0.6")
    assert browser.get("/sign-in", headers=EVA).status_code == 200
    assert browser.get("/api/me", headers=EVA).status_code == 401


def test_somebody_without_a_known_group_gets_the_form(made: Rig) -> None:
    assert client(made, "10.0.0.5").get("/sign-in", headers=EVA | {"x-remote-groups": "staff"}).status_code == 200


def test_a_session_ends_when_the_proxy_names_somebody_else_or_is_gone_round(made: Rig) -> None:
    for other in (EVA | {"x-remote-user": "bob"}, {}):
        browser = client(made, "10.0.0.5")
        browser.get("/sign-in", headers=EVA)
        assert browser.get("/api/me", headers=other).status_code == 401
        assert browser.get("/api/me", headers=EVA).status_code == 401
