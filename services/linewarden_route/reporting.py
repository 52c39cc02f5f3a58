"""From what a committed transaction said to metrics. Nothing is counted that was aborted."""

from __future__ import annotations

from collections.abc import Iterable

from linewarden_schemas.disposition import Disposition, SlotOpen

from .events import Counted, Effect, Publish
from .metrics import HAPPENED, OUTCOMES, ROUTING_SECONDS, ROUTINGS, SLOTS


def report(effects: Iterable[Effect]) -> None:
    """Count the effects of a committed transaction."""
    for effect in effects:
        if isinstance(effect, Counted):
            HAPPENED.labels(what=effect.tally.value, kind=effect.kind).inc()
        elif isinstance(effect, Publish):
            _report_record(effect)


def _report_record(effect: Publish) -> None:
    message = effect.message
    if isinstance(message, Disposition):
        _report_disposition(message)
    elif isinstance(message, SlotOpen):
        SLOTS.labels(act="open").inc()
    else:
        SLOTS.labels(act=message.reason.value).inc()


def _report_disposition(message: Disposition) -> None:
    if message.revision == 0:
        cause = message.causes[0].value if message.causes else "none"
        ROUTINGS.labels(routing=message.routing.value, cause=cause).inc()
        ROUTING_SECONDS.observe(max(0, message.decided_ms - message.first_captured_ms) / 1000)
    elif message.outcome is not None:
        OUTCOMES.labels(outcome=message.outcome.value).inc()
