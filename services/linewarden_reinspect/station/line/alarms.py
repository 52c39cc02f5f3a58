"""What is not as it should be with a line, by the keys of its words, each with what to do. Pure.

Where the line's own process keeps its list of alarms, that list is shown, with what the page alone can see: that it
does not hear the line, or that nothing comes. Where nobody keeps one, the page says by itself what it sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from linewarden_domain.alarms import ListedAlarm
from linewarden_reinspect.queue.types import Ask, QueueSummary
from linewarden_reinspect.station.line.model import SeenCamera, SeenLine
from linewarden_schemas.alarm_vocabulary import AlarmPriority
from linewarden_schemas.vocabulary import CameraCondition, LineMode

STILL_MS = 60_000
"""A line in production that shows no part for so long stands still."""
SILENT_MS = 20_000
"""A camera of which nothing came for so long, its heartbeat among it, is silent."""
BEHIND_MS = 10_000
CURRENT_MS = 10_000
"""Older than this, what is known is told as of then."""
KEYS = (
    *("not_current", "no_state", "bypass", "still", "no_recipe", "inspect_behind", "route_behind", "camera_silent"),
    *("queue_away", "people_slow", "people_stop", *(one.value for one in CameraCondition)),
)
"""Every key there is."""


@dataclass(frozen=True, slots=True)
class PageAlarm:
    """`key` of its words: `line.alarm.KEY`, or `alarm.kind.KEY` of the `listed`; with the `values` they name."""

    key: str
    grave: bool
    values: dict[str, object] = field(default_factory=dict)
    listed: bool = False
    subject: str = ""


def alarms_of(
    line: SeenLine,
    summary: QueueSummary | None,
    as_of_ms: int,
    now_ms: int,
    listed: Sequence[ListedAlarm] | None = None,
) -> list[PageAlarm]:
    """Alarms of a line at a time, the gravest first; `listed` is the line's own list, None where nobody keeps it."""
    found = list(_of_line(line, as_of_ms, now_ms))
    if summary is None:
        found.append(PageAlarm("queue_away", grave=False))
    if listed is not None:
        found += [_listed(row) for row in listed if row.alarm.line_id == line.line_id]
    else:
        found += [*_of_stages(line, as_of_ms, now_ms), *_of_people(line.line_id, summary)]
        found += [one for camera in line.cameras.values() for one in _of_camera(camera, now_ms)]
    return sorted(found, key=lambda one: not one.grave)


def _listed(row: ListedAlarm) -> PageAlarm:
    alarm = row.alarm
    return PageAlarm(alarm.kind.value, alarm.priority is AlarmPriority.HIGH, listed=True, subject=alarm.subject or "")


def _of_line(line: SeenLine, as_of_ms: int, now_ms: int) -> Iterator[PageAlarm]:
    if now_ms - as_of_ms > CURRENT_MS:
        yield PageAlarm("not_current", grave=True)
        return
    state = line.state(now_ms)
    if state is None:
        yield PageAlarm("no_state", grave=True)
    elif state.mode is LineMode.BYPASS:
        yield PageAlarm("bypass", grave=True)
    elif state.mode is LineMode.PRODUCTION and now_ms - max(line.parts.newest_ms, state.since_ms) > STILL_MS:
        yield PageAlarm("still", grave=True)
    if line.activation(now_ms) is None:
        yield PageAlarm("no_recipe", grave=True)


def _of_stages(line: SeenLine, as_of_ms: int, now_ms: int) -> Iterator[PageAlarm]:
    if now_ms - as_of_ms > CURRENT_MS:
        return
    for stage, backlog in (("inspect", line.inspect), ("route", line.route)):
        oldest = backlog.oldest_ms()
        if oldest is not None and now_ms - oldest > BEHIND_MS:
            yield PageAlarm(f"{stage}_behind", grave=False, values={"count": len(backlog.waiting)})


def _of_camera(camera: SeenCamera, now_ms: int) -> Iterator[PageAlarm]:
    name = {"camera": camera.camera_id}
    if now_ms - camera.heard_ms > SILENT_MS:
        yield PageAlarm("camera_silent", grave=True, values=dict(name))
        return
    for condition in camera.conditions:
        yield PageAlarm(condition.value, grave=condition is CameraCondition.LOST, values=dict(name))


def _of_people(line_id: str, summary: QueueSummary | None) -> Iterator[PageAlarm]:
    for demand in () if summary is None else summary.demands:
        if demand.line_id == line_id:
            values: dict[str, object] = {"recipe": demand.recipe_id, "count": demand.waiting}
            yield PageAlarm(f"people_{demand.ask.value}", grave=demand.ask is Ask.STOP, values=values)
