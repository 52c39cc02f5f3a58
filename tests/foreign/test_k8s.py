"""What can be checked of `deploy/k8s` without a cluster: rendered by kustomize, held against Kubernetes' schemas."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from linewarden.cli import app
from linewarden_ingest.settings import with_cameras
from linewarden_schemas.ids import Namespace
from tests.unit.deploy.test_compose import LOADERS, line_env, ours

ROOT = Path(__file__).resolve().parents[2]
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.0.3"
"""The newest that Debian 12's Go can build."""
VERSIONS = ("1.32", "1.37")
"""The first in which a pod's number is a stable field, and the newest whose schemas are at hand."""
KEDA = "keda.sh/v1alpha1"
"""Kubernetes has no schema of what a plug-in brings."""
PART_OF, NAME = "app.kubernetes.io/part-of", "app.kubernetes.io/name"

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def kustomize() -> Path:
    """Built once by Go into `build/foreign`."""
    place = ROOT / "build" / "foreign" / "bin"
    if not (place / "kustomize").exists():
        subprocess.run(["go", "install", KUSTOMIZE], env=os.environ | {"GOBIN": str(place)}, check=True)
    return place / "kustomize"


def rendered(kustomize: Path, overlay: str) -> list[dict[str, Any]]:
    """The resources that `kubectl apply -k` would send."""
    folder = ROOT / "deploy" / "k8s" / overlay
    done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=["edge", "plant"])
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def resources(kustomize: Path, overlay: str) -> list[dict[str, Any]]:
    return rendered(kustomize, overlay)


def of(resources: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a kind by their names."""
    return {one["metadata"]["name"]: one for one in resources if one["kind"] == kind}


def pods(resources: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each pod's name, labels and specification."""
    for kind in ("StatefulSet", "Job"):
        for name, one in of(resources, kind).items():
            yield name, one["spec"]["template"]["metadata"]["labels"], one["spec"]["template"]["spec"]


def of_the_line(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: spec for name, labels, spec in pods(resources) if labels.get(PART_OF) == "linewarden"}


def settings_of(resources: list[dict[str, Any]], pod: dict[str, Any]) -> dict[str, str]:
    """What a pod's container finds in its environment."""
    (container,) = pod["containers"]
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= of(resources, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return found


def chosen(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector chooses a pod."""
    equal = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return equal and all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ()))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_one_that_kubernetes_takes(resources: list[dict[str, Any]], version: str) -> None:
    names = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in resources]
    assert len(set(names)) == len(names)
    for one in resources:
        if one["apiVersion"] != KEDA:
            kubernetes_validate.validate(one, version, strict=True)
    assert {one["metadata"].get("namespace") for one in resources} == {"linewarden"}


def test_a_word_that_kubernetes_does_not_know_is_refused(resources: list[dict[str, Any]]) -> None:
    broken = of(resources, "StatefulSet")["route"]
    broken = broken | {"spec": broken["spec"] | {"replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_the_line_is_that_of_the_compose_file(resources: list[dict[str, Any]]) -> None:
    """People's commands run in its pods; what signs and what tells the plant is left to each plant."""
    assert of_the_line(resources).keys() == ours().keys() - {"cli", "notary", "onward"}
    known = get_command(app)
    for name, pod in of_the_line(resources).items():
        (container,) = pod["containers"]
        assert container["image"] == ours()[name]["image"]
        group, *rest = container["args"]
        command = known.commands[group]  # type: ignore[attr-defined]  # it is a group
        if group == "run":
            assert rest == [name]
        else:
            command.commands[rest[0]].make_context(rest[0], list(rest[1:]))


def test_every_service_reads_its_settings(resources: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pod in of_the_line(resources).items():
        if name in LOADERS:
            for key, value in settings_of(resources, pod).items():
                monkeypatch.setenv(key, value)
            assert LOADERS[name]().namespace == line_env()["LINEWARDEN_NAMESPACE"]


def test_the_cameras_are_those_of_the_file(
    resources: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod = of_the_line(resources)["ingest"]
    for key, value in settings_of(resources, pod).items():
        monkeypatch.setenv(key, value)
    options = LOADERS["ingest"]().ingest  # type: ignore[attr-defined]  # ingest's settings
    (volume,) = [one for one in pod["volumes"] if one["name"] == "cameras"]
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "cameras"]
    files = of(resources, "ConfigMap")[volume["configMap"]["name"]]["data"]
    assert str(options.config) in {f"{mount['mountPath']}/{name}" for name in files}
    here = tmp_path / "cameras.toml"
    here.write_text(files["cameras.toml"])
    known = with_cameras(options.model_copy(update={"config": here}))
    assert [camera.camera_id for camera in known.cameras] == ["cam-top", "cam-left", "cam-right"]


def test_whoever_takes_a_pods_place_takes_over_its_identity(resources: list[dict[str, Any]]) -> None:
    assert not of(resources, "Deployment")
    for name in of_the_line(resources).keys() - {"provision"}:
        (container,) = of(resources, "StatefulSet")[name]["spec"]["template"]["spec"]["containers"]
        (instance,) = [one for one in container["env"] if one["name"] == "LINEWARDEN_INSTANCE"]
        assert instance["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"


def test_what_is_mounted_exists_and_every_setting_of_a_file_is_mounted(
    resources: list[dict[str, Any]], overlay: str
) -> None:
    claims, maps = of(resources, "PersistentVolumeClaim").keys(), of(resources, "ConfigMap").keys()
    for name, pod in of_the_line(resources).items():
        own = [one["metadata"]["name"] for one in _claims_of(resources, name)]
        volumes = {one["name"]: one for one in pod.get("volumes", ())}
        (container,) = pod["containers"]
        mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        assert mounts.keys() == volumes.keys() | set(own), name
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps
        secrets = [v for k, v in settings_of(resources, pod).items() if k.endswith(("FILE", "SSL_CAFILE"))]
        assert bool(secrets) == (overlay == "plant")
        assert all(str(Path(one).parent) == mounts["secrets"] for one in secrets)


def _claims_of(resources: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        of(resources, "StatefulSet").get(name, {"spec": {}})["spec"].get("volumeClaimTemplates", [])
    )
    return found


def test_no_pod_has_rights_that_it_does_not_need(resources: list[dict[str, Any]]) -> None:
    for name, labels, pod in pods(resources):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        (container,) = pod["containers"]
        rights = container["securityContext"]
        assert (rights["allowPrivilegeEscalation"], rights["capabilities"]) == (False, {"drop": ["ALL"]}), name
        assert "memory" in container["resources"]["limits"], name
        if labels.get(PART_OF) == "linewarden":
            assert rights["readOnlyRootFilesystem"] is True, name


def test_a_disruption_leaves_members_and_probes_ask_what_every_service_answers(
    resources: list[dict[str, Any]],
) -> None:
    labels = {name: one for name, one, _ in pods(resources)}
    budgets = of(resources, "PodDisruptionBudget")
    assert budgets.keys() == {"route", "inspect"}
    for name, budget in budgets.items():
        assert [pod for pod, own in labels.items() if chosen(budget["spec"]["selector"], own)] == [name]
    for name, one in of(resources, "StatefulSet").items():
        if one["metadata"]["labels"].get(PART_OF) == "linewarden":
            (container,) = one["spec"]["template"]["spec"]["containers"]
            paths = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}
            assert {probe: at["path"] for probe, at in paths.items()} == {
                "startup": "/healthz",
                "liveness": "/healthz",
                "readiness": "/readyz",
            }, name
            assert {at["port"] for at in paths.values()} == {"health"}
            assert {"name": "health", "containerPort": 8081} in [
                {key: port[key] for key in ("name", "containerPort")} for port in container["ports"]
            ]


def test_only_who_needs_it_reaches_redis_cameras_and_people(resources: list[dict[str, Any]]) -> None:
    labels = {name: one for name, one, _ in pods(resources) if one.get(PART_OF) == "linewarden"}
    policies = of(resources, "NetworkPolicy")

    def whom(policy: str) -> set[str]:
        return {name for name, own in labels.items() if chosen(policies[policy]["spec"]["podSelector"], own)}

    assert whom("linewarden") == labels.keys()
    assert policies["linewarden"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert (whom("redis"), whom("cameras"), whom("people")) == ({"projector", "station"}, {"ingest"}, {"station"})
    if {"kafka", "valkey"} & policies.keys():
        allowed = policies["valkey"]["spec"]["ingress"][0]["from"][0]["podSelector"]
        assert {name for name, own in labels.items() if chosen(allowed, own)} == whom("redis")


def test_workers_are_counted_by_what_waits_for_them(kustomize: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = rendered(kustomize, "plant")
    scaled = of(resources, "ScaledObject")["inspect"]["spec"]
    (trigger,) = scaled["triggers"]
    settings = settings_of(resources, of_the_line(resources)["inspect"])
    namespace = Namespace(settings["LINEWARDEN_NAMESPACE"])
    kafka = trigger["metadata"]
    assert (kafka["consumerGroup"], kafka["topic"]) == (namespace.group("inspect"), namespace.topic("frames"))
    assert kafka["bootstrapServers"] == settings["LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS"]
    partitions = int(of_the_line(resources)["provision"]["containers"][0]["args"][3])
    assert int(kafka["activationLagThreshold"]) >= partitions
    assert scaled["maxReplicaCount"] <= partitions
    assert scaled["scaleTargetRef"]["name"] in of(resources, "StatefulSet")
    assert trigger["authenticationRef"]["name"] in of(resources, "TriggerAuthentication")
    (limits,) = [one["resources"]["limits"] for one in of_the_line(resources)["inspect"]["containers"]]
    assert limits["nvidia.com/gpu"] == 1
