"""Times and durations as people write them; a unit is never guessed."""

from __future__ import annotations

import pytest

from linewarden_domain.times import end_of, epoch_ms, seconds

NOON = 1_796_126_400_000  # 2026-12-01T12:00Z
DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-12-01", NOON - DAY // 2),
        ("20261201", NOON - DAY // 2),
        ("2026-12-01T12:00", NOON),
        ("2026-12-01 12:00:30", NOON + 30_000),
        ("2026-12-01T12:00Z", NOON),
        ("2026-12-01T13:00+01:00", NOON),
        ("12:00", NOON),
        ("11:30", NOON - 1_800_000),
        ("9:05", NOON - 3 * 3_600_000 + 300_000),
        ("14:00", NOON - 22 * 3_600_000),
        ("12:30+01:00", NOON - 1_800_000),
        ("-2h", NOON - 7_200_000),
        ("-90s", NOON - 90_000),
        ("-1.5d", NOON - DAY - DAY // 2),
        ("1796126400000", NOON),
        ("0", 0),
        (" 2026-12-01 ", NOON - DAY // 2),
    ],
)
def test_a_time_is_read_as_it_is_written(text: str, at_ms: int) -> None:
    assert epoch_ms(text, NOON) == at_ms


@pytest.mark.parametrize(
    "text",
    ["", "1796126400", "179612640000", "12", "-2", "-2 hours", "25:00", "12:60", "20261301", "noon", "2h", "٣", "-h"],
)
def test_what_could_be_anything_is_refused_with_what_may_be_written(text: str) -> None:
    with pytest.raises(ValueError, match="14:00, -2h"):
        epoch_ms(text, NOON)


def test_a_day_as_an_end_belongs_to_the_range_as_a_whole() -> None:
    assert end_of("2026-12-01", NOON) == end_of("20261201", NOON) == NOON + DAY // 2 - 1
    assert end_of("12:00", NOON) == NOON


def test_a_duration_names_its_unit() -> None:
    assert [seconds(text) for text in ("90s", "30m", "1.5h", "2d")] == [90, 1800, 5400, 172_800]
    for text in ("90", "h", "-1h", "1w", "1h30m", ""):
        with pytest.raises(ValueError, match="write 90s, 30m, 8h or 2d"):
            seconds(text)
