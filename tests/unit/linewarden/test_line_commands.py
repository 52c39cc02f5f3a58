"""`linewarden line`: what a person may do from a shell, and what takes a lead who signs in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from linewarden.cli import app
from linewarden.commands import context, line, line_acting, line_changes
from linewarden_reinspect.station.access.access import AccessRules, opened_access
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.settings import ServiceSettings
from linewarden_schemas.vocabulary import CheckOutcome, LineMode, LockCause, Role, Routing, Verdict
from tests.unit.line.test_acts_part import NAMESPACE, Plant, produced

PASSWORD = "correct horse battery"


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Plant]:
    """A line in memory on which the commands act; at its station are a lead and an operator."""
    made = Plant()
    here = context.Connection(ServiceSettings.model_construct(), NAMESPACE, made.broker)

    def now_ms() -> int:
        made.clock.advance(1.0)
        return made.clock.now_ms()

    for module in (context, line, line_acting, line_changes):
        monkeypatch.setattr(module, "connect", lambda: here)
        monkeypatch.setattr(module, "now_ms", now_ms, raising=False)
    monkeypatch.setenv("LINEWARDEN_STATION__DATA", str(tmp_path))
    monkeypatch.setenv("LINEWARDEN_REPLAY__INDEX", str(tmp_path / "index.sqlite"))
    monkeypatch.setenv("COLUMNS", "200")
    with opened_access(AccessRules(tmp_path), SystemClock()) as access:
        access.accounts.add("Lea", Role.LEAD, PASSWORD)
        access.accounts.add("Ben", Role.OPERATOR, PASSWORD)
    yield made
    made.close()


def call(*words: str, password: str = PASSWORD, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["line", *words], input=f"{password}\n", catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def refused(*words: str, password: str = PASSWORD) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        call(*words, password=password)
    return str(refusal.value)


def shown(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


def test_a_lock_is_lifted_by_a_lead_who_signs_in_and_by_nobody_else(plant: Plant) -> None:
    call("lock", "line1", "--reason", "oil on the lens")
    assert shown("show", "line1")[0]["locks"] == "person"
    call("state", "line1", "production")
    lift = ("unlock", "line1", "--reason", "cleaned", "--password-stdin")
    assert "only a lead" in refused(*lift)
    assert "only a lead" in refused(*lift, "--as", "Ben")
    assert "wrong" in refused(*lift, "--as", "Lea", password="guessed wrongly")
    assert plant.locks == [LockCause.PERSON]
    assert "lifted by Lea" in call(*lift, "--as", "Lea")
    assert shown("show", "line1")[0]["passes"] == "yes"
    (lifted,) = plant.state.lifted
    assert lifted.lifted_by not in {None, "Lea"}, "a pseudonym, as everywhere in the topics"


def test_a_changeover_is_requested_shown_and_released_by_a_lead(plant: Plant) -> None:
    assert "never changed over" in call("changeover", "show", "line1")
    assert "was never published" in refused("changeover", "request", "line1", "ghost@1")
    call("changeover", "request", "line1", "tile@2", "--order", "PO-2")
    plant.later(1)
    assert "no inspect worker is heard" in call("changeover", "show", "line1")
    release = ("changeover", "release", "line1", "--purged", "--as", "Lea", "--password-stdin")
    assert "has to be checked" in refused(*release)
    plant.all_acknowledge()
    plant.later(3)
    call("check", "begin", "line1")
    plant.turn()
    plant.masters()
    plant.later(1)
    assert shown("check", "show", "line1")["outcome"] == CheckOutcome.PASSED
    assert "only a lead" in refused("changeover", "release", "line1", "--purged")
    assert "released by Lea" in call(*release)
    assert shown("changeover", "show", "line1")["stage"] == "released"
    assert "is in production" not in refused("changeover", "withdraw", "line1")


def test_what_passed_since_the_last_good_check_is_listed_once_one_fails(plant: Plant) -> None:
    produced(plant)
    assert "no check of line1 has failed" in call("check", "contain", "line1")
    plant.visit("v1", "SN-1", top=Verdict.OK, side=Verdict.OK)
    plant.route("v1", Routing.TRUSTED_PASS)
    call("check", "begin", "line1")
    plant.turn()
    plant.visit("m3", "M-bad", top=Verdict.OK, side=Verdict.OK)
    plant.later(1)
    assert plant.locks == [LockCause.CHECK_FAILED]
    listed = json.loads(call("check", "contain", "line1", "--json", code=1))
    assert [one["visit_id"] for one in listed] == ["v1"]


def test_a_bypass_lists_every_part_of_its_time(plant: Plant) -> None:
    plant.visit("v1", "SN-1")
    call("bypass", "begin", "line1", "--person", "Ben", "--reason", "camera broken", "--minutes", "30")
    plant.visit("v2", "SN-2")
    call("bypass", "end", "line1")
    plant.visit("v3", "SN-3")
    assert plant.state.mode is LineMode.STOPPED
    assert "SN-2" in call("bypass", "list", "line1", code=1)
    listed = json.loads(call("bypass", "list", "line1", "--json", code=1))
    assert [one["visit_id"] for one in listed] == ["v2"]
    assert "bypass begin" in refused("state", "line1", "bypass")
