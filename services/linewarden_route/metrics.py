"""Every Prometheus metric of route, with unit and meaning. Nothing is counted that was aborted."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from linewarden_route.events import Counted, Effect, Publish
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen

ROUTINGS = Counter(
    "linewarden_routings_total",
    "Visits that got their first routing, by routing and leading cause.",
    ["routing", "cause"],
)
ROUTING_SECONDS = Histogram(
    "linewarden_routing_seconds",
    "From the first capture of a visit to its first routing, in seconds.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 60, 600),
)
OUTCOMES = Counter("linewarden_outcomes_total", "Final outcomes of withheld visits.", ["outcome"])
OPEN_VISITS = Gauge("linewarden_open_visits", "Visits that are not final, by partition.", ["partition"])
REMEMBERED_VISITS = Gauge(
    "linewarden_remembered_visits",
    "Final visits that a late record would still be joined to, by partition.",
    ["partition"],
)
SLOTS = Counter("linewarden_slots_total", "Records of slots by what they do: open, or the reason of a close.", ["act"])
HAPPENED = Counter(
    "linewarden_route_happened_total",
    "Duplicates, contradictions, superseded and refused decisions, late records and alarms, by kind.",
    ["what", "kind"],
)
RESTORES = Counter("linewarden_route_restores_total", "Partitions restored from the log, by reason.", ["reason"])
RESTORE_SECONDS = Histogram("linewarden_route_restore_seconds", "Duration of a partition's restore, in seconds.")
"""Nothing of the partition is routed meanwhile."""


def report(effects: Iterable[Effect]) -> None:
    """Count the effects of a committed transaction."""
    for effect in effects:
        match effect:
            case Counted():
                HAPPENED.labels(what=effect.tally.value, kind=effect.kind).inc()
            case Publish(message=Disposition() as message):
                _count_revision(message)
            case Publish(message=SlotOpen()):
                SLOTS.labels(act="open").inc()
            case Publish(message=SlotClose() as message):
                SLOTS.labels(act=message.reason.value).inc()


def _count_revision(message: Disposition) -> None:
    if message.revision == 0:
        cause = message.causes[0].value if message.causes else "none"
        ROUTINGS.labels(routing=message.routing.value, cause=cause).inc()
        ROUTING_SECONDS.observe(max(0, message.decided_ms - message.first_captured_ms) / 1000)
    elif message.outcome is not None:
        OUTCOMES.labels(outcome=message.outcome.value).inc()
