"""Every route, with every role and with none."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from linewarden_reinspect.station.access.guard import routes_of
from linewarden_reinspect.station.access.permissions import (
    GRANTS,
    ROUTES,
    Permission,
    allows,
    permission_of,
    require_all_entered,
    require_outcome,
)
from linewarden_reinspect.station.app import ROUTERS, create_app
from linewarden_reinspect.station.errors import BadInput, Forbidden
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Judgement, Outcome, Role
from tests.unit.reinspect.access.browsers import BASE, Person
from tests.unit.reinspect.rig import Rig

ALL = routes_of(ROUTERS)
ENDS = "POST /api/sign-out"


def concrete(path: str) -> str:
    return re.sub(r"{[^}]+}", "1", path)


def test_every_route_stands_in_the_table_and_nothing_else_does() -> None:
    assert sorted(ROUTES) == sorted(f"{method} {path}" for method, path in ALL)


def test_a_route_that_nobody_entered_is_not_served() -> None:
    with pytest.raises(ConfigurationError, match="stands in no line"):
        require_all_entered([*ALL, ("POST", "/api/new")])


def test_every_permission_but_the_public_one_is_somebodys() -> None:
    assert set(GRANTS) == set(Permission) - {Permission.PUBLIC}
    assert all(GRANTS.values())


@pytest.mark.parametrize("role", Role)
def test_a_role_gets_through_where_the_table_says_so_and_nowhere_else(made: Rig, role: Role) -> None:
    person = Person(made, role)
    for method, path in sorted(ALL, key=lambda route: f"{route[0]} {route[1]}" == ENDS):
        permission = permission_of(method, path)
        if permission is Permission.PUBLIC:
            continue
        answer = person.client.request(method, concrete(path), json={}, headers=person.headers)
        may = allows(role, permission)
        assert (answer.status_code == 403) is not may, f"{role} {method} {path}: {answer.status_code} {answer.text}"
        assert answer.status_code not in {401, 303}, f"{role} {method} {path}"
        assert answer.status_code < 500, f"{role} {method} {path}: {answer.text}"


def test_nobody_gets_through_without_a_session(made: Rig) -> None:
    client = TestClient(create_app(made.station), base_url=BASE, follow_redirects=False)
    for method, path in ALL:
        if permission_of(method, path) is not Permission.PUBLIC:
            answer = client.request(method, concrete(path), json={}, headers={"origin": BASE})
            assert answer.status_code in {401, 303}, f"{method} {path}"


def test_every_changing_route_asks_for_the_sessions_token(made: Rig) -> None:
    for role in Role:
        person = Person(made, role)
        person.headers["x-linewarden-token"] = "of-another-session"
        for method, path in ALL:
            if method != "GET" and permission_of(method, path) is not Permission.PUBLIC:
                assert person.post(concrete(path)).status_code == 403, f"{role} {method} {path}"


def test_a_page_that_is_not_for_the_role_says_whose_it_is(made: Rig) -> None:
    answer = Person(made, Role.OPERATOR).get("/users")
    assert answer.status_code == 403
    assert "for the role admin" in answer.text


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.LEAD])
@pytest.mark.parametrize("outcome", [Outcome.REWORK, Outcome.SCRAP, Outcome.USE_AS_IS])
def test_rework_scrap_and_use_as_is_are_for_quality_alone(role: Role, outcome: Outcome) -> None:
    with pytest.raises(Forbidden, match="role quality"):
        require_outcome(role, Judgement.NG, outcome, None)
    require_outcome(Role.QUALITY, Judgement.NG, outcome, "C-7" if outcome is Outcome.USE_AS_IS else None)


@pytest.mark.parametrize(
    ("judgement", "outcome", "concession"),
    [
        (Judgement.OK, Outcome.SCRAP, None),
        (Judgement.NG, Outcome.ACCEPT, None),
        (Judgement.UNSURE, Outcome.REWORK, None),
        (Judgement.NG, Outcome.USE_AS_IS, None),
        (Judgement.NG, Outcome.SCRAP, "C-7"),
    ],
)
def test_an_outcome_that_contradicts_the_judgement_or_lacks_its_concession_is_refused(
    judgement: Judgement, outcome: Outcome, concession: str | None
) -> None:
    with pytest.raises(BadInput):
        require_outcome(Role.QUALITY, judgement, outcome, concession)


def test_an_operators_outcome_is_refused_before_anything_is_recorded(made: Rig) -> None:
    operator = Person(made, Role.OPERATOR)
    body = {"token": "0" * 32, "judgement": "NG", "outcome": "scrap"}
    answer = operator.post("/api/slots/s1/decision", body)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


def test_acts_and_refusals_are_in_the_log_of_acts(made: Rig) -> None:
    person = Person(made, Role.OPERATOR, "Ada")
    person.get("/api/users")
    person.post("/api/undo")
    person.post("/api/slots/s1/renew", {"token": "0" * 32})
    told = [(one.act, one.object, one.outcome) for one in made.station.access.log.page(actor="Ada")]
    assert told == [
        ("POST /api/undo", "", "nothing_held"),
        ("GET /api/users", "", "forbidden"),
        ("sign-in", "", "done"),
    ]
