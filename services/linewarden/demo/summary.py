"""`demo-summary.json`: what the topics tell at the end, beside the truth and the speed of the network alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from linewarden.demo.figures import Timing
from linewarden_audit.audit import read_ledger
from linewarden_audit.summary import shift_summary
from linewarden_domain.alarms import current_alarms
from linewarden_ingest.cameras.simulation import LinePlan, draw, plan_visit
from linewarden_runtime.alarm_book import AlarmBook
from linewarden_runtime.ports import Broker
from linewarden_schemas.alarm_vocabulary import AlarmStep
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Cause


def truth_of(plan: LinePlan, visit_ids: list[str]) -> dict[str, bool]:
    """Whether each visit's part is defective; the visit's number is the last word of its id.

    Parts that were chosen to begin with, because the network misses them, are left out: they are no sample.
    """
    numbers = {visit: int(visit.rsplit(".", 1)[1]) for visit in visit_ids}
    drawn = {visit: number for visit, number in numbers.items() if number >= len(plan.opens_with)}
    return {visit: plan_visit(plan, number).defective for visit, number in drawn.items()}


def summarise(
    broker: Broker, namespace: Namespace, plan: LinePlan | None, timing: Timing, model_only: float | None
) -> dict[str, Any]:
    """The whole summary; `truth` is null where the pictures are not simulated."""
    ledger = read_ledger(broker, namespace)
    made = [visit for visit, first in ledger.first.items() if Cause.KNOWN_BAD not in first.causes]
    truth = None if plan is None else truth_of(plan, made)
    summary: dict[str, Any] = {"truth": None} | shift_summary(ledger, time.time_ns() // 1_000_000, truth)
    first = timing.seconds_to_first_routing
    return summary | {
        "alarms": alarms_of(broker, namespace),
        "model_only_frames_per_s": None if model_only is None else round(model_only, 1),
        "seconds_to_first_routing": None if first is None else round(first, 2),
    }


def alarms_of(broker: Broker, namespace: Namespace) -> dict[str, list[str]]:
    """Alarms by name, as the line's process told them last: what was ever raised, and what stands in the end."""
    with AlarmBook(broker, namespace, 0) as book:
        raised = sorted({one.alarm.alarm_id for one in book.events() if one.step is AlarmStep.RAISED})
        rows = current_alarms(book.alarms(), time.time_ns() // 1_000_000)
        return {"raised": raised, "standing": [row.alarm.alarm_id for row in rows]}


def model_only_rate(bundle: Path, plan: LinePlan, threads: int) -> float:
    """Pictures a second of network and trust alone on this machine, batched, with nothing else running."""
    import torch  # noqa: PLC0415 - only needed at the end

    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    torch.set_num_threads(threads)
    inspector = Inspector.load(bundle)
    views = [view for number in range(96 // plan.views) for view in draw(plan, plan_visit(plan, number)).views]
    prepared = [inspector.prepare(view.picture) for view in views]
    batches = [prepared[start : start + 16] for start in range(0, len(prepared), 16)]
    passes = 4
    inspector.score(batches[0])
    begun = time.perf_counter()
    for batch in batches * passes:
        inspector.score(batch)
    return len(prepared) * passes / (time.perf_counter() - begun)
