"""Commands on a real broker and a real Redis, as an engineer types them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from kafka import errors as kafka_errors
from typer.testing import CliRunner, Result

from linewarden.cli import app
from linewarden.commands.context import connect, publish
from linewarden.demo import line
from linewarden.demo.servers import Servers
from linewarden_history.reading import records_since
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.embedded import EmbeddedBroker, EmbeddedRedis
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.provision import recipe_record
from linewarden_runtime.records import InRecord
from linewarden_schemas.recipe import Recipe


@pytest.fixture
def at_the_line(
    tansu: EmbeddedBroker, valkey_server: EmbeddedRedis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> CliRunner:
    for name, value in Servers(tansu, valkey_server.port).env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LINEWARDEN_NAMESPACE", namespace)
    return CliRunner()


def call(runner: CliRunner, *words: str, stdin: str | None = None) -> Result:
    return runner.invoke(app, list(words), input=stdin, catch_exceptions=False)


def test_from_nothing_to_a_line_that_runs_a_recipe(at_the_line: CliRunner) -> None:
    assert "23 topics made" in call(at_the_line, "topics", "create", "--partitions", "2").output
    assert "all were there" in call(at_the_line, "topics", "create", "--partitions", "2").output
    example = call(at_the_line, "recipe", "example", "--bundle", str(line.BUNDLE), "--cameras", "cam1,cam2").output
    assert "is published" in call(at_the_line, "recipe", "add", "-", stdin=example).output
    call(at_the_line, "line", "activate", "line1", "my-product@1", "--actor", "eng-1")
    call(at_the_line, "line", "state", "line1", "production", "--order", "PO-1")
    (shown,) = json.loads(call(at_the_line, "line", "show", "line1", "--json").output)
    assert len(shown.pop("digest")) == 64
    assert shown == {
        "line": "line1",
        "state": "production",
        "passes": "yes",
        "locks": "none",
        "until": "-",
        "order": "PO-1",
        "gate": "none",
        "recipe": "my-product@1",
        "changeover": "none",
        "check": "none",
        "by": "eng-1",
    }


def test_a_recipe_version_never_changes(at_the_line: CliRunner) -> None:
    call(at_the_line, "topics", "create", "--partitions", "2")
    example = call(at_the_line, "recipe", "example", "--bundle", str(line.BUNDLE)).output
    call(at_the_line, "recipe", "add", "-", stdin=example)
    changed = json.dumps(json.loads(example) | {"note": "other"})
    with pytest.raises(ConfigurationError, match="publish it as version 2"):
        call(at_the_line, "recipe", "add", "-", stdin=changed)
    (listed,) = json.loads(call(at_the_line, "recipe", "list", "--json").output)
    assert listed["recipe"] == "my-product@1"


def test_a_line_cannot_run_a_recipe_that_is_not_published(at_the_line: CliRunner) -> None:
    call(at_the_line, "topics", "create", "--partitions", "2")
    with pytest.raises(ConfigurationError, match="never published"):
        call(at_the_line, "line", "activate", "line1", "ghost@1")


def test_doctor_names_what_is_missing_and_is_well_when_nothing_is(at_the_line: CliRunner) -> None:
    before = call(at_the_line, "doctor", "--json")
    assert before.exit_code == 1
    assert any("linewarden topics create" in row["to do"] for row in json.loads(before.output))
    call(at_the_line, "topics", "create", "--partitions", "2")
    after = call(at_the_line, "doctor", "--json")
    assert [row for row in json.loads(after.output) if not row["well"]] == []
    assert after.exit_code == 0


def test_the_balance_of_an_empty_line_closes_and_there_are_no_dead_letters(
    at_the_line: CliRunner, tmp_path: Path
) -> None:
    call(at_the_line, "topics", "create", "--partitions", "2")
    balanced = call(at_the_line, "audit", "balance", "--json")
    assert balanced.exit_code == 0
    assert json.loads(balanced.output)["closes"] is True
    assert "no dead letters" in call(at_the_line, "dead-letters", "list").output
    assert "built again from 0 records" in call(at_the_line, "queue", "rebuild").output


def test_an_escape_is_kept_whatever_is_known_of_it_and_periods_follow_on_each_other(
    at_the_line: CliRunner, tmp_path: Path
) -> None:
    call(at_the_line, "topics", "create", "--partitions", "2")
    index = ("--index", str(tmp_path / "index"))
    words = ("--serial", "SN-1", "--defect", "crack", "--found-at", "customer A", "--by", "qa-1")
    assert call(at_the_line, "escape", "report", *words, *index).exit_code == 1, "no visit knows the serial"
    (kept,) = json.loads(call(at_the_line, "escape", "list", "--json", *index).stdout)
    assert (kept["part_id"], kept["visit_id"], kept["withdrawn"]) == ("SN-1", None, False)
    call(at_the_line, "escape", "withdraw", kept["escape_id"], "--reason", "typing error", *index)
    found = json.loads(call(at_the_line, "find", "SN-1", "--json", *index).stdout)
    assert [one["withdrawn"] for one in found["unmatched_escapes"]] == [True]
    for number in range(2):
        closed = json.loads(call(at_the_line, "audit", "balance", "--close", "--by", "qa-1", "--json").stdout)
        assert closed["period"]["number"] == number
    assert json.loads(call(at_the_line, "audit", "periods", "--json").stdout)["holds"]


def test_a_version_with_two_contents_is_listed_in_conflict_and_not_activated(at_the_line: CliRunner) -> None:
    call(at_the_line, "topics", "create", "--partitions", "2")
    example = call(at_the_line, "recipe", "example", "--bundle", str(line.BUNDLE)).output
    call(at_the_line, "recipe", "add", "-", stdin=example)
    other = Recipe.model_validate_json(json.dumps(json.loads(example) | {"note": "other"}))
    here = connect()
    publish(here.broker, [recipe_record(here.namespace, other, "/old")])
    listed = json.loads(call(at_the_line, "recipe", "list", "--json").output)
    assert len({row["digest"] for row in listed}) == 2
    assert all("Publish what is right as version 2" in row["state"] for row in listed)
    with pytest.raises(ConfigurationError, match="2 contents"):
        call(at_the_line, "line", "activate", "line1", f"my-product@1@{other.digest()}")


def test_a_client_that_is_closed_while_it_asks_for_metadata_logs_no_error(
    at_the_line: CliRunner, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(4):
        call(at_the_line, "topics", "list")
    logging.getLogger("kafka.cluster").error("Metadata refresh: failed %s", kafka_errors.Cancelled())
    logging.getLogger("kafka.cluster").error("Metadata refresh: failed %s", kafka_errors.NodeNotReadyError("n"))
    told = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    assert len(told) == 1
    assert "NodeNotReady" in told[0]


def test_a_dead_letter_is_shown_and_sent_again_as_it_was(at_the_line: CliRunner) -> None:
    call(at_the_line, "topics", "create", "--partitions", "2")
    here = connect()
    topic = here.namespace.topic("captures")
    letters = DeadLetters("route", here.namespace, SystemClock())
    whole = InRecord(topic, 1, 7, 0, b"v1", b'{"a": 1}', (("ce_type", b"odd"),))
    cut = InRecord(topic, 0, 8, 0, b"v2", bytes((5 << 20) + 1), ())
    publish(here.broker, [letters.letter(whole, "unreadable", "odd type"), letters.letter(cut, "too-large")])
    listed = json.loads(call(at_the_line, "dead-letters", "list", "--json").output)
    # Letters lie on two partitions, so their order is nobody's promise.
    assert sorted(one["source"] for one in listed) == [f"{topic}[0]@8", f"{topic}[1]@7"]
    shown = json.loads(call(at_the_line, "dead-letters", "show", f"{topic}[1]@7", "--json").output)
    assert (shown["value"], shown["headers"], shown["detail"]) == ('{"a": 1}', {"ce_type": "odd"}, "odd type")
    assert call(at_the_line, "dead-letters", "show", f"{topic}[1]@9").exit_code == 1
    refused = call(at_the_line, "dead-letters", "redrive", f"{topic}[0]@8", "--yes")
    assert (refused.exit_code, "not whole" in refused.output) == (2, True)
    assert call(at_the_line, "dead-letters", "redrive", "--cause", "unreadable", stdin="n\n").exit_code == 1
    sent = call(at_the_line, "dead-letters", "redrive", "--cause", "unreadable", "--by", "kim", "--yes")
    assert "1 records sent again" in sent.output
    (again,) = records_since(here.broker, topic, 0)
    assert (again.partition, again.key, again.value) == (1, b"v1", b'{"a": 1}')
    assert dict(again.headers) == {"ce_type": b"odd", "redriven-by": b"kim"}
