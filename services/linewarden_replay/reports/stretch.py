"""What a report is about: a stretch of time of one line or of all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """Visits first captured from `from_ms` to `to_ms` (epoch ms, both included), of one line or of all.

    Raises:
        ValueError: where it ends before it begins.
    """

    from_ms: int
    to_ms: int
    line_id: str | None = None

    def __post_init__(self) -> None:
        if self.to_ms < self.from_ms:
            raise ValueError(f"the range ends ({self.to_ms}) before it begins ({self.from_ms})")

    def holds(self, line_id: str, at_ms: int) -> bool:
        """Whether a visit belongs to it."""
        return self.from_ms <= at_ms <= self.to_ms and self.line_id in {None, line_id}
