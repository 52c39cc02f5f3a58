"""What a lead does with a line from the station's page, and what nobody else may."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_runtime.acting import look_at_line
from linewarden_schemas.vocabulary import ChangeoverStage, LineMode, LockCause, Role
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.access.test_insight import running
from tests.unit.reinspect.rig import Rig

PATH = "/api/line/acts/line1"


def line(made: Rig) -> Any:
    return look_at_line(made.broker, made.namespace, "line1", made.clock.now_ms())


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.LEAD])
def test_nobody_but_a_lead_acts_on_a_line(made: Rig, role: Role) -> None:
    person = Person(made, role)
    for path in ("/line/acts", "/api/line/acts"):
        assert person.get(path).status_code == 403
    assert person.post(PATH, {"act": "lock"}).status_code == 403
    assert line(made).state is None


def test_a_lead_locks_lifts_changes_over_and_records_a_bypass_under_their_own_name(made: Rig) -> None:
    running(made)
    lea = Person(made, Role.LEAD, "Lea")
    (shown,) = lea.post(PATH, {"act": "produce"}).json()["lines"]
    assert (shown["mode"], shown["passes"], shown["recipe"]) == ("production", True, "bracket@3")
    (shown,) = lea.post(PATH, {"act": "lock", "reason": "oil on the lens"}).json()["lines"]
    assert (shown["passes"], shown["locks"][0]["detail"], shown["locks"][0]["by"]) == (False, "oil on the lens", "Lea")
    refused = lea.post(PATH, {"act": "unlock"})
    assert (refused.status_code, refused.json()["message"]) == (409, "say why the lock is lifted.")
    lea.headers["accept-language"] = "de"
    assert "Sagen, warum" in lea.post(PATH, {"act": "unlock"}).json()["message"]
    lea.headers["accept-language"] = "en"
    assert lea.post(PATH, {"act": "unlock", "reason": "cleaned"}).json()["lines"][0]["passes"]
    assert line(made).state.lifted[0].cause is LockCause.PERSON
    (shown,) = lea.post(PATH, {"act": "change_over", "recipe": "bracket@3", "order": "PO-9"}).json()["lines"]
    assert (shown["mode"], shown["order"], shown["changeover"]["is_open"]) == ("verification", "PO-9", True)
    assert "has to be checked" in lea.post(PATH, {"act": "release", "purged": True}).json()["message"]
    assert lea.post(PATH, {"act": "change_over", "recipe": "none"}).status_code == 422
    lea.post(PATH, {"act": "withdraw"})
    assert line(made).changeover.stage is ChangeoverStage.WITHDRAWN
    assert lea.post(PATH, {"act": "bypass", "person": "Ben", "minutes": 30}).status_code == 409
    (shown,) = lea.post(PATH, {"act": "bypass", "person": "Ben", "minutes": 30, "reason": "camera"}).json()["lines"]
    assert (shown["mode"], shown["key_holder"], shown["passes"]) == ("bypass", "Ben", False)
    lea.post(PATH, {"act": "end_bypass"})
    assert line(made).mode is LineMode.STOPPED
    assert "names no master parts" in lea.post(PATH, {"act": "check"}).json()["message"]
    log = [one for one in made.station.access.log.page(limit=200) if one.actor == "Lea" and "line1" in one.detail]
    assert "line1: lock oil on the lens" in [one.detail for one in log]


def test_an_act_of_no_kind_or_with_more_than_it_takes_is_refused(made: Rig) -> None:
    lea = Person(made, Role.LEAD)
    assert lea.post(PATH, {"act": "open_the_gate"}).status_code == 422
    assert lea.post(PATH, {"act": "bypass", "person": "Ben", "reason": "x", "minutes": 10_000}).status_code == 422
    assert lea.post("/api/line/acts/a%20line", {"act": "lock"}).status_code == 422
