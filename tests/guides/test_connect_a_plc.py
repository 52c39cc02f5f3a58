"""`Connect a PLC`, each section followed by its own commands, with real servers and a simulated PLC."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from linewarden_runtime.processes import free_port, is_listening
from tests.support.followed_line import FollowedLine
from tests.support.guides import GuidePage
from tests.support.plant_mqtt import PASSWORD, READER, USER, Mosquitto
from tests.support.plant_opcua import CLIENT_URI, UaPlant
from tests.support.plant_sparkplug import SparkplugBroker, SparkplugHost
from tests.support.processes import wait_for

PAGE = GuidePage("docs/guides/connect-a-plc.md")
pytestmark = [pytest.mark.slow, pytest.mark.plant, pytest.mark.timeout(700)]


@pytest.mark.long
@PAGE.follows("Modbus TCP and the gate")
def test_modbus_and_the_gate(line: FollowedLine, tmp_path: Path) -> None:
    port = str(free_port())
    here = {
        "192.168.10.20/32": "127.0.0.0/8",
        "192.168.10.5": "127.0.0.1",
        "5020": port,
        "--parts 50": "--parts 4",
        "make demo GATE=1": "linewarden demo --gate --parts 6 --headless --port 0",
    }
    with PAGE.walk("Modbus TCP and the gate", tmp_path, line.environment, instead=here) as walk:
        walk.start()
        wait_for(lambda: is_listening(int(port)), "the output listens")
        walk.run()
        assert "[0]:" in walk.run()
        assert "unknown" in walk.run()
        followed = walk.start()
        wait_for(lambda: "the output is read" in followed.said, "it follows")
        assert "bins" in followed.stop()
        assert "balance" in walk.run(timeout_s=480.0)
        summary = json.loads((tmp_path / "demo-summary.json").read_text())
        assert summary["gate"]["agrees"]


def told_to(broker: Mosquitto) -> dict[str, str]:
    """What the page says of its broker, and what is so of this one."""
    return {
        "broker.plant": "localhost",
        "8883": str(broker.port),
        '"user": "onward"': f'"user": "{USER}"',
        "/etc/linewarden/mqtt-password": str(broker.password_file()),
        "/etc/linewarden/broker-ca.pem": str(broker.ca_file),
    }


@PAGE.follows("MQTT")
def test_mqtt(line: FollowedLine, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mosquitto", tls=True) as broker:
        here = told_to(broker) | {
            "--cafile broker-ca.pem": f"--cafile {broker.ca_file}",
            "-u plc -P ...": f"-u {READER} -P {PASSWORD}",
        }
        with PAGE.walk("MQTT", tmp_path, line.environment, instead=here) as walk:
            walk.start()
            heard = walk.start()
            wait_for(lambda: '"online"' in heard.said, "the state is heard")
            visit = line.decide()
            wait_for(lambda: f"{visit}:0" in heard.said, "the disposition is heard")


@PAGE.follows("Sparkplug B")
def test_sparkplug_b(line: FollowedLine, tmp_path: Path) -> None:
    with SparkplugBroker(tmp_path / "mosquitto", tls=True) as broker, SparkplugHost(broker) as host:
        with PAGE.walk("Sparkplug B", tmp_path, line.environment, instead=told_to(broker)) as walk:
            walk.start()
            host.wait(lambda: "DBIRTH" in host.kinds(), "the line is born")
            visit = line.decide()
            host.wait(lambda: visit in [one["visit"] for one in host.records()], "the disposition is heard")
        assert host.kinds()[:2] == ["NBIRTH", "DBIRTH"]
        host.wait(lambda: "NDEATH" in host.kinds(), "the node's end")


@PAGE.follows("OPC UA")
def test_opcua(line: FollowedLine, tmp_path: Path) -> None:
    port = free_port()
    here = {
        "opc.tcp://192.168.10.5:4840": f"opc.tcp://127.0.0.1:{port}",
        "192.168.10.5": "127.0.0.1",
        '"port": 4840': f'"port": {port}',
        "--parts 10": "--parts 3 --window-ms 1000",
        "/var/lib/linewarden/opcua": str(tmp_path / "own"),
        ', "nodeset": "/etc/linewarden/Opc.Ua.MachineVision.NodeSet2.xml"': "",
    }
    with PAGE.walk("OPC UA", tmp_path, line.environment | {"PLC_PASSWORD": "secret"}, instead=here) as walk:
        walk.run(typed="secret\n")
        walk.start()
        wait_for(lambda: is_listening(port), "the server listens")
        visit = line.decide()
        client = UaPlant(tmp_path / "client")
        wait_for(lambda: visit in asyncio.run(_latest(client.folder, tmp_path / "own", port)), "the result is read")
        assert "unknown" in walk.run()


async def _latest(folder: Path, server: Path, port: int) -> str:
    client = Client(f"opc.tcp://127.0.0.1:{port}/linewarden", timeout=10)
    client.application_uri = CLIENT_URI
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        certificate=str(folder / "client.der"),
        private_key=str(folder / "client.pem"),
        server_certificate=str(server / "server.der"),
    )
    client.set_user("plc")
    client.set_password("secret")
    async with client:
        own = await client.get_namespace_index("urn:linewarden:onward")
        management = client.get_node(ua.NodeId("line1.ResultManagement", own))
        method = client.get_node(ua.NodeId("line1.ResultManagement.GetLatestResult", own))
        return str((await management.call_method(method))[2])


def test_every_block_is_followed() -> None:
    PAGE.require_followed({})
