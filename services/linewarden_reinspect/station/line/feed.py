"""What the page of the line shows, as one document; made at most once a second, for however many look."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from linewarden_domain.alarms import ListedAlarm
from linewarden_reinspect.evidence.store import EvidenceStore
from linewarden_reinspect.queue.types import QueueSummary
from linewarden_reinspect.station.line.alarms import CURRENT_MS, alarms_of
from linewarden_reinspect.station.line.model import Backlog, LineModel, SeenCamera, SeenLine
from linewarden_reinspect.station.line.parts import SeenPart, SeenView
from linewarden_reinspect.station.references import References
from linewarden_runtime.clock import Clock
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import LineMode, Verdict

MOST_PARTS = 20
_EVERY_S = 1.0


class LineFeed:
    """`summary` is the queue's newest look, None while it is away; `recipe` answers by reference.

    `alarms` gives a line's own list at a time, None where nobody keeps it.
    """

    def __init__(
        self,
        model: LineModel,
        summary: Callable[[], QueueSummary | None],
        evidence: EvidenceStore,
        recipe: Callable[[RecipeRef], Recipe | None],
        references: References,
        clock: Clock,
        alarms: Callable[[str, int], Sequence[ListedAlarm] | None] = lambda *_: None,
    ) -> None:
        self._model, self._summary, self._evidence = model, summary, evidence
        self._recipe, self._references, self._clock = recipe, references, clock
        self._alarms = alarms
        self._lock = threading.Lock()
        self._made: dict[bool, tuple[float, str]] = {}

    def text(self, *, parts: bool) -> str:
        """The document as JSON; without `parts` it names and shows no part."""
        with self._lock:
            made_s, text = self._made.get(parts, (float("-inf"), ""))
            now_s = self._clock.monotonic()
            if now_s - made_s >= _EVERY_S:
                text = json.dumps(self.document(parts=parts), separators=(",", ":"))
                self._made[parts] = (now_s, text)
            return text

    def shows(self, frame_id: str) -> bool:
        """Whether the document shows a frame now: of one of the newest parts, or the newest of a camera."""
        with self._model.lock:
            newest = [part for line in self._model.lines for part in self._newest(line)]
            frames = {view.frame_id for part in newest if (view := shown_view(part)) is not None}
            frames |= {
                camera.newest.frame_id
                for line in self._model.lines.values()
                for camera in line.cameras.values()
                if camera.newest is not None
            }
        return frame_id in frames

    def document(self, *, parts: bool) -> dict[str, Any]:
        """Every line with everything that its page shows. Times are epoch ms, rates of the last minute."""
        now_ms, summary = self._clock.now_ms(), self._summary()
        with self._model.lock:
            as_of_ms = self._model.as_of_ms
            lines = sorted(self._model.lines.values(), key=lambda one: one.line_id)
            told = [self._line(line, summary, now_ms, parts=parts) for line in lines]
        return {"now_ms": now_ms, "as_of_ms": as_of_ms, "current": now_ms - as_of_ms <= CURRENT_MS, "lines": told}

    def _line(self, line: SeenLine, summary: QueueSummary | None, now_ms: int, *, parts: bool) -> dict[str, Any]:
        shift, since_ms = line.shift(now_ms)
        line.tally.forget_before(now_ms)
        counts = line.tally.counts(shift, since_ms)
        listed = self._alarms(line.line_id, now_ms)
        alarms = alarms_of(line, summary, self._model.as_of_ms, now_ms, listed)
        state = line.state(now_ms)
        hidden = set() if parts else {"order_id", "lot_id"}
        return {
            "line_id": line.line_id,
            "level": _level(line, {one.key for one in alarms}, now_ms),
            "state": None if state is None else state.model_dump(mode="json", exclude={"line_id", *hidden}),
            "pace": {
                "per_minute": line.parts.per_minute(now_ms),
                "target": None if state is None else state.target_rate,
                "newest_ms": line.parts.newest_ms,
            },
            "shift": {"name": shift, "since_ms": since_ms},
            "counts": {name: counts[name] for name in _COUNTED},
            "trend": [asdict(point) for point in line.tally.trend(shift, since_ms)],
            "waiting": _waiting(line.line_id, summary),
            "cameras": [
                _camera(one, now_ms, parts=parts) for one in sorted(line.cameras.values(), key=lambda c: c.camera_id)
            ],
            "stages": self._stages(line, summary),
            "running": self._running(line, now_ms),
            "parts": [_part(one) for one in self._newest(line.line_id)] if parts else [],
            "alarms": [asdict(one) for one in alarms],
        }

    def _newest(self, line_id: str) -> list[SeenPart]:
        return [part for part, _ in zip(self._model.parts.newest(line_id), range(MOST_PARTS), strict=False)]

    def _stages(self, line: SeenLine, summary: QueueSummary | None) -> list[dict[str, Any]]:
        withheld = [part for part in self._model.parts.newest(line.line_id) if part.revisions and not part.is_told]
        unkept = [frame for part in withheld for frame in part.views if not self._evidence.knows(frame)]
        return [
            _stage("inspect", line.inspect, workers=sorted(line.workers)),
            _stage("route", line.route),
            {"stage": "keeper", "behind": len(unkept), "oldest_ms": None, "newest_ms": None, "workers": []},
            {"stage": "queue", "behind": None, "oldest_ms": None, "newest_ms": None, "workers": []}
            | {"away": summary is None or not summary.live},
        ]

    def _running(self, line: SeenLine, now_ms: int) -> dict[str, Any] | None:
        active = line.activation(now_ms)
        if active is None:
            return None
        recipe = self._recipe(active.recipe)
        bundle = active.bundle_digest or (None if recipe is None else recipe.bundle_digest)
        standing = None if bundle is None else self._references.standing(bundle)
        today = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC).date().isoformat()
        return {
            "recipe": active.recipe.name,
            "from_ms": active.from_ms,
            "bundle": None if bundle is None else bundle[:12],
            "stage": None if standing is None else standing.stage,
            "expires": None if standing is None else standing.expires,
            "qualification": _qualification(
                is_known=standing is not None,
                expires=None if standing is None else standing.expires,
                has_own=recipe is not None and recipe.thresholds is not None,
                today=today,
            ),
        }


_COUNTED = ("made", "ok", "ng", "withheld", "reviewed", "late", "simulated")


def _level(line: SeenLine, alarms: set[str], now_ms: int) -> str:
    """What is seen from afar: good, trouble, dead, unknown, or the state in which the line does not produce."""
    state = line.state(now_ms)
    if "not_current" in alarms or state is None:
        return "unknown"
    if state.mode is not LineMode.PRODUCTION:
        return state.mode.value
    if alarms & {"still", "no_recipe"}:
        return "dead"
    return "trouble" if alarms else "good"


def _qualification(*, is_known: bool, expires: str | None, has_own: bool, today: str) -> str:
    if not is_known:
        return "unknown"
    if expires is None:
        return "none"
    if today > expires:
        return "expired"
    return "void" if has_own else "holds"


def _waiting(line_id: str, summary: QueueSummary | None) -> Mapping[str, Any] | None:
    if summary is None:
        return None
    count = summary.lines.get(line_id)
    if count is None:
        return {"ready": 0, "leased": 0, "for_a_lead": 0, "oldest_ms": None}
    return {
        "ready": count.ready,
        "leased": count.leased,
        "for_a_lead": count.dead,
        "oldest_ms": count.oldest_ms or None,
    }


def _camera(one: SeenCamera, now_ms: int, *, parts: bool) -> dict[str, Any]:
    beat = one.heartbeat
    return {
        "camera_id": one.camera_id,
        "per_minute": one.pace.per_minute(now_ms),
        "newest_ms": one.pace.newest_ms,
        "heard_ms": one.heard_ms,
        "conditions": [condition.value for condition in one.conditions],
        "lost": 0 if beat is None else sum(beat.lost_by_cause.values()),
        "clock_error_ms": None if beat is None else beat.clock_error_ms,
        "frame_id": one.newest.frame_id if parts and one.newest is not None else None,
    }


def _stage(name: str, backlog: Backlog, workers: list[str] | None = None) -> dict[str, Any]:
    return {
        "stage": name,
        "behind": len(backlog.waiting),
        "oldest_ms": backlog.oldest_ms(),
        "newest_ms": backlog.newest_ms or None,
        "workers": workers or [],
    }


def _part(part: SeenPart) -> dict[str, Any]:
    view = shown_view(part)
    return {
        "visit_id": part.visit_id,
        "part_id": part.part_id,
        "captured_ms": part.captured_ms,
        "standing": part.standing.value,
        "frame_id": None if view is None or view.inspection is None else view.frame_id,
        "is_simulated": part.is_simulated,
    }


def shown_view(part: SeenPart) -> SeenView | None:
    """The view that stands for a part: the first by name, or once it may be told the first that was called NG."""
    views = sorted(part.views.values(), key=lambda one: (one.view_id, one.frame_id))
    if part.is_told:
        bad = [one for one in views if one.inspection is not None and one.inspection.verdict is Verdict.NG]
        views = [*bad, *views]
    return next(iter(views), None)
