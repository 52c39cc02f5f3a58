"""What cameras say of themselves, and that nothing is heard of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from linewarden_domain.words import said
from linewarden_line.alarms.alarm_list import Sighting
from linewarden_line.alarms.limits import AlarmLimits
from linewarden_schemas.alarm import CameraHeard
from linewarden_schemas.alarm_vocabulary import AlarmKind
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.vocabulary import CameraCondition

_KINDS = {one: AlarmKind(one.value) for one in CameraCondition}


class CameraListener:
    """The cameras of a line: a condition holds until the next capture, and the next heartbeat, do not tell of it."""

    def __init__(self, limits: AlarmLimits, now_ms: int) -> None:
        # Nobody is silent before this process has listened for as long: what came meanwhile is still to be read.
        self._limits, self._begun_ms = limits, now_ms
        self._heard: dict[str, int] = {}
        self._by_capture: dict[str, frozenset[CameraCondition]] = {}
        self._by_beat: dict[str, frozenset[CameraCondition]] = {}

    def recall(self, heard: Iterable[CameraHeard]) -> None:
        """Go on from what the process before had heard."""
        self._heard = {one.camera_id: one.at_ms for one in heard}

    def heard(self) -> tuple[CameraHeard, ...]:
        """When each camera was heard last."""
        return tuple(CameraHeard(camera_id=name, at_ms=at_ms) for name, at_ms in sorted(self._heard.items()))

    def learn(self, message: Message, now_ms: int) -> Iterator[Sighting]:
        """What a capture or heartbeat shows, taken when it arrives: a backlog is no silence."""
        if not isinstance(message, Capture | CameraHeartbeat):
            return
        name, told = message.camera_id, frozenset(message.conditions)
        known = self._of(name)
        self._heard[name] = now_ms
        yield Sighting(AlarmKind.CAMERA_SILENT, name, holds=False)
        if isinstance(message, Capture):
            self._by_capture[name] = told
        else:
            self._by_beat[name] = told
            yield self._clock(message)
        now = self._of(name)
        for one in CameraCondition:
            if one in now:
                words = said(f"condition.{one.value}")
                simulated = isinstance(message, Capture) and message.is_simulated
                yield Sighting(_KINDS[one], name, said=words, is_simulated=simulated)
            elif one in known or not known:
                yield Sighting(_KINDS[one], name, holds=False)

    def silent(self, now_ms: int) -> Iterator[Sighting]:
        """The cameras of which nothing was heard for too long."""
        for name, at_ms in self._heard.items():
            if now_ms - max(at_ms, self._begun_ms) > self._limits.camera_silent_s * 1000:
                yield Sighting(AlarmKind.CAMERA_SILENT, name, said=said("alarm_silent"))

    def _of(self, name: str) -> frozenset[CameraCondition]:
        return self._by_capture.get(name, frozenset()) | self._by_beat.get(name, frozenset())

    def _clock(self, beat: CameraHeartbeat) -> Sighting:
        error_s = (beat.clock_error_ms or 0) / 1000
        is_off = abs(error_s) > self._limits.clock_off_s
        words = said("alarm_clock", error=error_s) if is_off else None
        return Sighting(AlarmKind.CLOCK_WRONG, beat.camera_id, holds=is_off, said=words)
