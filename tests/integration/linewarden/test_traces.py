"""`linewarden traces` against a real broker and a server that takes OTLP over HTTP, which decodes what it is sent."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Routing
from tests.support.guides import GuidePage
from tests.support.processes import wait_for
from tests.support.shift import AT, capture, disposition, inspection, visit
from tests.support.topics import provisioned, publish

PAGE = GuidePage("deploy/watching/README.md")
PARTITIONS, VISITS = 2, 5
TOPICS = {"Capture": "captures", "Inspection": "inspections", "Disposition": "dispositions"}
NAMES = ["capture top", "inspect top", "route", "visit"]


@contextmanager
def collector(answer: int = 200) -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Its address, and what it took."""
    took: list[ExportTraceServiceRequest] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server asks for
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_zipped = self.headers.get("Content-Encoding") == "gzip"
            took.append(ExportTraceServiceRequest.FromString(gzip.decompress(body) if is_zipped else body))
            self.send_response(answer if self.path == "/v1/traces" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", took
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_visit(broker: KafkaBroker, line: Namespace, number: int) -> None:
    """A visit that passed."""
    for message in (capture(number), inspection(number), disposition(number, Routing.TRUSTED_PASS)):
        sent, key = encode(message, id="x", source="/test", time_ms=AT), visit(number)
        at = partition_of(key, PARTITIONS)
        publish(
            broker, OutRecord(line.topic(TOPICS[type(message).__name__]), key.encode(), sent.value, sent.headers, at)
        )


def named(environment: dict[str, str]) -> dict[str, str]:
    """What of it a reader has set."""
    return {name: value for name, value in environment.items() if name.startswith("LINEWARDEN_")}


@pytest.fixture
def line(tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str) -> dict[str, str]:
    """The environment of a line that routed some visits."""
    made = Namespace(namespace)
    provisioned(tansu_broker, made, PARTITIONS)
    for number in range(VISITS):
        write_visit(tansu_broker, made, number)
    here = {"LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": tansu.bootstrap_servers, "LINEWARDEN_NAMESPACE": made.name}
    return os.environ | here


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "linewarden", "traces", *words, "--json"]


def spans(took: list[ExportTraceServiceRequest]) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for request in took:
        for of_service in request.resource_spans:
            for scope in of_service.scope_spans:
                for span in scope.spans:
                    found.setdefault(span.trace_id, []).append(span.name)
    return {trace: sorted(names) for trace, names in found.items()}


def test_each_visit_is_one_trace_with_its_services(line: dict[str, str]) -> None:
    with collector() as (where, took):
        done = subprocess.run(command(where), env=line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row == {"told": VISITS, "left out by share": 0, "cut short": 0, "late records": 0}
    assert list(spans(took).values()) == [NAMES] * VISITS
    services = {
        one.value.string_value
        for request in took
        for of_service in request.resource_spans
        for one in of_service.resource.attributes
        if one.key == "service.name"
    }
    assert services == {"linewarden-ingest", "linewarden-inspect", "linewarden-line", "linewarden-route"}
    parents = {
        (span.name, bool(span.parent_span_id))
        for request in took
        for of_service in request.resource_spans
        for scope in of_service.scope_spans
        for span in scope.spans
    }
    assert parents == {("visit", False), *((name, True) for name in NAMES if name != "visit")}


@PAGE.follows("Traces")
def test_followed_it_tells_what_comes_until_it_is_asked_to_end(
    line: dict[str, str], tansu_broker: KafkaBroker, tmp_path: Path
) -> None:
    with collector() as (where, took):
        here = {"http://127.0.0.1:4318": where, "--share 0.05": "--json"}
        with PAGE.walk("Traces", tmp_path, named(line), instead=here) as walk:
            followed = walk.start()
            wait_for(lambda: len(spans(took)) == VISITS, "the visits that were there are told")
            write_visit(tansu_broker, Namespace(line["LINEWARDEN_NAMESPACE"]), VISITS)
            wait_for(lambda: len(spans(took)) == VISITS + 1, "the visit that came is told")
            assert json.loads(followed.stop())[0]["told"] == VISITS + 1


@pytest.mark.parametrize("answer", [400, 404])
def test_a_collector_that_takes_nothing_is_named(line: dict[str, str], answer: int) -> None:
    with collector(answer) as (where, _):
        done = subprocess.run(command(where), env=line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{where} does not take traces; 0 visits were told" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_address_is_wrong_usage(line: dict[str, str]) -> None:
    done = subprocess.run(command("collector:4318"), env=line, capture_output=True, text=True, check=False)
    assert (done.returncode, "is no http://HOST:PORT" in done.stderr) == (2, True)
