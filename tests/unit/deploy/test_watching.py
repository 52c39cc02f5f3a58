"""Alerts and dashboards speak of metrics and labels that services have, of all of them; each alert has its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from scripts import dashboards

ROOT = Path(__file__).parents[3]
WATCHING = ROOT / "deploy" / "watching"
OF_PROMETHEUS = {"le", "job", "instance", "service"}
"""Labels that come with histograms, or from who reads."""


def metrics() -> dict[str, set[str]]:
    """Every metric by the names that a query may use, with its labels."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "services").glob("linewarden_*/metrics.py")):
        for metric in vars(import_module(f"{path.parent.name}.metrics")).values():
            if isinstance(metric, MetricWrapperBase):
                (told,) = metric.describe()
                endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(told.type, ("",))
                found |= {told.name + ending: set(metric._labelnames) for ending in endings}
    return found


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((WATCHING / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    yield from ((alert["alert"], alert["expr"]) for alert in alerts())
    for path in sorted(WATCHING.glob("grafana/dashboards/*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            yield from ((f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"])


def named(query: str) -> set[str]:
    return set(re.findall(r"linewarden_\w+", query))


def wrong_in(query: str) -> list[str]:
    """Metrics and labels of a query that nobody has."""
    known = metrics()
    wrong = sorted(named(query) - known.keys())
    shared = set.intersection(*(known.get(name, set()) for name in named(query))) if named(query) else set()
    grouped = {label for labels in re.findall(r"\bby \(([^)]*)\)", query) for label in re.findall(r"\w+", labels)}
    wrong += sorted(grouped - shared - OF_PROMETHEUS)
    for name, selected in re.findall(r"(linewarden_\w+)\{([^}]*)\}", query):
        labels = set(re.findall(r"(\w+)\s*[!=]", selected))
        wrong += sorted(labels - known.get(name, set()) - OF_PROMETHEUS)
    return wrong


def test_every_metric_and_label_that_is_named_exists() -> None:
    assert {name: wrong for name, query in queries() if (wrong := wrong_in(query))} == {}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("sum(linewarden_ingest_taken)", ["linewarden_ingest_taken"]),
        ("sum by (colour) (linewarden_ingest_taken_total)", ["colour"]),
        ('linewarden_ingest_taken_total{kamera="1"}', ["kamera"]),
    ],
)
def test_what_does_not_exist_would_be_named(query: str, wrong: list[str]) -> None:
    assert wrong_in(query) == wrong


def test_every_metric_is_on_a_panel_or_raises_an_alert() -> None:
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for _, query in queries() for name in named(query)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics()} - used == set()


def test_every_alert_has_a_section_in_the_runbook_in_their_order_and_says_how_bad_it_is() -> None:
    sections = re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert [alert["alert"] for alert in alerts()] == sections
    assert {alert["labels"]["severity"] for alert in alerts()} == {"critical", "warning"}
    assert all(alert["annotations"]["summary"] for alert in alerts())


def test_the_dashboards_are_what_their_script_writes() -> None:
    assert {path: path.read_text() for path in dashboards.written()} == dashboards.written()


def test_what_the_compose_file_mounts_for_watching_is_there() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounted = [one.split(":")[0] for name in ("prometheus", "grafana") for one in services[name]["volumes"]]
    assert all((ROOT / one).exists() for one in mounted if one.startswith("./"))
    read = yaml.safe_load((WATCHING / "prometheus.yml").read_text())["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    assert set(read) == {name for name, one in services.items() if one.get("command", [""])[0] == "run"} - {"notary"}
