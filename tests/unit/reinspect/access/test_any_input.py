"""Whatever is sent to any route by any role: no failure of the station, and nothing beyond the role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from linewarden_reinspect.station.access.permissions import allows, permission_of
from linewarden_reinspect.station.app import create_app
from linewarden_schemas.vocabulary import Role
from tests.unit.reinspect.access.browsers import BASE, Person
from tests.unit.reinspect.rig import Rig

ANY = settings(max_examples=12, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
ENDS_THE_SESSION = "/api/sign-out"
WAYS_IN = ("/sign-in", "/set-up", "/oidc/start", "/oidc/back")


def operations(made: Rig) -> list[Any]:
    results: Any = schemathesis.openapi.from_dict(create_app(made.station).openapi()).get_all_operations()
    found = [one.ok() for one in results]
    return sorted(found, key=lambda one: one.path == ENDS_THE_SESSION)


def send(person: Person, case: Any) -> Any:
    asked = case.as_transport_kwargs(base_url=BASE)
    if isinstance(asked.get("data"), bytes):
        asked["content"] = asked.pop("data")
    wanted = ("method", "url", "params", "json", "data", "content")
    known = {name: asked[name] for name in wanted if asked.get(name) is not None}
    headers = {name: value for name, value in (asked.get("headers") or {}).items() if name.lower() == "content-type"}
    return person.client.request(**known, headers=headers | person.headers)


def with_any_input(operation: Any, person: Person, check: Callable[[Any, str], None]) -> None:
    """Send what the OpenAPI description allows, and what it does not, and check each answer."""

    @ANY
    @given(case=operation.as_strategy())
    def any_input(case: Any) -> None:
        answer = send(person, case)
        where = f"{person.name} {case.method} {case.path}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, where
        check(answer, where)

    any_input()


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
def test_no_input_breaks_a_route_or_leads_beyond_the_role(made: Rig, role: Role) -> None:
    person = Person(made, role)
    asked = [one for one in operations(made) if one.path not in WAYS_IN]
    assert len(asked) > 30
    for operation in asked:
        may = allows(role, permission_of(operation.method.upper(), operation.path))

        def check(answer: Any, where: str, may: bool = may) -> None:
            assert may or answer.status_code in {403, 404, 405, 422}, where

        with_any_input(operation, person, check)


@pytest.mark.slow
def test_no_input_to_the_ways_in_breaks_them_or_signs_anybody_in(made: Rig) -> None:
    def check(answer: Any, where: str) -> None:
        assert made.station.access.rules.cookie not in answer.cookies, where

    person = Person(made, Role.OPERATOR)
    for operation in operations(made):
        if operation.path in WAYS_IN:
            person.client.cookies.clear()
            with_any_input(operation, person, check)
