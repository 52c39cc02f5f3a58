"""Settings, Redis, health and logs of a process."""

import json
import logging
import socket
import struct
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError

from linewarden_runtime import apache, logs
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.embedded import EmbeddedRedis
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.redis_client import RedisSettings, connect
from linewarden_runtime.settings import ServiceSettings
from tests.support.brokers import redis_settings

ROOT = Path(__file__).parents[3]


def test_settings_come_from_the_environment_by_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWARDEN_NAMESPACE", "line7")
    monkeypatch.setenv("LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS", "k1:9092,k2:9092")
    monkeypatch.setenv("LINEWARDEN_INSPECT__BATCH", "8")
    settings = ServiceSettings.load()
    assert settings.namespace == "line7"
    assert settings.kafka.connection()["bootstrap_servers"] == ["k1:9092", "k2:9092"]


@pytest.mark.parametrize("name", ["LINEWARDEN_NAMESPAEC", "LINEWARDEN_KAFKA__BOOTSTRAP", "LINEWARDEN_KAFAK__CLIENT_ID"])
def test_a_name_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigurationError):
        ServiceSettings.load()


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings.load().namespace = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "bad",
    [
        {"request_timeout_ms": 9_000},
        {"delivery_timeout_ms": 10_000},
        {"transaction_timeout_ms": 11_000},
        {"security_protocol": "SASL_SSL"},
    ],
)
def test_timeouts_out_of_order_and_half_a_login_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KafkaSettings.model_validate(bad)


def test_security_reaches_every_client_and_the_secret_comes_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    settings = KafkaSettings(
        security_protocol="SASL_SSL",
        ssl_cafile=tmp_path / "ca.pem",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="inspect",
        sasl_password_file=secret,
    )
    for options in (settings.producer(), settings.consumer("g", None), settings.transactional_producer("t")):
        assert options["ssl_check_hostname"] is True
        assert options["ssl_cafile"] == str(tmp_path / "ca.pem")
        assert options["sasl_plain_password"] == "s3cret"
    assert "s3cret" not in repr(settings)


def test_the_clients_options_are_the_guarded_ones() -> None:
    settings = KafkaSettings()
    producer, consumer = settings.producer(), settings.consumer("g", "s")
    assert (producer["delivery_timeout_ms"], producer["acks"], producer["enable_idempotence"]) == (
        2**31 - 1,
        "all",
        True,
    )
    assert settings.transactional_producer("t")["delivery_timeout_ms"] < settings.transaction_timeout_ms
    assert (consumer["auto_offset_reset"], consumer["enable_auto_commit"]) == ("none", False)
    assert (consumer["isolation_level"], consumer["group_instance_id"]) == ("read_committed", "s")


def test_redis_is_reached_by_settings(valkey: str) -> None:
    with connect(redis_settings(valkey)) as client:
        client.set("key", "value")
        assert client.get("key") == "value"


def test_the_embedded_redis_keeps_every_write_over_a_kill(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        with connect(RedisSettings(port=server.port)) as client:
            client.set("key", "value")
        server.process.kill()
        server.start()
        with connect(RedisSettings(port=server.port)) as client:
            assert client.get("key") == "value"


def _get(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_probes_tell_hung_from_not_ready() -> None:
    clock = ManualClock()
    health = Health(clock, stale_after_s=10.0)
    health.not_ready("restore", "reading route-state")
    with HealthServer(health) as server:
        assert _get(server.port, "/healthz")[0] == 200
        status, body = _get(server.port, "/readyz")
        assert (status, json.loads(body)) == (503, {"waiting": {"restore": "reading route-state"}, "unwell": {}})
        health.ready("restore")
        health.unwell({"line1": "the queue asks for a slower line"})
        assert json.loads(_get(server.port, "/readyz")[1])["unwell"] == {"line1": "the queue asks for a slower line"}
        assert _get(server.port, "/readyz")[0] == 200
        clock.advance(11.0)
        assert _get(server.port, "/healthz")[0] == 503
        health.beat()
        assert _get(server.port, "/healthz")[0] == 200
        assert b"linewarden_transactions_total" in _get(server.port, "/metrics")[1]
        assert _get(server.port, "/other")[0] == 404


class SlowHealth(Health):
    """Answers when it is let, so that a probe may hang up before."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer, self.fails = threading.Event(), threading.Event(), False

    def waiting(self) -> dict[str, str]:
        self.asked.set()
        assert self.may_answer.wait(30)
        if self.fails:
            raise RuntimeError("a bug")
        return {"why": "x" * (1 << 24)}  # more than any socket's buffer takes without its reader


@pytest.mark.parametrize("fails", [False, True])
def test_a_probe_that_hangs_up_leaves_no_traceback_and_a_bug_does(
    fails: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    health = SlowHealth()
    health.fails = fails
    before = set(threading.enumerate())
    with HealthServer(health) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as probe:
            probe.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            assert health.asked.wait(30)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        answering = [one for one in threading.enumerate() if one not in before and one.name != "health"]
        health.may_answer.set()
        for one in answering:
            one.join(30)
    assert ("Traceback" in capsys.readouterr().err) is fails


def test_logs_are_json_lines_that_escape_and_cut_what_came_over_the_bus(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    try:
        logs.configure("inspect", json=True)
        structlog.get_logger("x").warning("refused", text="a\nb" + "c" * 5000)
        logging.getLogger("kafka").info("value=secret")
        logging.getLogger("other").error("plain")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["refused", "plain"]
    assert lines[0]["service"] == "inspect"
    assert len(lines[0]["text"]) < 2100


def test_the_maven_project_of_the_package_and_of_deploy_are_the_same() -> None:
    assert apache.pom().read_bytes() == (ROOT / "deploy" / "kafka" / "pom.xml").read_bytes()
