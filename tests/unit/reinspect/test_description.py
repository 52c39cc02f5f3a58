"""The station's OpenAPI: whole by a linter's rules, with errors, servers and security, for administrators alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from linewarden_reinspect.station.access.guard import routes_of
from linewarden_reinspect.station.access.permissions import GRANTS, ROUTES, Permission
from linewarden_reinspect.station.app import ROUTERS, create_app
from linewarden_reinspect.station.description import describe
from linewarden_reinspect.station.rendering import is_page
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.vocabulary import Role
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT
from tests.unit.reinspect.test_web import Browser


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


@pytest.fixture
def document(made: Rig) -> dict[str, Any]:
    return describe(create_app(made.station).state.described, "https://station.plant", "session")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        yield from ((f"{method.upper()} {path}", one) for method, one in item.items())


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for one in part.values():
            yield from references(one)
    elif isinstance(part, list):
        for one in part:
            yield from references(one)


def test_every_route_that_answers_programs_is_described(document: dict[str, Any]) -> None:
    pages = {route.path for router in ROUTERS for route in router.routes if is_page(route)}
    served = {f"{method} {path}" for method, path in routes_of(ROUTERS) if method != "HEAD"}
    told = {name for name, _ in operations(document)}
    assert told == {one for one in served if one.partition(" ")[2] not in pages}
    assert {"GET /api/me", "POST /api/claim", "GET /api/openapi.json"} <= told


def test_the_document_keeps_a_linters_rules(document: dict[str, Any]) -> None:
    ids = [one["operationId"] for _, one in operations(document)]
    assert len(set(ids)) == len(ids)
    assert document["servers"] == [{"url": "https://station.plant"}]
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    for reference in references(document):
        place: Any = document
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
    for name, one in operations(document):
        assert one["summary"], name
        assert one["description"], name
        assert any(status.startswith("4") for status in one["responses"]), name
        assert any(status.startswith(("2", "3")) for status in one["responses"]), name
        named = {part[1:-1] for part in name.split("/") if part.startswith("{")}
        assert named == {each["name"] for each in one.get("parameters", ()) if each["in"] == "path"}, name


def test_each_operation_says_who_may_call_it_and_what_it_refuses(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"].keys()
    for name, one in operations(document):
        permission = ROUTES[name]
        asked = one.get("security", document["security"])
        assert {scheme for each in asked for scheme in each} <= schemes
        if permission is Permission.PUBLIC:
            assert asked == []
        else:
            assert {"401", "403", "503"} <= one["responses"].keys()
            assert set(one["x-roles"]) == {role.value for role in GRANTS[permission]}
        if name.startswith("POST"):
            assert {"409", "429"} <= one["responses"].keys()
    assert "lease_lost" in document["paths"]["/api/slots/{slot_id}/decision"]["post"]["responses"]["409"]["description"]


def test_administrators_reach_it_and_operators_do_not(made: Rig) -> None:
    assert ROUTES["GET /api/openapi.json"] is Permission.USERS
    assert GRANTS[Permission.USERS] == {Role.ADMIN}
    refused = Browser(made).get("/api/openapi.json")
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
