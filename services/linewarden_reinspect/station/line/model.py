"""The read model of lines: a fold over what the topics tell, small, and the same whatever is read twice. Pure.

What comes in: captures and heartbeats, inspections, dispositions, states and activations of lines. Times are epoch ms;
`at_ms` is when the log took a record.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from linewarden_reinspect.station.line.parts import PartBook, SeenView
from linewarden_reinspect.station.line.tally import LineTally
from linewarden_runtime.bounded import Bounded
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.vocabulary import CameraCondition

PACE_MS = 60_000
"""Over how long a rate is taken."""
SHIFT_MS = 8 * 3_600_000
"""What is shown of a line whose state names no shift."""
_BACKLOG = 20_000


@dataclass(slots=True)
class Pace:
    """Things of the last minute by when they came; `newest_ms` 0 before the first."""

    _times: deque[int] = field(default_factory=deque)
    newest_ms: int = 0

    def add(self, at_ms: int) -> None:
        """Count one more, of this time (epoch ms)."""
        self._times.append(at_ms)
        self.newest_ms = max(self.newest_ms, at_ms)
        while self._times and self._times[0] < self.newest_ms - PACE_MS:
            self._times.popleft()

    def per_minute(self, now_ms: int) -> int:
        """How many came in the minute before a time."""
        return sum(at >= now_ms - PACE_MS for at in self._times)


@dataclass(slots=True)
class SeenCamera:
    """One camera: its newest capture and what it says of itself."""

    camera_id: str
    pace: Pace = field(default_factory=Pace)
    newest: Inspection | None = None
    """Of its newest picture, which the inspection tells where to find."""
    heartbeat: CameraHeartbeat | None = None
    heard_ms: int = 0
    """When anything of it came."""
    conditions: tuple[CameraCondition, ...] = ()


@dataclass(slots=True)
class Backlog:
    """What one stage has to do and has not done, by id with when it came; bounded, the oldest are given up first."""

    waiting: Bounded[str, int] = field(default_factory=lambda: Bounded(_BACKLOG))
    newest_ms: int = 0

    def oldest_ms(self) -> int | None:
        """When what waits longest came."""
        return min(self.waiting.values(), default=None)


@dataclass(slots=True)
class SeenLine:
    """Everything that is shown of one line."""

    line_id: str
    states: list[LineState] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    parts: Pace = field(default_factory=Pace)
    cameras: dict[str, SeenCamera] = field(default_factory=dict)
    tally: LineTally = field(default_factory=LineTally)
    inspect: Backlog = field(default_factory=Backlog)
    route: Backlog = field(default_factory=Backlog)
    workers: Bounded[str, int] = field(default_factory=lambda: Bounded(64))
    """Devices that answered, with when they last did."""

    def camera(self, camera_id: str) -> SeenCamera:
        """The camera of a name."""
        return self.cameras.setdefault(camera_id, SeenCamera(camera_id))

    def state(self, now_ms: int) -> LineState | None:
        """The state in force at a time."""
        return next((one for one in reversed(self.states) if one.since_ms <= now_ms), None)

    def activation(self, now_ms: int) -> Activation | None:
        """What runs at a time."""
        return next((one for one in reversed(self.activations) if one.from_ms <= now_ms), None)

    def shift(self, now_ms: int) -> tuple[str, int]:
        """The shift that runs and since when: the newest unbroken run of states that name it; else the last hours."""
        since, name = now_ms, None
        for one in reversed([state for state in self.states if state.since_ms <= now_ms]):
            if name is not None and one.shift != name:
                break
            name, since = one.shift or "", one.since_ms
        return (name, since) if name else ("", now_ms - SHIFT_MS)


class LineModel:
    """All lines of a namespace; fed by one thread, looked at by many under `lock`.

    `as_of_ms` is up to when the topics are known: the newest record, or the last time that there was no more to read.
    """

    def __init__(self, most_parts: int = 2000) -> None:
        self.lock = threading.RLock()
        self.parts = PartBook(most_parts)
        self.lines: dict[str, SeenLine] = {}
        self.as_of_ms = 0

    def line(self, line_id: str) -> SeenLine:
        """The line of a name."""
        return self.lines.setdefault(line_id, SeenLine(line_id))

    def view(self, frame_id: str) -> SeenView | None:
        """The view of a frame; None where its part is unknown or too old."""
        with self.lock:
            return self.parts.view(frame_id)

    def confirm(self, now_ms: int) -> None:
        """Nothing more was to be read at a time."""
        self.as_of_ms = max(self.as_of_ms, now_ms)

    def learn(self, messages: Iterable[tuple[Message, SourceRef, int]]) -> None:
        """Take in messages, each with where its record lies and when the log took it."""
        with self.lock:
            for message, at, at_ms in messages:
                self._learn(message, at, at_ms)

    def _learn(self, message: Message, at: SourceRef, at_ms: int) -> None:
        match message:
            case Capture():
                self._captured(message, at_ms)
            case CameraHeartbeat():
                camera = self.line(message.line_id).camera(message.camera_id)
                camera.heartbeat, camera.conditions = message, message.conditions
                camera.heard_ms = max(camera.heard_ms, at_ms)
            case Inspection():
                self._inspected(message, at, at_ms)
            case Disposition():
                self._routed(message, at_ms)
            case LineState():
                states = self.line(message.line_id).states
                states.append(message)
                states.sort(key=lambda one: one.since_ms)  # stable: of one moment the later told counts
                del states[:-500]
            case Activation():
                activations = self.line(message.line_id).activations
                activations.append(message)
                activations.sort(key=lambda one: one.from_ms)
                del activations[:-50]
            case _:
                return
        self.as_of_ms = max(self.as_of_ms, at_ms)

    def _captured(self, one: Capture, at_ms: int) -> None:
        line, known = self.line(one.line_id), self.parts.find(one.visit_id)
        if not self.parts.capture(one):
            return
        if known is None or all(view.capture is None or view.frame_id == one.frame_id for view in known.views.values()):
            line.parts.add(at_ms)
        camera = line.camera(one.camera_id)
        camera.pace.add(at_ms)
        if not one.known_bad:  # which says nothing of how the camera is
            camera.heard_ms = max(camera.heard_ms, at_ms)
            camera.conditions = one.conditions
        part = self.parts.find(one.visit_id)
        if part is None or part.revisions:
            return
        line.route.waiting.setdefault(one.visit_id, at_ms)
        if one.lost is None and part.views[one.frame_id].inspection is None:
            line.inspect.waiting.setdefault(one.frame_id, at_ms)

    def _inspected(self, one: Inspection, at: SourceRef, at_ms: int) -> None:
        if self.parts.inspection(one, at):
            line = self.line(one.line_id)
            line.inspect.waiting.pop(one.frame_id, None)
            line.inspect.newest_ms = max(line.inspect.newest_ms, at_ms)
            if one.device is not None:
                line.workers[one.device] = at_ms
            camera = line.camera(one.camera_id)
            if camera.newest is None or camera.newest.captured_ms <= one.captured_ms:
                camera.newest = one.model_copy(update={"maps": None})

    def _routed(self, one: Disposition, at_ms: int) -> None:
        line = self.line(one.line_id)
        line.tally.learn(one)
        if not self.parts.disposition(one):
            return
        line.route.newest_ms = max(line.route.newest_ms, at_ms)
        line.route.waiting.pop(one.visit_id, None)
        part = self.parts.find(one.visit_id)
        for frame_id in part.views if part is not None else ():
            line.inspect.waiting.pop(frame_id, None)
