"""The OPC UA output read by node-opcua, typed by the standard's nodeset that comes with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from linewarden_onward.outputs.opcua_server import OpcuaOutput
from tests.support.notices import NOW_MS, output_run, passed
from tests.support.plant_opcua import PASSWORD, USER, UaPlant

pytestmark = pytest.mark.foreign


def test_a_client_of_another_make_sees_a_vision_system_of_the_standard(node_modules: Path, tmp_path: Path) -> None:
    plant = UaPlant(tmp_path / "opcua")
    nodeset = node_modules / "node_modules" / "node-opcua-nodesets" / "nodesets" / "Opc.Ua.MachineVision.NodeSet2.xml"
    output = OpcuaOutput(plant.options(nodeset=nodeset), output_run(epoch=3))
    output.beat()
    script = [
        str(Path(__file__).with_name("opcua_read.cjs")),
        str(node_modules),
        f"opc.tcp://127.0.0.1:{plant.port}/linewarden",
        str(plant.folder / "client.crt"),
        str(plant.folder / "client.pem"),
        str(tmp_path / "pki"),
        *("line1", USER, PASSWORD),
    ]
    with subprocess.Popen(["node", *script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        said: list[dict[str, Any]] = []
        for text in client.stdout:
            said.append(json.loads(text))
            if said[-1] == {"ready": True}:
                output.tell([passed(1, epoch=3)])
        assert client.stderr is not None
        trouble = client.stderr.read()
    output.close()
    assert client.returncode == 0, trouble
    vision = said[0]["vision"]
    assert said[0] == {
        "state": "Operational",
        "stateId": f"ns={vision};i=5031",
        "kind": f"ns={vision};i=1003",
        "vision": vision,
    }
    assert said[2] == {"id": "v1:0", "resultState": 1, "sequence": 1, "permission": [1, 3, 1, 2_000, NOW_MS + 2_000]}
    assert said[3] == {"error": 0, "partId": "SN-000123", "content": "v1:0"}
    assert said[4] == {"isGap": True, "sequences": [1]}
    assert said[5] == {"halt": "BadNotSupported"}
    assert "BadUserAccessDenied" in said[6]["written"]
