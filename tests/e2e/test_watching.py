"""Alerts and dashboards on Debian's Prometheus: rules as it reads them, alerts by example, panels on a running line."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import yaml

from linewarden.demo import line
from linewarden.demo.running import Service
from linewarden.demo.servers import servers
from linewarden_ingest.cameras.simulation import LinePlan
from linewarden_runtime.processes import free_port
from tests.support.whole_line import whole_line
from tests.unit.deploy.test_watching import WATCHING, alerts, named

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(300)]

JOB = 'job="linewarden"'
HEALTHY = {
    f'up{{{JOB},service="route",instance="a"}}': "1x200",
    'linewarden_ingest_taken_total{camera="c1"}': "0+10x200",
    'linewarden_ingest_taken_total{camera="c2"}': "0+10x200",
    'linewarden_ingest_camera_up{camera="c1"}': "1x200",
    'linewarden_ingest_spool_level{camera="c1"}': "0x200",
    'linewarden_ingest_spool_used_share{camera="c1"}': "0.1x200",
    'linewarden_ingest_clock_held{camera="c1"}': "0x200",
    'linewarden_ingest_lost_total{camera="c1",cause="old"}': "3x200",
    'linewarden_clock_error_seconds{process="route"}': "0.1x200",
    'linewarden_routings_total{routing="trusted_pass",cause="none"}': "0+9x200",
    'linewarden_routings_total{routing="diverted",cause="low_trust"}': "0+1x200",
    'linewarden_routing_seconds_bucket{le="1"}': "0+10x200",
    'linewarden_routing_seconds_bucket{le="+Inf"}': "0+10x200",
    'linewarden_route_happened_total{what="duplicate",kind="capture"}': "0+1x200",
    'linewarden_inspections_total{verdict="OK",undecidable=""}': "0+20x200",
    'linewarden_transactions_total{group="g",outcome="committed"}': "0+5x200",
    'linewarden_unacked_age_seconds{sender="c1"}': "0.2x200",
    f'linewarden_stage_stopped{{{JOB},service="route"}}': "0x200",
    'linewarden_line_ask{line="l",recipe="r"}': "0x200",
    'linewarden_queue_overdue_slots{line="l"}': "0x200",
    'linewarden_queue_rebuilds_total{cause="empty"}': "1x200",
    "linewarden_keeper_lag_seconds": "10x200",
    'linewarden_inspect_qualification_days_left{bundle="b"}': "90x200",
    'linewarden_ingest_camera_last_read_seconds{camera="c1"}': "0+10x200",
    'linewarden_ingest_camera_condition{camera="c1",condition="camera_dark"}': "0x200",
    'linewarden_inspect_camera_moved{camera="c1"}': "0x200",
    'linewarden_ingest_trigger_source_up{source="plc"}': "1x200",
    'linewarden_onward_oldest_seconds{output="gate"}': "1x200",
    'linewarden_onward_epoch{output="gate"}': "4x200",
    'linewarden_line_alarm_oldest_seconds{line="l",priority="high"}': "0x200",
    'linewarden_line_alarm_oldest_seconds{line="l",priority="low"}': "900x200",
    'linewarden_line_word_timestamp_seconds{line="l"}': "0+10x200",
    'linewarden_line_alarm_flood{line="l"}': "0x200",
    'linewarden_line_epoch{line="l"}': "4x200",
}
"""A line that is well, a value each ten seconds; what is told of an old loss was told before."""
BEGINS = "_x90 1x110"
"""A counter with labels that is there from its first event on, a quarter of an hour after the start."""
GOES_ON = "0x90 0+1x110"

RAISED: dict[str, dict[str, str]] = {
    "PassTakenBack": {'linewarden_route_happened_total{what="alarm",kind="late"}': BEGINS},
    "NumbersMissing": {'linewarden_ingest_gap_sequences_total{camera="c1"}': BEGINS},
    "ReadersOvertaken": {'linewarden_readers_overtaken_total{topic="t"}': BEGINS},
    "ServiceDown": {f'up{{{JOB},service="route",instance="a"}}': "1x90 0x110"},
    "NothingRouted": {
        'linewarden_routings_total{routing="trusted_pass",cause="none"}': "0+9x90 810x110",
        'linewarden_routings_total{routing="diverted",cause="low_trust"}': "0+1x90 90x110",
    },
    "StageStopped": {f'linewarden_stage_stopped{{{JOB},service="route"}}': "0x90 1x110"},
    "LineHeld": {'linewarden_ingest_spool_level{camera="c1"}': "0x90 3x110"},
    "SpoolFills": {'linewarden_ingest_spool_used_share{camera="c1"}': "0.1x90 0.7x110"},
    "TooManyDiverted": {'linewarden_routings_total{routing="diverted",cause="low_trust"}': "0+5x200"},
    "RoutedSlowly": {
        'linewarden_routing_seconds_bucket{le="1"}': "0+9x200",
        'linewarden_routing_seconds_bucket{le="20"}': "0+10x200",
    },
    "CameraDown": {'linewarden_ingest_camera_up{camera="c1"}': "1x90 0x110"},
    "CameraSilent": {'linewarden_ingest_taken_total{camera="c2"}': "0+10x60 600x140"},
    "CameraHangs": {'linewarden_ingest_camera_last_read_seconds{camera="c1"}': "0+10x60 600x140"},
    "CameraUnwell": {'linewarden_ingest_camera_condition{camera="c1",condition="camera_dark"}': "0x90 1x110"},
    "CameraMoved": {'linewarden_inspect_camera_moved{camera="c1"}': "0x90 1x110"},
    "TriggerSourceAway": {'linewarden_ingest_trigger_source_up{source="plc"}': "1x90 0x110"},
    "OutputBehind": {'linewarden_onward_oldest_seconds{output="gate"}': "1x90 20x110"},
    "OutputContested": {'linewarden_onward_epoch{output="gate"}': "4x50 5x10 6x10 7x10 8x10 9x110"},
    "OutputRefuses": {'linewarden_onward_refused_total{output="gate",cause="refused"}': BEGINS},
    "AlarmUnacknowledged": {'linewarden_line_alarm_oldest_seconds{line="l",priority="high"}': "0x90 0+20x110"},
    "AlarmsUnkept": {'linewarden_line_word_timestamp_seconds{line="l"}': "0+10x90 900x110"},
    "AlarmFlood": {'linewarden_line_alarm_flood{line="l"}': "0x90 1x110"},
    "LineContested": {'linewarden_line_epoch{line="l"}': "4x50 5x10 6x10 7x10 8x10 9x110"},
    "CameraRestarts": {'linewarden_ingest_camera_restarts_total{camera="c1"}': GOES_ON},
    "PicturesLost": {'linewarden_ingest_lost_total{camera="c1",cause="camera_fault"}': BEGINS},
    "ShotsRefused": {'linewarden_ingest_refused_total{camera="c1"}': BEGINS},
    "SpoolDamaged": {'linewarden_ingest_torn_bytes_total{camera="c1"}': "0x90 12x110"},
    "SegmentsStay": {'linewarden_ingest_spool_unfreed_total{camera="c1"}': "_x50 0+1x150"},
    "ClockHoldsLine": {'linewarden_ingest_clock_held{camera="c1"}': "0x90 1x110"},
    "ClockDrifts": {'linewarden_clock_error_seconds{process="route"}': "0.1x60 -2x140"},
    "BrokerTimeUnknown": {'linewarden_clock_anchors_lost_total{process="route",cause="step"}': BEGINS},
    "AnswersLate": {'linewarden_inspections_total{verdict="NOT_DECIDABLE",undecidable="late"}': "0+1x200"},
    "DeviceFails": {"linewarden_inspect_device_faults_total": "0x90 1x110"},
    "BundleRefused": {"linewarden_inspect_bundle_failures_total": "0x90 1x110"},
    "QualificationEnds": {'linewarden_inspect_qualification_days_left{bundle="b"}': "15x90 14x110"},
    "QualificationEnded": {'linewarden_inspect_qualification_days_left{bundle="b"}': "90x90 -1x110"},
    "RecipesUnknown": {'linewarden_ingest_doubtful_pins_total{line="l"}': BEGINS},
    "RecordsRefused": {'linewarden_dead_letters_total{service="route",cause="unreadable"}': BEGINS},
    "SettingsUnreadable": {'linewarden_unreadable_settings_total{topic="t"}': BEGINS},
    "TransactionsFail": {'linewarden_transactions_total{group="g",outcome="failed"}': "0+2x200"},
    "NotAcknowledged": {'linewarden_unacked_age_seconds{sender="c1"}': "0x90 20x110"},
    "CallsHang": {'linewarden_watchdog_exits_total{section="poll"}': BEGINS},
    "LineAskedToSlow": {'linewarden_line_ask{line="l",recipe="r"}': "0x90 1x110"},
    "LineAskedToStop": {'linewarden_line_ask{line="l",recipe="r"}': "0x90 2x110"},
    "PartsOverdue": {'linewarden_queue_overdue_slots{line="l"}': "0x90 4x110"},
    "QueueUnknown": {'linewarden_queue_unreachable_total{service="station"}': "_x110 0+1x90"},
    "QueueRebuilt": {'linewarden_queue_rebuilds_total{cause="damaged"}': GOES_ON},
    "SlotsUnreadable": {'linewarden_queue_unreadable_total{cause="unreadable"}': BEGINS},
    "EvidenceLags": {"linewarden_keeper_lag_seconds": "10x90 20000x110"},
    "EvidenceUnreadable": {"linewarden_station_evidence_unreadable_total": "0x90 1x110"},
    "DecisionsRefused": {'linewarden_station_decisions_refused_total{cause="lease"}': GOES_ON},
    "StationBookFails": {"linewarden_station_book_failures_total": "0x90 1x110"},
    "ActsNotLogged": {"linewarden_queue_events_untold": "0x90 2x110"},
    "SignInsLimited": {'linewarden_station_sign_ins_total{outcome="limited"}': BEGINS},
}
AT = "20m"


def case(changed: dict[str, str], firing: list[str]) -> dict[str, Any]:
    """A line that is well but for what changed, and which alerts are to be there after twenty minutes."""
    query = 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0'
    return {
        "interval": "10s",
        "input_series": [{"series": name, "values": values} for name, values in (HEALTHY | changed).items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": AT,
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing],
            }
        ],
    }


def test_rules_and_configuration_are_as_prometheus_reads_them() -> None:
    checked = subprocess.run(
        ["promtool", "check", "config", str(WATCHING / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(alerts())} rules found" in checked.stdout


def test_each_alert_is_raised_by_its_own_cause_and_a_line_that_is_well_raises_none(tmp_path: Path) -> None:
    assert RAISED.keys() == {alert["alert"] for alert in alerts()}
    cases = [case({}, []), *(case(changed, [name]) for name, changed in RAISED.items())]
    file = tmp_path / "cases.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(WATCHING / "alerts.yml")], "tests": cases}, width=1000))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(folder: Path, services: dict[str, Service]) -> Iterator[str]:
    """A Prometheus that reads the services each second; its address."""
    targets = [
        {"targets": [f"127.0.0.1:{service.health_port}"], "labels": {"service": name}}
        for name, service in services.items()
    ]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(WATCHING / "alerts.yml")],
        "scrape_configs": [{"job_name": "linewarden", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def answer(address: str, query: str) -> list[Any]:
    """What a query finds; nothing while Prometheus does not listen yet."""
    try:
        with urllib.request.urlopen(
            f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=10.0
        ) as read:
            found: list[Any] = json.load(read)["data"]["result"]
            return found
    except URLError:
        return []


NOT_YET = {
    "linewarden_station_decisions_total",
    "linewarden_station_decision_seconds_bucket",
    "linewarden_outcomes_total",
    "linewarden_maps_left_out_total",
    "linewarden_route_happened_total",
    "linewarden_clock_error_seconds",
    "linewarden_inspect_camera_moved",
    "linewarden_inspect_part_shift_pixels",
}
"""What nobody has done yet on a line that is well and stands alone, beside what is counted by the hour; and clocks, of
which the embedded broker tells nothing. This line has no output to the plant, and its recipe locates no part.
"""


def may_be_silent(query: str) -> bool:
    names = {name for name in named(query) if not name.startswith("linewarden_onward_")}
    return "unless" in query or names <= NOT_YET


def test_every_panel_shows_a_running_line(tmp_path: Path) -> None:
    """What counts faults or people's acts has no data on a line that is well."""
    wanted = {
        target["expr"]
        for path in WATCHING.glob("grafana/dashboards/*.json")
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    }
    silent = {query for query in wanted if may_be_silent(query)}
    plan = LinePlan(seed=3, defect_rate=0.3, return_after=20)
    with (
        servers("embedded", tmp_path) as under,
        whole_line(line.simulated(plan, None, 4.0), under, tmp_path) as tested,
        prometheus(tmp_path, tested.running.services) as address,
    ):
        tested.until(lambda: len(tested.figures.routings) > 60, "parts are routed")
        tested.until(lambda: bool(answer(address, "linewarden_routings_total")), "the line is read")
        assert {query for query in wanted - silent if not answer(address, query)} == set()
