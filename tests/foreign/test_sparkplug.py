"""Sparkplug B from a Mosquitto, decoded by Eclipse Tahu's own code for JavaScript."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.notices import NOW_MS, output_run, passed
from tests.support.plant_sparkplug import SparkplugBroker, SparkplugHost

pytestmark = pytest.mark.foreign


def test_a_decoder_of_another_make_reads_births_data_and_death(node_modules: Path, tmp_path: Path) -> None:
    with SparkplugBroker(tmp_path / "mosquitto") as broker, SparkplugHost(broker) as host:
        output = broker.options().open(output_run(epoch=3))
        output.tell([passed(1, epoch=3)])
        output.close()
        host.wait(lambda: "NDEATH" in host.kinds(), "the end")
        sent = "\n".join(bytes(message.payload).hex() for message in host.messages)
    script = [str(Path(__file__).with_name("sparkplug_read.cjs")), str(node_modules)]
    read = subprocess.run(["node", *script], input=sent, capture_output=True, text=True, check=True)
    node, device, data, death = map(json.loads, read.stdout.splitlines())
    told = [(one["name"], one["type"], one["value"]) for one in node["metrics"]]
    assert told == [
        ("bdSeq", "Int64", 3),
        ("Node Control/Rebirth", "Boolean", False),
        ("Epoch", "UInt64", 3),
        ("Beat", "UInt64", 0),
    ]
    assert (device["metrics"][0]["name"], device["metrics"][0]["value"]["rows"]) == ("Disposition", [])
    (record,) = data["metrics"]
    assert record["alias"] == device["metrics"][0]["alias"]
    (row,) = record["value"]["rows"]
    assert row[:11] == ["v1:0", "v1", 0, "trusted_pass", False, "open", 1, 3, 1, 2_000, NOW_MS + 2_000]
    assert json.loads(row[11])["visit_id"] == "v1"
    assert [one.get("seq") for one in (node, device, data, death)] == [0, 1, 2, None]
    assert [(one["name"], one["value"]) for one in death["metrics"]] == [("bdSeq", 3)]
