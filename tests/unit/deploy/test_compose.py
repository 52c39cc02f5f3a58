"""What can be checked of the compose file and the image where no container engine runs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from typer.main import get_command

from linewarden.cli import ServiceName, app
from linewarden_audit.notary.service import NotaryProcess
from linewarden_ingest.settings import IngestSettings, with_cameras
from linewarden_inspect.settings import KeeperProcess, WorkerProcess
from linewarden_line.settings import LineSettings
from linewarden_onward.settings import OnwardSettings, with_output
from linewarden_reinspect.settings import ProjectorProcess, StationProcess, StationSettings
from linewarden_route.settings import RouteSettings
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.settings import ServiceSettings

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
LOADERS: dict[str, Callable[[], ServiceSettings]] = {
    "ingest": IngestSettings.load,
    "inspect": WorkerProcess.load,
    "keeper": KeeperProcess.load,
    "route": RouteSettings.load,
    "onward": OnwardSettings.load,
    "line": LineSettings.load,
    "projector": ProjectorProcess.load,
    "station": StationProcess.load,
    "notary": NotaryProcess.load,
}


def services() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return loaded


def ours() -> dict[str, Any]:
    """The services that run an image of this repository."""
    return {name: one for name, one in services().items() if one["image"].startswith("linewarden")}


def line_env() -> dict[str, str]:
    lines = (ROOT / "deploy" / "compose" / "line.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_file_follows_the_compose_specification() -> None:
    merged = yaml.safe_dump(yaml.safe_load(COMPOSE.read_text()))  # the checker does not know YAML's merge key
    checked = PyCompose.from_yaml(merged)
    checked.validate()
    assert set(checked.service_names()) == services().keys()


def test_the_specification_check_refuses_a_service_with_an_unknown_key() -> None:
    broken = yaml.safe_load(COMPOSE.read_text())
    broken["services"]["route"]["volume_of_sound"] = 11
    with pytest.raises(Exception, match="volume_of_sound"):
        PyCompose.from_yaml(yaml.safe_dump(broken))


def test_every_service_of_the_line_runs_and_none_as_root_with_rights() -> None:
    assert {name.value for name in ServiceName} <= ours().keys()
    assert all(service["cap_drop"] == ["ALL"] and service["read_only"] for service in ours().values())
    assert re.search(r"^USER linewarden$", (ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)


def test_each_image_is_built_once_and_pulled_by_nobody() -> None:
    built = [service["image"] for service in ours().values() if "build" in service]
    assert sorted(built) == sorted({service["image"] for service in ours().values()})
    assert all("build" in service or service["pull_policy"] == "never" for service in ours().values())


def test_nothing_grows_without_a_bound() -> None:
    assert all(one["logging"]["options"].keys() == {"max-size", "max-file"} for one in services().values())
    assert all("mem_limit" in one for name, one in services().items() if name not in {"prometheus", "grafana"})


def test_what_does_not_run_the_network_has_no_torch() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    def brings(extra: str) -> set[str]:
        found: set[str] = set()
        for one in extras[extra]:
            more = re.match(r"linewarden\[(.*)\]", one)
            found |= set().union(*map(brings, more[1].split(","))) if more else {re.split(r"[<>=\[ ]", one)[0]}
        return found

    plain = services()["provision"]["build"]["args"]["EXTRAS"].split(",")
    assert "torch" not in set().union(*map(brings, plain))
    assert "torch" in brings(services()["inspect"]["build"]["args"]["EXTRAS"])
    networked = {name for name, one in ours().items() if one["image"] == services()["inspect"]["image"]}
    assert networked == {"inspect", "keeper", "cli"}


def test_pictures_come_once_somebody_judges_them_in_time() -> None:
    awaited = services()["ingest"]["depends_on"]
    assert {name for name, how in awaited.items() if how["condition"] == "service_healthy"} == {"inspect", "route"}


def test_people_reach_the_station_where_its_links_say(monkeypatch: pytest.MonkeyPatch) -> None:
    station, cli = services()["station"], services()["cli"]
    for name, value in station["environment"].items():
        monkeypatch.setenv(name, value)
    options = StationProcess.load().station
    assert station["ports"] == [f"127.0.0.1:{options.port}:{options.port}"]
    assert options.public_url == f"http://localhost:{options.port}"
    shared = ("DATA", "PUBLIC_URL", "REFERENCES")
    names = [f"LINEWARDEN_STATION__{name}" for name in shared]
    assert [cli["environment"][name] for name in names] == [station["environment"][name] for name in names]


def test_health_has_a_port_that_nothing_else_has_by_itself() -> None:
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    watched = yaml.safe_load((ROOT / "deploy/watching/prometheus.yml").read_text())["scrape_configs"]
    ports = {sd["port"] for job in watched for sd in job.get("dns_sd_configs", ())}
    assert {int(port) for port in re.findall(r"(?:HEALTH_PORT=|EXPOSE |127\.0\.0\.1:)(\d+)", dockerfile)} == ports
    assert StationSettings().port not in ports


def test_kafka_is_the_version_that_tests_run_on() -> None:
    pom = (ROOT / "deploy/kafka/pom.xml").read_text()
    tested = re.search(r"kafka-node</artifactId>\s*<version>([0-9.]+)<", pom)
    assert tested is not None
    assert services()["kafka"]["image"] == f"apache/kafka:{tested[1]}"


def test_folders_that_a_person_makes_are_not_the_repository_s() -> None:
    mounted = {
        volume.split(":")[0]
        for one in services().values()
        for volume in one.get("volumes", ())
        if volume.startswith("./") and not volume.startswith("./deploy/")
    }
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    page = (ROOT / "deploy/README.md").read_text()
    made = set(re.findall(r"^mkdir -p (.*)$", page, re.MULTILINE)[0].split())
    assert {f"./{one}" for one in made} == mounted
    assert {f"/{one}/" for one in made} <= set(ignored)


def test_a_gpu_is_asked_for_by_a_file_of_its_own() -> None:
    merged = yaml.safe_load(COMPOSE.read_text())
    more = yaml.safe_load((ROOT / "deploy/compose/gpu.yml").read_text())["services"]
    for name, service in more.items():
        merged["services"][name] |= service
    PyCompose.from_yaml(yaml.safe_dump(merged)).validate()
    assert more.keys() == {"inspect"}


def test_every_command_is_one_of_the_command_line() -> None:
    known = get_command(app)
    for name, service in ours().items():
        group, *rest = service["command"]
        if group == "--help":
            continue
        command = known.commands[group]  # type: ignore[attr-defined]  # it is a group
        if group == "run":
            assert rest == [name]
        else:
            command.commands[rest[0]].make_context(rest[0], list(rest[1:]))


@pytest.mark.parametrize("service", LOADERS)
def test_every_service_reads_the_shared_settings_file(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in line_env().items():
        monkeypatch.setenv(name, value)
    settings = LOADERS[service]()
    assert settings.namespace == "line1"
    assert settings.kafka.bootstrap_servers == "kafka:9092"


def test_each_service_has_a_client_id_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in line_env().items():
        monkeypatch.setenv(name, value)
    assert [load().kafka.client_id for load in LOADERS.values()] == [f"line1.{service}-0" for service in LOADERS]
    assert ServiceSettings.load().kafka.client_id == "line1.cli-0"
    monkeypatch.setenv("LINEWARDEN_KAFKA__CLIENT_ID", "mine")
    assert RouteSettings.load().kafka.client_id == "mine"


def test_the_station_shows_pictures_of_bundles_and_references_that_are_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    station = services()["station"]
    for name, value in station["environment"].items():
        monkeypatch.setenv(name, value)
    options = StationProcess.load().station
    mounted = {volume.split(":")[1] for volume in station["volumes"]}
    assert {str(options.bundles), str(options.references), str(options.data)} <= mounted
    assert str(options.bundles) == line_env()["LINEWARDEN_INSPECT__BUNDLES"]


def test_a_service_refuses_a_setting_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWARDEN_COLOUR", "red")
    with pytest.raises(ConfigurationError, match="LINEWARDEN_COLOUR"):
        RouteSettings.load()


def test_ingest_reads_the_cameras_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWARDEN_INGEST__CONFIG", str(ROOT / "deploy" / "compose" / "cameras.toml"))
    options = with_cameras(IngestSettings.load().ingest)
    assert [camera.camera_id for camera in options.cameras] == ["cam-top", "cam-left", "cam-right"]


def test_onward_reads_the_output_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWARDEN_ONWARD__CONFIG", str(ROOT / "deploy" / "compose" / "output.toml"))
    _, output = with_output(OnwardSettings.load().onward)
    assert (output.kind, output.output_id) == ("file", "file1")
    assert any(volume.endswith(":/var/lib/linewarden/onward") for volume in services()["onward"]["volumes"])


def test_the_image_installs_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = re.findall(
        r"EXTRAS[=:] ?\"?([\w,]+)", (ROOT / "deploy/docker/Dockerfile").read_text() + COMPOSE.read_text()
    )
    assert wanted
    assert {extra for one in wanted for extra in one.split(",")} <= extras.keys()


def test_the_image_copies_only_what_exists() -> None:
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for word in line.split()
    ]
    assert sources
    assert all((ROOT / source).exists() for source in sources)
