"""Grafana's dashboards of a line, from the few words that tell a panel: `python -m scripts.dashboards [--check]`.

A panel is a title, a unit of Grafana's and queries, each with what its lines are called. Where a panel has `state`, it
is a big figure whose colour changes at the given values.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "watching" / "grafana" / "dashboards"
_WIDTH, _HEIGHT, _STATE_HEIGHT = 8, 8, 4
NO_LIMIT = (-1.0, -1.0)
"""The state of a figure that is never bad by itself."""
_SOURCE = {"type": "prometheus", "uid": "linewarden"}


@dataclass(frozen=True)
class Panel:
    """`queries`: expression and legend. `state`: values from which a figure is yellow and red; None draws a curve."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    state: tuple[float, float] | None = None
    stacked: bool = False
    words: str = ""


def _rate(metric: str, by: str = "", window: str = "5m") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}[{window}]))"


def _quantile(share: float, metric: str, by: str = "") -> str:
    return f"histogram_quantile({share}, sum by ({', '.join(filter(None, ['le', by]))}) (rate({metric}_bucket[5m])))"


def _share(part: str, whole: str) -> str:
    return f"sum(rate({part}[15m])) / sum(rate({whole}[15m]))"


def _mean(metric: str) -> str:
    return f"{_rate(metric + '_sum')} / {_rate(metric + '_count')}"


def _less(metric: str, other: str, by: str) -> str:
    return f"sum by ({by}) ({metric}) - sum by ({by}) ({other})"


DASHBOARDS: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "line": (
        "The line",
        (
            Panel("Parts a minute", (("60 * " + _rate("linewarden_routings_total"), "parts"),), state=NO_LIMIT),
            Panel(
                "Trusted passes",
                ((_share('linewarden_routings_total{routing="trusted_pass"}', "linewarden_routings_total"), "share"),),
                "percentunit",
                state=NO_LIMIT,
            ),
            Panel(
                "Diverted",
                ((_share('linewarden_routings_total{routing="diverted"}', "linewarden_routings_total"), "share"),),
                "percentunit",
                state=(0.1, 0.2),
            ),
            Panel(
                "Alarms after a routing, in an hour",
                (('sum(increase(linewarden_route_happened_total{what="alarm"}[1h])) or vector(0)', "alarms"),),
                state=(1, 1),
            ),
            Panel(
                "What reviewers ask of the line",
                (("max(linewarden_line_ask) or vector(0)", "0 nothing, 1 slow, 2 stop, -1 not known"),),
                state=(1, 2),
            ),
            Panel(
                "Services that do not answer",
                (('count(up{job="linewarden"} == 0) or vector(0)', "services"),),
                state=(1, 1),
            ),
            Panel(
                "Parts a minute, by where they go",
                (("60 * " + _rate("linewarden_routings_total", "routing"), "{{routing}}"),),
                stacked=True,
            ),
            Panel(
                "Why parts are diverted",
                (("60 * " + _rate('linewarden_routings_total{routing="diverted"}', "cause"), "{{cause}}"),),
                stacked=True,
                words="Leading cause of the first routing, a minute.",
            ),
            Panel(
                "From the first picture to the routing",
                tuple(
                    (_quantile(share, "linewarden_routing_seconds"), f"p{share:.0%}"[:-1])
                    for share in (0.5, 0.95, 0.99)
                ),
                "s",
            ),
            Panel(
                "Visits that are not final",
                (("sum(linewarden_open_visits)", "open"), ("sum(linewarden_remembered_visits)", "final, remembered")),
            ),
            Panel(
                "Outcomes of reviews, an hour",
                (("3600 * " + _rate("linewarden_outcomes_total", "outcome", "30m"), "{{outcome}}"),),
                stacked=True,
            ),
            Panel(
                "What came twice, late or in contradiction, a minute",
                (("60 * " + _rate("linewarden_route_happened_total", "what"), "{{what}}"),),
            ),
        ),
    ),
    "cameras": (
        "Cameras",
        (
            Panel("Cameras that run", (("sum(linewarden_ingest_camera_up)", "run"),), state=NO_LIMIT),
            Panel(
                "Cameras that are dead",
                (("count(linewarden_ingest_camera_up == 0) or vector(0)", "dead"),),
                state=(1, 1),
            ),
            Panel(
                "Line held",
                (("max(linewarden_ingest_spool_level) or vector(0)", "0 normal, 1 warn, 2 slow down, 3 held"),),
                state=(1, 3),
            ),
            Panel("Pictures a minute", (("60 * " + _rate("linewarden_ingest_taken_total", "camera"), "{{camera}}"),)),
            Panel("Bytes a second", ((_rate("linewarden_ingest_taken_bytes_total", "camera"), "{{camera}}"),), "Bps"),
            Panel(
                "Taken and not yet acknowledged",
                (
                    (
                        _less("linewarden_ingest_taken_total", "linewarden_ingest_published_total", "camera"),
                        "{{camera}}",
                    ),
                ),
            ),
            Panel(
                "Spool in use", (("max by (camera) (linewarden_ingest_spool_used_share)", "{{camera}}"),), "percentunit"
            ),
            Panel(
                "Pictures lost, an hour",
                (("sum by (camera, cause) (increase(linewarden_ingest_lost_total[1h]))", "{{camera}}: {{cause}}"),),
            ),
            Panel(
                "Parts: how far from where they were taught, pixels",
                (("max by (camera) (linewarden_inspect_part_shift_pixels)", "{{camera}}"),),
            ),
            Panel(
                "Cameras that moved",
                (("max by (camera) (linewarden_inspect_camera_moved)", "{{camera}}"),),
            ),
            Panel(
                "Captures under a condition of their camera, an hour",
                (
                    (
                        "sum by (camera, condition) (increase(linewarden_ingest_conditions_total[1h]))",
                        "{{camera}}: {{condition}}",
                    ),
                ),
            ),
            Panel(
                "Held, refused, not read, torn, an hour",
                (
                    ("sum by (camera) (increase(linewarden_ingest_holds_total[1h]))", "{{camera}} held"),
                    ("sum by (camera) (increase(linewarden_ingest_refused_total[1h]))", "{{camera}} refused"),
                    (
                        "sum by (camera) (increase(linewarden_ingest_gap_sequences_total[1h]))",
                        "{{camera}} numbers not read",
                    ),
                    ("sum by (camera) (increase(linewarden_ingest_torn_bytes_total[1h]))", "{{camera}} bytes torn off"),
                ),
            ),
            Panel(
                "Files of watched folders and posts of smart cameras, an hour",
                (
                    (
                        "sum by (camera, outcome) (increase(linewarden_ingest_watched_files_total[1h]))",
                        "{{camera}}: {{outcome}}",
                    ),
                    ("sum by (camera, status) (increase(linewarden_ingest_posts_total[1h]))", "{{camera}}: {{status}}"),
                ),
            ),
            Panel(
                "Live pictures that were left, an hour",
                (
                    (
                        "sum by (camera, cause) (increase(linewarden_ingest_not_taken_total[1h]))",
                        "{{camera}}: {{cause}}",
                    ),
                ),
            ),
            Panel(
                "Pictures and triggers joined, codes read, an hour",
                (
                    ("sum by (camera, cause) (increase(linewarden_ingest_joins_total[1h]))", "{{camera}}: {{cause}}"),
                    (
                        "sum by (camera, outcome) (increase(linewarden_ingest_codes_total[1h]))",
                        "{{camera}}: {{outcome}}",
                    ),
                    (
                        "sum by (camera) (increase(linewarden_ingest_triggers_dropped_total[1h]))",
                        "{{camera}} triggers dropped",
                    ),
                ),
            ),
            Panel(
                "Lines of the side channel, an hour",
                (
                    ("sum by (source) (increase(linewarden_ingest_trigger_lines_total[1h]))", "{{source}}"),
                    (
                        "sum by (source) (increase(linewarden_ingest_trigger_lines_refused_total[1h]))",
                        "{{source}} refused",
                    ),
                ),
            ),
            Panel(
                "Restarts of camera processes, an hour",
                (("sum by (camera) (increase(linewarden_ingest_camera_restarts_total[1h]))", "{{camera}}"),),
            ),
            Panel(
                "Clocks beside the broker's",
                (("max by (process) (linewarden_clock_error_seconds)", "{{process}}"),),
                "s",
            ),
            Panel(
                "Sent and not acknowledged", (("sum by (sender) (linewarden_unacked_bytes)", "{{sender}}"),), "bytes"
            ),
            Panel(
                "Age of what is not acknowledged",
                (("max by (sender) (linewarden_unacked_age_seconds)", "{{sender}}"),),
                "s",
            ),
        ),
    ),
    "workers": (
        "Workers",
        (
            Panel("Pictures a second", ((_rate("linewarden_inspections_total"), "answered"),), state=NO_LIMIT),
            Panel(
                "Too late to be judged",
                (
                    (
                        _share('linewarden_inspections_total{undecidable="late"}', "linewarden_inspections_total")
                        + " or vector(0)",
                        "share",
                    ),
                ),
                "percentunit",
                state=(0.001, 0.01),
            ),
            Panel(
                "Services by version",
                (("count by (version, python) (linewarden_build_info)", "{{version}}, Python {{python}}"),),
            ),
            Panel("Stages that stand still", (("sum(linewarden_stage_stopped)", "stages"),), state=(1, 1)),
            Panel(
                "Answers a second, by verdict",
                ((_rate("linewarden_inspections_total", "verdict"), "{{verdict}}"),),
                stacked=True,
            ),
            Panel(
                "From the picture to its answer",
                tuple(
                    (_quantile(share, "linewarden_inspect_answer_seconds"), f"p{share:.0%}"[:-1])
                    for share in (0.5, 0.95, 0.99)
                ),
                "s",
            ),
            Panel(
                "A pass of the device",
                (
                    (_quantile(0.5, "linewarden_inspect_device_seconds"), "p50"),
                    (_quantile(0.99, "linewarden_inspect_device_seconds"), "p99"),
                ),
                "s",
            ),
            Panel(
                "Pictures a pass",
                (
                    (
                        _mean("linewarden_inspect_batch_pictures"),
                        "mean",
                    ),
                ),
            ),
            Panel(
                "Read and not yet committed", (("sum by (group) (linewarden_in_flight_bytes)", "{{group}}"),), "bytes"
            ),
            Panel(
                "Records a second",
                (
                    (_rate("linewarden_records_read_total", "group"), "{{group}} read"),
                    (_rate("linewarden_records_done_total", "group"), "{{group}} committed"),
                ),
            ),
            Panel("Records written a second", ((_rate("linewarden_records_written_total", "topic"), "{{topic}}"),)),
            Panel(
                "Transactions a second",
                ((_rate("linewarden_transactions_total", "group, outcome"), "{{group}} {{outcome}}"),),
            ),
            Panel(
                "A transaction", ((_quantile(0.99, "linewarden_transaction_seconds", "group"), "{{group}} p99"),), "s"
            ),
            Panel(
                "Dead letters, an hour",
                (
                    ("sum by (service, cause) (increase(linewarden_dead_letters_total[1h]))", "{{service}}: {{cause}}"),
                    ("sum by (reason) (increase(linewarden_inspect_refused_records_total[1h]))", "inspect: {{reason}}"),
                ),
            ),
            Panel(
                "Given up and read again, an hour",
                (
                    ("sum by (group, cause) (increase(linewarden_records_dropped_total[1h]))", "{{group}}: {{cause}}"),
                    ("sum by (group) (increase(linewarden_offsets_released_total[1h]))", "{{group}}: offsets released"),
                    ("sum by (group) (increase(linewarden_slow_downs_total[1h]))", "{{group}}: asked to slow down"),
                    (
                        "sum by (sender) (increase(linewarden_producers_replaced_total[1h]))",
                        "{{sender}}: producer replaced",
                    ),
                    ("sum by (reason) (increase(linewarden_route_restores_total[1h]))", "route restored: {{reason}}"),
                    (
                        "sum by (topic) (increase(linewarden_books_read_again_total[1h]))",
                        "{{topic}} read from its beginning",
                    ),
                ),
            ),
            Panel("A restore of route", ((_quantile(0.99, "linewarden_route_restore_seconds"), "p99"),), "s"),
            Panel(
                "Bundles on the device", (("max by (instance) (linewarden_inspect_bundles_loaded)", "{{instance}}"),)
            ),
            Panel(
                "Memory", (('process_resident_memory_bytes{job="linewarden"}', "{{service}} {{instance}}"),), "bytes"
            ),
            Panel(
                "Cores in use", (('rate(process_cpu_seconds_total{job="linewarden"}[5m])', "{{service}} {{instance}}"),)
            ),
        ),
    ),
    "outputs": (
        "Outputs to the plant",
        (
            Panel(
                "Not yet told", (("sum by (output) (linewarden_onward_lag_records)", "{{output}}"),), state=(20, 100)
            ),
            Panel(
                "The oldest that is being told",
                (("max by (output) (linewarden_onward_oldest_seconds)", "{{output}}"),),
                "s",
                state=(2, 10),
            ),
            Panel("Epoch", (("max by (output) (linewarden_onward_epoch)", "{{output}}"),), state=NO_LIMIT),
            Panel(
                "Told, a minute",
                (
                    ("60 * " + _rate("linewarden_onward_told_total", "output"), "{{output}}"),
                    (
                        "60 * " + _rate("linewarden_onward_passed_over_total", "output, cause"),
                        "{{output}}: passed over, {{cause}}",
                    ),
                ),
            ),
            Panel(
                "Permissions and reports of the gate, a minute",
                (
                    ("60 * " + _rate("linewarden_onward_permissions_total", "output"), "{{output}}: permissions"),
                    ("60 * " + _rate("linewarden_onward_actuations_total", "output"), "{{output}}: reports"),
                ),
            ),
            Panel(
                "Refused, and times away, an hour",
                (
                    (
                        "sum by (output, cause) (increase(linewarden_onward_refused_total[1h]))",
                        "{{output}} refused: {{cause}}",
                    ),
                    (
                        "sum by (output, doing) (increase(linewarden_onward_away_total[1h]))",
                        "{{output}} away: {{doing}}",
                    ),
                ),
            ),
        ),
    ),
    "trust": (
        "Trust",
        (
            Panel(
                "Days until a qualification ends",
                (("min(linewarden_inspect_qualification_days_left)", "days"),),
                state=NO_LIMIT,
                words="After its last day every OK of the bundle diverts.",
            ),
            Panel(
                "Diverted for low trust",
                (
                    (
                        _share('linewarden_routings_total{cause="low_trust"}', "linewarden_routings_total")
                        + " or vector(0)",
                        "share",
                    ),
                ),
                "percentunit",
                state=(0.1, 0.3),
            ),
            Panel(
                "Passed on trust",
                ((_share('linewarden_routings_total{routing="trusted_pass"}', "linewarden_routings_total"), "share"),),
                "percentunit",
                state=NO_LIMIT,
            ),
            Panel(
                "Suspicion of an OK",
                tuple(
                    (_quantile(share, "linewarden_inspect_suspicion"), f"p{share:.0%}"[:-1])
                    for share in (0.5, 0.9, 0.99)
                ),
                words="A median that climbs is drift: see linewarden drift.",
            ),
            Panel(
                "OK by suspicion, a second",
                (("sum by (le) (rate(linewarden_inspect_suspicion_bucket[5m]))", "up to {{le}}"),),
            ),
            Panel(
                "Not decidable, a minute, by reason",
                (
                    (
                        "60 * "
                        + _rate('linewarden_inspections_total{verdict="NOT_DECIDABLE"}', "undecidable")
                        + " or vector(0)",
                        "{{undecidable}}",
                    ),
                ),
                stacked=True,
            ),
            Panel(
                "What reviews made of what was withheld, an hour",
                (("3600 * " + _rate("linewarden_outcomes_total", "outcome", "30m"), "{{outcome}}"),),
                stacked=True,
            ),
            Panel(
                "Qualification of each bundle, days left",
                (("min by (bundle) (linewarden_inspect_qualification_days_left)", "{{bundle}}"),),
            ),
        ),
    ),
    "alarms": (
        "Alarms",
        (
            Panel(
                "Not acknowledged, by priority",
                (("sum by (line, priority) (linewarden_line_alarms_unacknowledged)", "{{line}} {{priority}}"),),
                state=(1, 5),
            ),
            Panel(
                "The oldest of them",
                (("max by (line, priority) (linewarden_line_alarm_oldest_seconds)", "{{line}} {{priority}}"),),
                "s",
                state=(60, 300),
            ),
            Panel(
                "What the line is asked for (1 slower, 2 stop)",
                (("max by (line) (linewarden_line_demand)", "{{line}}"),),
                state=(1, 2),
            ),
            Panel(
                "Raised in ten minutes",
                (("max by (line) (linewarden_line_alarms_raised)", "{{line}}"),),
                state=(5, 11),
            ),
            Panel(
                "What happened, an hour",
                (("sum by (kind, step) (increase(linewarden_line_alarm_steps_total[1h]))", "{{kind}} {{step}}"),),
            ),
            Panel(
                "What people wanted, an hour",
                (("sum by (doing, done) (increase(linewarden_line_requests_total[1h]))", "{{doing}}: {{done}}"),),
            ),
            Panel(
                "Floods, and the line's process taken up again, a day",
                (
                    ("sum by (line) (increase(linewarden_line_alarm_floods_total[1d]))", "{{line}} floods"),
                    ("sum by (line) (increase(linewarden_line_again_total[1d]))", "{{line}} taken up again"),
                ),
            ),
        ),
    ),
    "people": (
        "Reviews",
        (
            Panel(
                "Parts that wait",
                (('sum(linewarden_queue_slots{state="ready"}) or vector(0)', "parts"),),
                state=(20, 100),
            ),
            Panel(
                "The oldest of them",
                (("max(linewarden_queue_oldest_seconds) or vector(0)", "age"),),
                "s",
                state=(600, 3600),
            ),
            Panel(
                "Older than their recipe allows",
                (("sum(linewarden_queue_overdue_slots) or vector(0)", "parts"),),
                state=(1, 10),
            ),
            Panel(
                "Parts in the queue, by state",
                (("sum by (line, state) (linewarden_queue_slots)", "{{line}} {{state}}"),),
                stacked=True,
            ),
            Panel(
                "What happens in the queue, a minute",
                (("60 * " + _rate("linewarden_queue_transitions_total", "event"), "{{event}}"),),
            ),
            Panel(
                "Slots opened and closed, a minute", (("60 * " + _rate("linewarden_slots_total", "act"), "{{act}}"),)
            ),
            Panel(
                "Decisions a minute",
                (("60 * " + _rate("linewarden_station_decisions_total", "judgement"), "{{judgement}}"),),
                stacked=True,
            ),
            Panel(
                "From claim to decision",
                (
                    (_quantile(0.5, "linewarden_station_decision_seconds"), "p50"),
                    (_quantile(0.95, "linewarden_station_decision_seconds"), "p95"),
                ),
                "s",
            ),
            Panel(
                "Refused or lost, an hour",
                (
                    (
                        "sum by (cause) (increase(linewarden_station_decisions_refused_total[1h]))",
                        "decision: {{cause}}",
                    ),
                    ("sum(increase(linewarden_queue_events_lost_total[1h]))", "event of the queue"),
                    ("sum(increase(linewarden_queue_events_retried_total[1h]))", "event sent again"),
                    (
                        "sum by (topic) (increase(linewarden_station_history_unreadable_total[1h]))",
                        "history of {{topic}}",
                    ),
                ),
            ),
            Panel(
                "Sign-ins, an hour",
                (("sum by (outcome) (increase(linewarden_station_sign_ins_total[1h]))", "{{outcome}}"),),
            ),
            Panel(
                "The view in Redis, an hour",
                (
                    ("sum by (cause) (increase(linewarden_queue_rebuilds_total[1h]))", "built anew: {{cause}}"),
                    ("sum(increase(linewarden_queue_resyncs_total[1h]))", "not as it was left"),
                    ("sum by (service) (increase(linewarden_queue_unreachable_total[1h]))", "{{service}}: no answer"),
                    ("sum(increase(linewarden_queue_projected_total[1h]))", "records taken"),
                ),
            ),
            Panel(
                "Pictures that reviews need: how far behind", (("max(linewarden_keeper_lag_seconds)", "keeper"),), "s"
            ),
            Panel(
                "Evidence, a minute",
                (
                    ("60 * " + _rate("linewarden_keeper_evidence_total", "kind"), "{{kind}}"),
                    ("60 * " + _rate("linewarden_keeper_tombstones_total"), "given up"),
                    ("60 * " + _rate("linewarden_maps_left_out_total", "topic"), "{{topic}}: maps left out"),
                ),
            ),
            Panel("Pictures held by the station", (("sum(linewarden_station_evidence_bytes)", "bytes"),), "bytes"),
        ),
    ),
}


def dashboard(name: str) -> dict[str, Any]:
    """One dashboard as Grafana reads it."""
    title, panels = DASHBOARDS[name]
    made, x, y, tall = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        height = _HEIGHT if panel.state is None else _STATE_HEIGHT
        if x + _WIDTH > 24 or (tall and height != tall):
            x, y = 0, y + tall
        tall = height
        made.append(_panel(number, panel, {"x": x, "y": y, "w": _WIDTH, "h": height}))
        x += _WIDTH
    return {
        "uid": f"linewarden-{name}",
        "title": f"linewarden: {title}",
        "tags": ["linewarden"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [
            {"type": "dashboards", "tags": ["linewarden"], "title": "linewarden", "asDropdown": False, "keepTime": True}
        ],
        "panels": made,
    }


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": _whole(query), "legendFormat": legend}
        for at, (query, legend) in enumerate(panel.queries)
    ]
    defaults: dict[str, Any] = {"unit": panel.unit, "noValue": "none"}  # counters that never counted have no data
    if panel.state is not None:
        yellow, red = panel.state
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if panel.state != NO_LIMIT:
            steps += [{"color": "yellow", "value": yellow}, {"color": "red", "value": red}]
        defaults |= {"thresholds": {"mode": "absolute", "steps": steps}}
    else:
        stacking = {"mode": "normal"} if panel.stacked else {"mode": "none"}
        defaults |= {"min": 0, "custom": {"stacking": stacking, "fillOpacity": 30 if panel.stacked else 0}}
    return {
        "id": number,
        "type": "timeseries" if panel.state is None else "stat",
        "title": panel.title,
        "description": panel.words,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }


def _whole(query: str) -> str:
    """A query that counts first events too: a counter with labels is not there before, and increase() misses it."""
    return re.sub(r"increase\((\S+?)\[(\w+)\]\)", r"(\1 unless \1 offset \2 or increase(\1[\2]))", query)


def written() -> dict[Path, str]:
    """Every file and what it should hold."""
    return {FOLDER / f"{name}.json": json.dumps(dashboard(name), indent=1) + "\n" for name in DASHBOARDS}


def main() -> int:
    """Write them, or, with --check, name those that differ and answer 1."""
    differ = [path for path, text in written().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        sys.stdout.write("".join(f"{path} is not what scripts/dashboards.py writes\n" for path in differ))
        return 1 if differ else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in written().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
