"""The output over MQTT on Debian's Mosquitto, with users, rights and TLS."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linewarden_onward.interface import OutputAway, OutputRefused
from linewarden_onward.outputs.mqtt import MqttOptions, MqttOutput
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.disposition import Disposition
from tests.support.notices import NOW_MS, diverted, output_run, passed
from tests.support.plant_mqtt import PASSWORD, READER, USER, Mosquitto, MqttReader, expiry_s, properties, state
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.plant


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


def options(broker: Mosquitto, **more: Any) -> MqttOptions:
    settings: dict[str, Any] = {
        "output_id": "plc1",
        "host": "localhost",
        "port": broker.port,
        "user": USER,
        "password_file": broker.password_file(),
        "tls": broker.ca_file is not None,
        "ca_file": broker.ca_file,
        "acknowledge_s": 5.0,
    }
    return MqttOptions(**settings | more)


def test_dispositions_arrive_in_order_as_cloud_events_and_a_permission_with_all_that_bounds_it(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mosquitto", tls=True) as broker, MqttReader(broker) as reader:
        output = MqttOutput(options(broker), output_run(epoch=7))
        output.tell([diverted(1), passed(2, epoch=7)])
        reader.wait(lambda: len(reader.of("line1/dispositions")) == 2, "both messages")
        first, second = reader.of("linewarden/line1/dispositions")
        assert Disposition.from_json(bytes(first.payload)) == diverted(1).disposition
        assert getattr(first.properties, "ContentType", None) == "application/json"
        assert expiry_s(first) == 60
        assert properties(first) == {
            "specversion": "1.0",
            "id": "v1:0",
            "source": "/line1/onward/plc1",
            "type": "linewarden.disposition.v1",
            "subject": "v1",
            "time": properties(second)["time"],
            "simulated": "false",
            "permit": "none",
        }
        assert properties(second) | {
            "id": "v2:0",
            "permit": "open",
            "permitcounter": "2",
            "permitepoch": "7",
            "permitsequence": "2",
            "permitwindowms": "2000",
            "permitexpiresms": str(NOW_MS + 2_000),
        } == properties(second)
        assert expiry_s(second) == 2
        output.close()


def test_whoever_subscribes_later_sees_the_state_and_no_disposition(broker: Mosquitto) -> None:
    output = MqttOutput(options(broker), output_run(epoch=3))
    output.tell([passed(1)])
    sub = ["mosquitto_sub", "-h", "localhost", "-p", str(broker.port), "-V", "5", "-u", READER, "-P", PASSWORD]
    asked = [*sub, "-t", "linewarden/#", "-W", "2", "-F", "%r %t %p"]
    heard = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert heard.returncode == 27, heard.stderr  # it waited to the end
    (line,) = heard.stdout.splitlines()
    is_retained, topic, told = line.split(" ", 2)
    assert (is_retained, topic) == ("1", "linewarden/line1/state")
    assert json.loads(told) | {"state": "online", "epoch": 3} == json.loads(told)
    output.close()


@pytest.mark.parametrize("now_ms", [NOW_MS + 2_000, None], ids=["its time is over", "the time is not known"])
def test_a_permission_that_is_not_surely_open_is_told_as_none(broker: Mosquitto, now_ms: int | None) -> None:
    with MqttReader(broker) as reader:
        output = MqttOutput(options(broker), output_run(now_ms=lambda: now_ms))
        output.tell([passed(1)])
        reader.wait(lambda: bool(reader.of("dispositions")), "the message")
        (told,) = reader.of("dispositions")
        assert {name: value for name, value in properties(told).items() if "permit" in name} == {"permit": "none"}
        output.close()


def test_the_time_is_asked_anew_for_each_message(broker: Mosquitto) -> None:
    times = iter([NOW_MS, NOW_MS + 2_000])
    with MqttReader(broker) as reader:
        output = MqttOutput(options(broker), output_run(now_ms=lambda: next(times)))
        output.tell([passed(1), passed(2)])
        reader.wait(lambda: len(reader.of("dispositions")) == 2, "both messages")
        assert [properties(told)["permit"] for told in reader.of("dispositions")] == ["open", "none"]
        output.close()


def test_a_broker_that_is_away_is_waited_for_and_what_was_told_comes_again_under_the_same_id(broker: Mosquitto) -> None:
    output = MqttOutput(options(broker), output_run())
    output.tell([diverted(1)])
    broker.process.kill()
    with pytest.raises(OutputAway):
        output.tell([diverted(2)])
    with pytest.raises(OutputAway):
        output.beat()
    with pytest.raises(OutputAway):
        options(broker).open(output_run())
    broker.start()
    with MqttReader(broker) as reader:
        output.tell([diverted(2), diverted(3)])
        reader.wait(lambda: len(reader.of("dispositions")) == 2, "both messages")
        assert [properties(told)["id"] for told in reader.of("dispositions")] == ["v2:0", "v3:0"]
        output.close()


def test_without_a_puback_nothing_is_told(broker: Mosquitto) -> None:
    with TcpProxy(broker.port) as proxy, MqttReader(broker) as reader:
        output = MqttOutput(options(broker, port=proxy.port, acknowledge_s=1.0), output_run())
        proxy.mute()
        with pytest.raises(OutputAway, match="no acknowledgement"):
            output.tell([diverted(1), diverted(2)])
        reader.wait(lambda: bool(reader.of("dispositions")), "the message whose PUBACK was lost")
        proxy.heal()
        output.tell([diverted(1), diverted(2)])
        reader.wait(lambda: len(reader.of("dispositions")) == 3, "all of it")
        assert [properties(told)["id"] for told in reader.of("dispositions")] == ["v1:0", "v1:0", "v2:0"]
        output.close()


def test_a_permission_on_a_connection_that_stands_still_never_arrives_late(broker: Mosquitto) -> None:
    with TcpProxy(broker.port) as proxy, MqttReader(broker) as reader:
        output = MqttOutput(options(broker, port=proxy.port, acknowledge_s=1.0), output_run())
        proxy.freeze()
        with pytest.raises(OutputAway):
            output.tell([passed(1)])
        with pytest.raises(OutputAway):  # a new connection gets no answer either
            output.beat()
        proxy.heal()
        output.tell([diverted(2)])
        reader.wait(lambda: bool(reader.of("dispositions")), "the message of the new connection")
        assert [properties(told)["id"] for told in reader.of("dispositions")] == ["v2:0"]
        output.close()


def test_a_message_that_the_rights_refuse_is_refused_and_those_before_it_are_told(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.allow("topic write linewarden/line1/state")
    with broker:
        output = MqttOutput(options(broker), output_run())
        told = diverted(1)
        with pytest.raises(OutputRefused, match="0x87") as refused:
            output.tell([told, diverted(2)])
        assert refused.value.notice is told
        output.close()


def test_a_state_that_the_rights_refuse_ends_the_process_with_words(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.allow("topic read linewarden/#")
    with broker, pytest.raises(ConfigurationError, match="linewarden/line1/state"):
        options(broker).open(output_run())


def test_a_message_larger_than_the_broker_takes_is_refused_and_the_next_is_told(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mosquitto", more="max_packet_size 4000") as broker, MqttReader(broker) as reader:
        output = MqttOutput(options(broker), output_run())
        large = diverted(1)
        reasons = tuple(f"{number} {'x' * 200}" for number in range(20))
        large = type(large)(large.disposition.model_copy(update={"reasons": reasons}))
        with pytest.raises(OutputRefused, match="4000"):
            output.tell([large])
        output.tell([diverted(2)])
        reader.wait(lambda: bool(reader.of("dispositions")), "the next")
        output.close()


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # paho forgets it when a handshake fails
def test_a_wrong_password_and_an_unknown_certificate_are_said_and_the_password_is_not(tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("a-wrong-one")
    with Mosquitto(tmp_path / "mosquitto", tls=True) as broker:
        with pytest.raises(ConfigurationError, match="password_file") as wrong:
            options(broker, password_file=tmp_path / "wrong").open(output_run())
        assert "a-wrong-one" not in str(wrong.value)
        with pytest.raises(ConfigurationError, match="ca_file"):
            options(broker, ca_file=None).open(output_run())
        with pytest.raises(ConfigurationError, match="ca_file"):
            options(broker, host="127.0.0.1").open(output_run())  # a certificate of another name
        with pytest.raises(ConfigurationError, match="cannot be read"):
            options(broker, password_file=tmp_path / "missing").open(output_run())
        with pytest.raises(ConfigurationError, match="cannot be used"):
            options(broker, ca_file=tmp_path / "missing").open(output_run())


def test_the_state_is_offline_when_the_output_ends_and_when_it_vanishes(broker: Mosquitto) -> None:
    with MqttReader(broker) as reader:
        MqttOutput(options(broker), output_run()).close()
        reader.wait(lambda: len(reader.of("state")) == 2, "online and offline")
        assert [state(told)["state"] for told in reader.of("state")] == ["online", "offline"]
        vanishing = MqttOutput(options(broker), output_run(epoch=2))
        vanishing._link.abort()
        reader.wait(lambda: len(reader.of("state")) == 4, "online and the will")
        assert [(state(told)["state"], state(told)["epoch"]) for told in reader.of("state")[2:]] == [
            ("online", 2),
            ("offline", 2),
        ]


def test_the_state_is_told_again_before_it_expires_and_its_number_changes(broker: Mosquitto) -> None:
    with MqttReader(broker) as reader:
        output = MqttOutput(options(broker, state_every_s=0.05), output_run())

        def beaten() -> bool:
            output.beat()
            return len(reader.of("state")) >= 3

        reader.wait(beaten, "the state again and again")
        told = reader.of("state")
        assert len({state(one)["beat"] for one in told}) == len(told)
        assert {expiry_s(one) for one in told} == {1}
        output.close()


def test_whoever_takes_the_output_over_ends_the_connection_of_the_former(broker: Mosquitto) -> None:
    with MqttReader(broker) as reader:
        former = MqttOutput(options(broker), output_run(epoch=1))
        heir = MqttOutput(options(broker), output_run(epoch=2))
        with pytest.raises(OutputAway):
            former.tell([passed(1)])
        heir.tell([passed(2, epoch=2)])
        reader.wait(lambda: bool(reader.of("dispositions")), "the heir's message")
        assert [properties(told)["id"] for told in reader.of("dispositions")] == ["v2:0"]
        online = [state(told)["epoch"] for told in reader.of("state") if state(told)["state"] == "online"]
        assert online == [1, 2]
        heir.close()
