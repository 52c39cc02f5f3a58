"""Numbers of cameras in a stretch, followed on from the closed period before it."""

from __future__ import annotations

from linewarden_history.selection import Selection
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.operations import Balance

from .shelf import Shelf


class Numbering:
    """Puts numbers on a shelf. `before` is the last period that was closed before the stretch, if there is one.

    With it a hole before a camera's first number in the stretch shows too, since captures are looked at from its end
    on; without it nobody knows which number came last before.
    """

    def __init__(self, stretch: Selection, shelf: Shelf, before: Balance | None) -> None:
        self._stretch, self._shelf = stretch, shelf
        self._closed: dict[str, int] | None = None
        self.from_ms = stretch.from_ms if before is None else min(stretch.from_ms, before.to_ms)
        """Captures that were written from then on are wanted."""
        if before is not None:
            lasts = [one for one in before.cameras if stretch.line_id in {None, one.line_id}]
            self._closed = {
                _name(one.line_id, one.station_id, one.camera_id, one.spool_epoch): one.last_sequence for one in lasts
            }
            for run, last in self._closed.items():
                shelf.put_mark(run, last)

    def learn(self, message: Capture | CameraHeartbeat) -> None:
        """Hear a capture or heartbeat of whatever time."""
        run = _name(message.line_id, message.station_id, message.camera_id, message.spool_epoch)
        if isinstance(message, CameraHeartbeat):
            if self._stretch.holds(message.line_id, message.at_ms):
                self._shelf.put_last(run, message.last_sequence)
        elif self._stretch.holds(message.line_id, message.captured_ms):
            self._follow_on(run)
            self._shelf.put_sequence(run, message.sequence, message.frame_id)
        elif self._is_between(run, message):
            self._shelf.put_sequence(run, message.sequence, message.frame_id, inside=False)

    def _follow_on(self, run: str) -> None:
        if self._closed is not None and run not in self._closed:
            self._closed[run] = -1  # it began after the period: its numbers begin at 0
            self._shelf.put_mark(run, -1)

    def _is_between(self, run: str, capture: Capture) -> bool:
        """Whether it lies after the period and before the stretch."""
        if self._closed is None or capture.captured_ms >= self._stretch.from_ms:
            return False
        in_line = self._stretch.line_id in {None, capture.line_id}
        return in_line and capture.sequence > self._closed.get(run, -1)


def period_before(periods: list[Balance], from_ms: int) -> Balance | None:
    """The last period that ended before a time; None where none with numbers of cameras did."""
    return next((one for one in reversed(periods) if one.to_ms <= from_ms and one.stretches), None)


def _name(line_id: str, station_id: str, camera_id: str, epoch: int) -> str:
    return f"{line_id}.{station_id}.{camera_id}.epoch{epoch}"
