"""What is sent is settled from the oldest on, never past a record without acknowledgement, and told when it can be."""

from __future__ import annotations

import pytest

from linewarden_ingest.ledger import Ledger
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import DeliveryFailed


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_the_pointer_never_moves_past_a_record_without_acknowledgement_though_later_ones_have_theirs(
    clock: ManualClock,
) -> None:
    ledger = Ledger(clock, 5)
    settled = [ledger.expect(ledger.enter(sequence, 100)) for sequence in (5, 6, 7)]
    found = []
    for at in (2, 1, 0):
        settled[at](None)
        found.append((ledger.advance(), ledger.unacked_bytes))
    assert found == [(5, 300), (5, 300), (8, 0)]


def test_the_pointer_moves_over_the_oldest_that_are_whole_and_no_further(clock: ManualClock) -> None:
    ledger = Ledger(clock, 0)
    settled = [ledger.expect(ledger.enter(sequence)) for sequence in range(3)]
    settled[0](None)
    assert ledger.advance() == 1
    assert not ledger.is_empty
    settled[1](None)
    settled[2](None)
    assert ledger.advance() == 3
    assert ledger.is_empty


def test_a_sequence_that_sends_nothing_takes_no_room_among_what_is_on_its_way(clock: ManualClock) -> None:
    ledger = Ledger(clock, 0)
    ledger.enter(0)
    assert ledger.unacked_bytes == 0


def test_the_oldest_record_tells_how_long_it_waits(clock: ManualClock) -> None:
    clock.advance(100.0)
    ledger = Ledger(clock, 0)
    settled = ledger.expect(ledger.enter(0))
    clock.advance(3.0)
    ledger.expect(ledger.enter(1))
    clock.advance(4.0)
    assert ledger.oldest_age_s == 7.0
    settled(None)
    ledger.advance()
    assert ledger.oldest_age_s == 4.0


def test_it_wakes_when_the_oldest_record_is_whole_or_one_failed_and_not_before(clock: ManualClock) -> None:
    woken: list[str] = []
    now = ""
    ledger = Ledger(clock, 0, lambda: woken.append(now))
    oldest, newest = ledger.enter(0), ledger.enter(1)
    frame, capture, other, failing = (
        ledger.expect(oldest, is_frame=True),
        ledger.expect(oldest),
        ledger.expect(newest),
        ledger.expect(newest),
    )
    for now, settled, error in (  # noqa: B007 - read by the callback
        ("newest", other, None),
        ("one of two", frame, None),
        ("oldest", capture, None),
        ("failed", failing, DeliveryFailed("broken")),
    ):
        settled(error)
    assert woken == ["oldest", "failed"]


def test_a_failure_is_told_once(clock: ManualClock) -> None:
    ledger = Ledger(clock, 0)
    ledger.expect(ledger.enter(0), is_frame=True)(DeliveryFailed("broken"))
    assert [(one.is_frame, str(one.error)) for one in ledger.failures()] == [(True, "broken")]
    assert ledger.failures() == []


def test_what_is_forgotten_is_sent_from_the_oldest_without_acknowledgement_and_weighs_nothing(
    clock: ManualClock,
) -> None:
    ledger = Ledger(clock, 0)
    old = [ledger.expect(ledger.enter(sequence, 100)) for sequence in range(3)]
    old[0](None)
    ledger.advance()
    old[1](DeliveryFailed("broken"))
    assert ledger.forget() == 1
    assert (ledger.is_empty, ledger.unacked_bytes) == (True, 0)
    assert ledger.failures() == [], "it costs the next producer nothing"
    again = [ledger.expect(ledger.enter(sequence, 100)) for sequence in (1, 2)]
    for settled in old[1:]:
        settled(None)
        settled(DeliveryFailed("closed"))
    assert (ledger.advance(), ledger.unacked_bytes, ledger.failures()) == (1, 200, [])
    for settled in again:
        settled(None)
    assert (ledger.advance(), ledger.unacked_bytes) == (3, 0)
