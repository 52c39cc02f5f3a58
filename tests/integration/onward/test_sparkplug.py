"""Sparkplug B on Debian's Mosquitto, with users and rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden_onward.interface import OutputAway, OutputRefused
from linewarden_onward.outputs.sparkplug_payload import DataType, Metric, encoded
from linewarden_schemas.disposition import Disposition
from tests.support.notices import NOW_MS, diverted, output_run, passed
from tests.support.plant_mqtt import expiry_s
from tests.support.plant_sparkplug import GROUP, NCMD, NODE, SparkplugBroker, SparkplugHost
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.plant

REBIRTH = encoded([Metric("Node Control/Rebirth", DataType.BOOLEAN, True, NOW_MS)], NOW_MS)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SparkplugBroker]:
    with SparkplugBroker(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture
def host(broker: SparkplugBroker) -> Iterator[SparkplugHost]:
    with SparkplugHost(broker) as host:
        yield host


def test_births_come_first_and_each_disposition_is_one_record_with_all_that_bounds_it(
    broker: SparkplugBroker, host: SparkplugHost
) -> None:
    output = broker.options().open(output_run(epoch=7))
    output.tell([diverted(1), passed(2, epoch=7)])
    output.close()
    host.wait(lambda: "NDEATH" in host.kinds(), "the end")
    assert host.kinds() == ["NBIRTH", "DBIRTH", "DDATA", "DDATA", "NDEATH"]
    device = f"spBv1.0/{GROUP}/DDATA/{NODE}/line1"
    assert [message.topic for message in host.messages[2:4]] == [device, device]
    first, second = host.records()
    assert Disposition.from_json(first.pop("disposition").encode()) == diverted(1).disposition
    nothing = dict.fromkeys(("counter", "epoch", "sequence", "window_ms", "expires_ms"), 0)
    about = {"id": "v1:0", "visit": "v1", "revision": 0, "routing": "diverted", "simulated": False, "permit": "none"}
    assert first == about | nothing
    open_one = {"counter": 2, "epoch": 7, "sequence": 2, "window_ms": 2_000, "expires_ms": NOW_MS + 2_000}
    assert second | {"id": "v2:0", "routing": "trusted_pass", "permit": "open"} | open_one == second
    assert [expiry_s(message) for message in host.of("DDATA/eye1/line1")] == [60, 2]
    assert not any(message.retain for message in host.messages)


def test_metrics_are_named_and_numbered_in_births_and_told_by_number_alone(
    broker: SparkplugBroker, host: SparkplugHost
) -> None:
    output = broker.options(state_every_s=0.05).open(output_run(epoch=300))

    def beaten() -> bool:
        output.beat()
        return "NDATA" in host.kinds()

    host.wait(beaten, "a beat")
    output.tell([diverted(1)])
    output.close()
    host.wait(lambda: "NDEATH" in host.kinds(), "the end")
    (node,), (device,) = host.payloads("NBIRTH"), host.payloads("DBIRTH")
    told = {metric.name: metric.alias for metric in [*node.metrics, *device.metrics]}
    assert told == {"bdSeq": 0, "Node Control/Rebirth": 0, "Epoch": 0, "Beat": 1, "Disposition": 2}
    assert not next(metric for metric in node.metrics if metric.name == "Node Control/Rebirth").HasField("alias")
    assert list(device.metrics[0].dataset_value.rows) == []
    for kind, alias in (("NDATA", 1), ("DDATA", 2)):
        (metric,) = host.payloads(kind)[0].metrics
        assert (metric.HasField("name"), metric.alias) == (False, alias)
    (death,) = host.payloads("NDEATH")
    assert not death.HasField("seq")
    assert (host.numbers("NBIRTH"), host.numbers("NDEATH")) == ([300 % 256], [300 % 256])


def test_numbers_go_on_without_a_gap_and_begin_again_after_255(broker: SparkplugBroker, host: SparkplugHost) -> None:
    output = broker.options().open(output_run())
    output.tell([diverted(number) for number in range(1, 257)])
    host.wait(lambda: len(host.messages) == 258, "all of it")
    seqs = [host.payloads(kind) for kind in ("NBIRTH", "DBIRTH", "DDATA")]
    assert [one.seq for kind in seqs for one in kind] == [number % 256 for number in range(258)]
    output.close()


def test_a_connection_that_is_lost_is_a_death_and_the_next_a_birth_under_the_next_number(
    broker: SparkplugBroker, host: SparkplugHost
) -> None:
    with TcpProxy(broker.port) as proxy:
        output = broker.options(port=proxy.port).open(output_run())
        output.tell([diverted(1)])
        proxy.reset()
        host.wait(lambda: "NDEATH" in host.kinds(), "the will")
        with pytest.raises(OutputAway):
            output.beat()
        output.tell([diverted(2)])
        host.wait(lambda: len(host.records()) == 2, "the next")
        assert host.kinds() == ["NBIRTH", "DBIRTH", "DDATA", "NDEATH", "NBIRTH", "DBIRTH", "DDATA"]
        assert (host.numbers("NDEATH"), host.numbers("NBIRTH")) == ([1], [1, 2])
        assert [one.seq for one in host.payloads("DDATA")] == [2, 2]
        output.close()


def test_after_a_broker_that_was_away_a_birth_comes_before_what_is_told_again(broker: SparkplugBroker) -> None:
    output = broker.options().open(output_run())
    output.tell([diverted(1)])
    broker.process.kill()
    with pytest.raises(OutputAway):
        output.tell([diverted(2)])
    broker.start()
    with SparkplugHost(broker) as host:
        output.tell([diverted(2), diverted(3)])
        host.wait(lambda: len(host.records()) == 2, "both")
        assert host.kinds() == ["NBIRTH", "DBIRTH", "DDATA", "DDATA"]
        assert host.numbers("NBIRTH")[0] > 1
        assert [one["id"] for one in host.records()] == ["v2:0", "v3:0"]
        output.close()


def test_a_host_that_asks_hears_births_that_say_nothing_of_a_former_pass(
    broker: SparkplugBroker, host: SparkplugHost
) -> None:
    output = broker.options().open(output_run())
    output.tell([passed(1)])
    host.send(NCMD, b"\xff no payload")
    host.send(NCMD, REBIRTH)

    def answered() -> bool:
        output.beat()
        return host.kinds().count("DBIRTH") == 2

    host.wait(answered, "births")
    output.tell([diverted(2)])
    host.wait(lambda: len(host.records()) == 2, "the next")
    assert [kind for kind in host.kinds() if kind != "NCMD"] == [*["NBIRTH", "DBIRTH", "DDATA"] * 2]
    assert host.numbers("NBIRTH") == [1, 1]
    assert [one.seq for kind in ("NBIRTH", "DBIRTH", "DDATA") for one in host.payloads(kind)] == [0, 0, 1, 1, 2, 2]
    assert list(host.payloads("DBIRTH")[1].metrics[0].dataset_value.rows) == []
    output.close()


@pytest.mark.parametrize("now_ms", [NOW_MS + 2_000, None], ids=["its time is over", "the time is not known"])
def test_a_permission_that_is_not_surely_open_is_told_as_none(
    broker: SparkplugBroker, host: SparkplugHost, now_ms: int | None
) -> None:
    output = broker.options().open(output_run(now_ms=lambda: now_ms))
    output.tell([passed(1)])
    host.wait(lambda: bool(host.records()), "the record")
    (told,) = host.records()
    assert (told["permit"], told["counter"], told["expires_ms"]) == ("none", 0, 0)
    output.close()


def test_what_the_broker_does_not_give_back_is_not_told_and_comes_again(
    broker: SparkplugBroker, host: SparkplugHost
) -> None:
    with TcpProxy(broker.port) as proxy:
        output = broker.options(port=proxy.port, acknowledge_s=1.0).open(output_run())
        proxy.mute()
        with pytest.raises(OutputAway, match="did not give back"):
            output.tell([diverted(1), diverted(2)])
        proxy.heal()
        output.tell([diverted(1), diverted(2)])
        host.wait(lambda: len(host.records()) == 3, "all of it")
        assert [one["id"] for one in host.records()] == ["v1:0", "v1:0", "v2:0"]
        output.close()


def test_a_node_without_rights_is_told_to_nobody_and_says_which(tmp_path: Path) -> None:
    broker = SparkplugBroker(tmp_path / "mosquitto")
    broker.allow(f"topic read spBv1.0/{GROUP}/+/{NODE}/#")
    with broker, pytest.raises(OutputAway, match=f"NBIRTH/{NODE}.*write and read"):
        broker.options(acknowledge_s=1.0).open(output_run())


def test_nobody_who_subscribes_later_is_sent_a_former_pass(broker: SparkplugBroker, host: SparkplugHost) -> None:
    output = broker.options().open(output_run())
    output.tell([passed(1)])
    with SparkplugHost(broker) as late:
        output.tell([diverted(2)])
        late.wait(lambda: bool(late.records()), "the next")
        assert [one["id"] for one in late.records()] == ["v2:0"]
    output.close()


def test_a_message_larger_than_the_broker_takes_is_refused_and_the_next_is_told(tmp_path: Path) -> None:
    broker = SparkplugBroker(tmp_path / "mosquitto", more="max_packet_size 5000")
    with broker, SparkplugHost(broker) as host:
        output = broker.options().open(output_run())
        large = diverted(1)
        reasons = tuple(f"{number} {'x' * 200}" for number in range(20))
        large = type(large)(large.disposition.model_copy(update={"reasons": reasons}))
        with pytest.raises(OutputRefused, match="5000"):
            output.tell([large])
        output.tell([diverted(2)])
        host.wait(lambda: bool(host.records()), "the next")
        output.close()
