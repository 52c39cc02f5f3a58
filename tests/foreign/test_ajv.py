"""Schemas and records, validated by ajv in its strict mode: what another language's reader relies on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from linewarden_schemas.envelope import FRAME_TYPE, Encoded, encode, encode_frame
from linewarden_schemas.generate import asyncapi, headers_schema
from linewarden_schemas.samples import FRAME_METADATA, SAMPLES

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas" / "jsonschema"
pytestmark = pytest.mark.foreign


def errors(modules: Path, folder: Path, cases: list[tuple[str, Any]]) -> list[Any]:
    lines = "".join(json.dumps({"schema": schema, "value": value}) + "\n" for schema, value in cases)
    script = str(Path(__file__).with_name("validate.cjs"))
    ran = subprocess.run(
        ["node", script, str(modules), str(folder)], input=lines, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def urn(kind: str) -> str:
    return f"urn:linewarden:{kind}"


def headers(encoded: Encoded) -> dict[str, str]:
    return {name: value.decode() for name, value in encoded.headers}


def test_every_record_fits_its_schema(node_modules: Path) -> None:
    cases = [(urn(sample.TYPE), json.loads(sample.to_json())) for sample in SAMPLES]
    assert errors(node_modules, SCHEMAS, cases) == [None] * len(SAMPLES)


def test_every_golden_record_fits_its_schema(node_modules: Path) -> None:
    cases = []
    for path in sorted((ROOT / "schemas" / "examples").rglob("*.json")):
        name, version = path.parts[-3:-1]
        if name != "frame":  # its value is a picture
            cases.append((urn(f"linewarden.{name}.{version}"), json.loads(path.read_text())))
    assert cases
    assert errors(node_modules, SCHEMAS, cases) == [None] * len(cases)


def test_a_record_that_lacks_what_is_required_is_refused(node_modules: Path) -> None:
    for sample in SAMPLES:
        value = json.loads(sample.to_json())
        required = json.loads((SCHEMAS / f"{sample.TYPE}.json").read_text())["required"]
        cases = [(urn(sample.TYPE), {name: one for name, one in value.items() if name != lost}) for lost in required]
        assert None not in errors(node_modules, SCHEMAS, cases), sample.TYPE


@pytest.mark.parametrize("traceparent", [None, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
def test_the_headers_on_the_wire_are_those_of_the_contract(
    node_modules: Path, tmp_path: Path, traceparent: str | None
) -> None:
    written = {
        sample.TYPE: headers(
            encode(sample, id="x", source="/line1/x", time_ms=1_764_000_000_123, traceparent=traceparent)
        )
        for sample in SAMPLES
    }
    written[FRAME_TYPE] = headers(
        encode_frame(FRAME_METADATA, b"\xff\xd8", source="/line1/ingest/cam1", traceparent=traceparent)
    )
    for kind in written:
        (tmp_path / f"{kind}.json").write_text(json.dumps({"$id": urn(kind), **headers_schema(kind)}))
    assert errors(node_modules, tmp_path, [(urn(kind), found) for kind, found in written.items()]) == [None] * len(
        written
    )
    without = [(urn(kind), {n: v for n, v in found.items() if n != "ce_id"}) for kind, found in written.items()]
    assert None not in errors(node_modules, tmp_path, without)


def test_the_contract_refers_to_files_that_exist_and_names_no_header_that_is_never_written() -> None:
    document = yaml.safe_load((ROOT / "schemas" / "asyncapi.yaml").read_text())
    assert document == asyncapi()
    for channel in document["channels"].values():
        for kind, message in channel["messages"].items():
            reference = message["headers"].get("$ref") if kind == FRAME_TYPE else message["payload"]["$ref"]
            assert (ROOT / "schemas" / str(reference)).is_file()
            described = headers_schema(kind)["properties"]
            assert all(name == "content-type" or name.startswith("ce_") for name in described)
