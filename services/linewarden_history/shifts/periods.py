"""The states of lines as periods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linewarden_schemas.line import LineState
from linewarden_schemas.vocabulary import LineMode


@dataclass(frozen=True, slots=True)
class Period:
    """A line in one state, from `begin_ms` to before `end_ms` (epoch ms)."""

    line_id: str
    mode: LineMode
    begin_ms: int
    end_ms: int
    since_ms: int
    shift: str | None
    reason: str | None
    actor: str

    @property
    def length_ms(self) -> int:
        """How long it lasts, in milliseconds."""
        return self.end_ms - self.begin_ms

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values for a document."""
        return asdict(self) | {"mode": self.mode.value}


def periods(states: Iterable[LineState], from_ms: int, to_ms: int, line_id: str | None = None) -> list[Period]:
    """Cut the told states to a stretch of time, by line and time; the last one lasts to its end.

    Of two states told for the same moment the later told counts.
    """
    told: dict[str, dict[int, LineState]] = {}
    for state in states:
        if line_id in {None, state.line_id}:
            told.setdefault(state.line_id, {})[state.since_ms] = state
    cut: list[Period] = []
    for _, by_time in sorted(told.items()):
        ordered = [by_time[since] for since in sorted(by_time)]
        ends = [*(one.since_ms for one in ordered[1:]), to_ms]
        cut += [
            Period(
                line_id=one.line_id,
                mode=one.mode,
                begin_ms=max(one.since_ms, from_ms),
                end_ms=min(end_ms, to_ms),
                since_ms=one.since_ms,
                shift=one.shift,
                reason=one.reason,
                actor=one.actor,
            )
            for one, end_ms in zip(ordered, ends, strict=True)
        ]
    return [one for one in cut if one.length_ms > 0]


def newest_shift(states: Sequence[LineState], shift: str, now_ms: int, line_id: str | None = None) -> tuple[int, int]:
    """From when to when a shift ran last: its newest unbroken run of states on any of the lines.

    Raises:
        ValueError: where no state names the shift.
    """
    runs: list[tuple[int, int]] = []
    for one in periods(states, 0, now_ms, line_id):
        if one.shift != shift:
            continue
        before = runs[-1] if runs else None
        if before is not None and before[1] == one.begin_ms:
            runs[-1] = (before[0], one.end_ms)
        else:
            runs.append((one.begin_ms, one.end_ms))
    if not runs:
        raise ValueError(f"no line state names the shift {shift!r}")
    return max(runs, key=lambda run: run[1])


def total_by_mode(told: Iterable[Period]) -> dict[str, int]:
    """Milliseconds in each state, all states named."""
    total = dict.fromkeys((mode.value for mode in LineMode), 0)
    for one in told:
        total[one.mode.value] += one.length_ms
    return total
