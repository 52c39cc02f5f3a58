"""Times and durations as people write them: the one reader of both. Whoever calls tells the time of now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DAY_MS = 86_400_000
_IS_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)
EXAMPLES = "2026-01-31, 20260131, 2026-01-31T06:00, 14:00, -2h or epoch milliseconds of 13 digits"


def epoch_ms(text: str, now_ms: int) -> int:
    """Epoch milliseconds of a day, an ISO 8601 time, a time of day, a time ago or a number that is one already.

    A time that names no zone is UTC, as everything that is shown. A time of day is the newest one that has been: at
    09:00, `14:00` is yesterday's. `-2h` is two hours before `now_ms`. The unit of a number is not guessed:
    milliseconds of our times have 13 digits, eight are a day, and 0 is the beginning.

    >>> epoch_ms("1970-01-02", 0), epoch_ms("19700102", 0), epoch_ms("-2h", 7_200_000)
    (86400000, 86400000, 0)

    Raises:
        ValueError: for anything else, with what it may be.
    """
    said = text.strip()
    if said.isascii() and said.isdecimal() and not _IS_DAY.fullmatch(said):
        if len(said) == 13 or not int(said):
            return int(said)
        raise ValueError(f"{text!r} could be seconds or anything: write {EXAMPLES}")
    try:
        if said.startswith("-"):
            return max(0, now_ms - round(seconds(said[1:]) * 1000))
        moment = _of_day(said, now_ms) if _CLOCK.fullmatch(said) else _in_a_zone(datetime.fromisoformat(said))
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no time: write {EXAMPLES}") from error


def is_day(text: str) -> bool:
    """Whether a time names a day alone, as 2026-01-31 or 20260131."""
    return _IS_DAY.fullmatch(text.strip()) is not None


def end_of(text: str, now_ms: int) -> int:
    """As `epoch_ms`; a day alone means its last millisecond, so that what happened that day lies before it."""
    return epoch_ms(text, now_ms) + (_DAY_MS - 1 if is_day(text) else 0)


def seconds(text: str) -> float:
    """Seconds of a number with its unit: 90s, 30m, 8h, 2d.

    >>> seconds("1.5h")
    5400.0

    Raises:
        ValueError: for anything else; a number alone has no unit, and none is guessed.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhd])", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration: write 90s, 30m, 8h or 2d")
    return float(found[1]) * _UNITS[found[2]]


def _of_day(said: str, now_ms: int) -> datetime:
    hour, _, rest = said.partition(":")
    clock = time.fromisoformat(f"{int(hour):02}:{rest.upper()}")
    zone = clock.tzinfo or UTC
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    today = datetime.combine(now.date(), clock.replace(tzinfo=None), zone)
    return today if today <= now else today - timedelta(days=1)


def _in_a_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
