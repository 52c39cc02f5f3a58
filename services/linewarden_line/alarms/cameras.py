"""What cameras say of themselves, what inspections say of where their parts lie, and that nothing is heard of one."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator

from linewarden_domain.words import Said, said
from linewarden_line.alarms.alarm_list import Sighting
from linewarden_line.alarms.limits import AlarmLimits
from linewarden_schemas.alarm import CameraHeard
from linewarden_schemas.alarm_vocabulary import AlarmKind
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import CameraCondition, Undecidable

_UNPLACED = frozenset({Undecidable.PART_NOT_FOUND, Undecidable.PART_MISPLACED})
_KINDS = {one: AlarmKind(one.value) for one in CameraCondition}


class CameraListener:
    """The cameras of a line: a condition holds until the next capture, and the next heartbeat, do not tell of it.

    That a camera moved holds from so many inspections in a row on that do not find their part where it may lie, each of
    which diverts by itself, until one does.
    """

    def __init__(self, limits: AlarmLimits, now_ms: int) -> None:
        # Nobody is silent before this process has listened for as long: what came meanwhile is still to be read.
        self._limits, self._begun_ms = limits, now_ms
        self._heard: dict[str, int] = {}
        self._by_capture: dict[str, frozenset[CameraCondition]] = {}
        self._by_beat: dict[str, frozenset[CameraCondition]] = {}
        self._places: dict[str, list[tuple[int, bool]]] = {}
        """By camera: the last pictures that tell of their part's place, when they were taken, and whether it may be."""

    def recall(self, heard: Iterable[CameraHeard]) -> None:
        """Go on from what the process before had heard."""
        told = tuple(heard)
        self._heard = {one.camera_id: one.at_ms for one in told}
        self._places = {one.camera_id: [(0, False)] * one.unplaced for one in told}

    def heard(self) -> tuple[CameraHeard, ...]:
        """When each camera was heard last."""
        return tuple(
            CameraHeard(camera_id=name, at_ms=at_ms, unplaced=self._unplaced(name))
            for name, at_ms in sorted(self._heard.items())
        )

    def learn(self, message: Message, now_ms: int) -> Iterator[Sighting]:
        """What a capture or heartbeat shows, taken when it arrives: a backlog is no silence; or an inspection."""
        if isinstance(message, Inspection):
            yield from self._placed(message)
            return
        if not isinstance(message, Capture | CameraHeartbeat):
            return
        if isinstance(message, Capture) and message.known_bad:
            return  # no picture of the camera's
        name, told = message.camera_id, frozenset(message.conditions)
        known, is_told = self._of(name), bool(self._told(name))
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
                simulated = isinstance(message, Capture) and message.is_simulated
                yield Sighting(_KINDS[one], name, said=self._words(name, one), is_simulated=simulated)
            elif one in known or not is_told:
                yield Sighting(_KINDS[one], name, holds=False)

    def silent(self, now_ms: int) -> Iterator[Sighting]:
        """The cameras of which nothing was heard for too long."""
        for name, at_ms in self._heard.items():
            if now_ms - max(at_ms, self._begun_ms) > self._limits.camera_silent_s * 1000:
                yield Sighting(AlarmKind.CAMERA_SILENT, name, said=said("alarm_silent"))

    def _of(self, name: str) -> frozenset[CameraCondition]:
        by_place = {CameraCondition.MOVED} if self._has_moved(name) else set()
        return self._told(name) | by_place

    def _told(self, name: str) -> frozenset[CameraCondition]:
        return self._by_capture.get(name, frozenset()) | self._by_beat.get(name, frozenset())

    def _has_moved(self, name: str) -> bool:
        return self._unplaced(name) >= self._limits.camera_moved_after

    def _unplaced(self, name: str) -> int:
        """How many of the last pictures in a row do not show their part where it may lie, at most the limit."""
        places = self._places.get(name, [])
        return next((row for row, (_, is_placed) in enumerate(reversed(places)) if is_placed), len(places))

    def _words(self, name: str, condition: CameraCondition) -> Said:
        if condition is CameraCondition.MOVED and self._has_moved(name):
            return said("alarm_moved", count=self._limits.camera_moved_after)
        return said(f"condition.{condition.value}")

    def _placed(self, inspection: Inspection) -> Iterator[Sighting]:
        """One that says nothing of where its part lies changes nothing."""
        name, is_placed = inspection.camera_id, inspection.location is not None
        if not is_placed and inspection.undecidable not in _UNPLACED:
            return
        before = self._of(name)
        places = self._places.setdefault(name, [])
        # By the time of the picture: partitions are read one after the other.
        insort(places, (inspection.captured_ms, is_placed), key=lambda one: one[0])
        del places[: -self._limits.camera_moved_after]
        moved = CameraCondition.MOVED
        if moved in self._of(name):
            words = self._words(name, moved)
            yield Sighting(AlarmKind.CAMERA_MOVED, name, said=words, is_simulated=inspection.is_simulated)
        elif moved in before:
            yield Sighting(AlarmKind.CAMERA_MOVED, name, holds=False)

    def _clock(self, beat: CameraHeartbeat) -> Sighting:
        error_s = (beat.clock_error_ms or 0) / 1000
        is_off = abs(error_s) > self._limits.clock_off_s
        words = said("alarm_clock", error=error_s) if is_off else None
        return Sighting(AlarmKind.CLOCK_WRONG, beat.camera_id, holds=is_off, said=words)
