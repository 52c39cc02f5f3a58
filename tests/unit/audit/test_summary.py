"""The figures of a shift can be worked out by hand."""

from __future__ import annotations

from linewarden_audit.ledger import AuditLedger
from linewarden_audit.summary import percentile, shift_summary, trust_worth
from linewarden_schemas.base import Message
from linewarden_schemas.vocabulary import Cause, Routing
from tests.support.shift import AT, capture, disposition, inspection, passed, rejected, visit, waiting


def diverted(number: int, p: float, cause: Cause) -> list[Message]:
    return [
        capture(number),
        inspection(number, p=p, suspicion=0.9 if cause is Cause.LOW_TRUST else 0.1),
        disposition(number, Routing.DIVERTED, cause, final=False),
    ]


def shift() -> AuditLedger:
    """Ten visits: 0 to 5 passed with rising p, 6 and 7 diverted by trust, 8 by audit, 9 rejected."""
    ledger = AuditLedger()
    messages: list[Message] = []
    for number in range(6):
        routed = disposition(number, Routing.TRUSTED_PASS, decided_ms=AT + number + 100 * (number + 1))
        messages += [capture(number), inspection(number, p=0.05 * (number + 1)), routed]
    messages += diverted(6, 0.01, Cause.LOW_TRUST) + diverted(7, 0.02, Cause.LOW_TRUST) + diverted(8, 0.4, Cause.AUDIT)
    messages += rejected(9)
    for message in messages:
        ledger.learn(message)
    return ledger


def test_trust_is_held_against_the_threshold_at_the_same_diversion() -> None:
    truth = {visit(number): number in {1, 5, 6, 7, 9} for number in range(10)}
    worth = trust_worth(shift(), truth)
    assert worth["defective"] == 5
    assert worth["misses_without_trust"] == 4  # 1, 5, 6, 7; 9 was rejected by the network
    assert worth["misses_passed"] == 2  # 1 and 5; 6 and 7 were caught by trust
    assert worth["misses_by_threshold_at_same_diversion"] == 3  # it diverts 5 and 4, the highest p, and misses 1, 6, 7
    assert worth["diversion_rate_of_passes"] == 0.3333  # 6, 7 and 8 of nine


def test_visits_of_unknown_truth_do_not_count() -> None:
    worth = trust_worth(shift(), {visit(6): True})
    assert (worth["defective"], worth["misses_without_trust"], worth["misses_passed"]) == (1, 1, 0)
    assert worth["diversion_rate_of_passes"] == 1.0


def test_an_empty_shift_has_no_rates() -> None:
    summary = shift_summary(AuditLedger(), AT, {})
    assert summary["latency_ms"] == {"p50": None, "p99": None}
    assert summary["frames_per_s"] is None
    assert summary["truth"]["diversion_rate_of_passes"] is None
    assert summary["balance"] == {"closes": True, "lost": 0, "doubled": 0, "unknown": 0, "unsafe": 0, "unsound": 0}


def test_the_summary_counts_routings_causes_and_latency() -> None:
    ledger = shift()
    summary = shift_summary(ledger, AT + 5_000)
    assert (summary["visits"], summary["frames"]) == (10, 10)
    assert (summary["trusted_pass"], summary["diverted"], summary["rejected"]) == (6, 3, 1)
    assert summary["diverted_by_cause"] == {"audit": 1, "low_trust": 2}
    assert summary["latency_ms"] == {"p50": 200.0, "p99": 600.0}
    assert summary["frames_per_s"] == 91.74  # ten frames from AT to AT + 109 ms


def test_waiting_visits_are_counted() -> None:
    ledger = AuditLedger()
    for message in [*passed(0), *waiting(1)]:
        ledger.learn(message)
    assert shift_summary(ledger, AT + 5_000)["waiting"] == 1


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    assert percentile([7.0], 0.01) == 7.0
