"""A balance is made while the line runs: whatever happens between two topics must not look like a fault."""

from __future__ import annotations

import pytest

from linewarden_audit.audit import READ_ORDER, read_ledger
from linewarden_audit.balance import balance
from linewarden_schemas.vocabulary import Routing, Verdict
from tests.support.history import History
from tests.support.route_line import GATED


@pytest.mark.parametrize("name", READ_ORDER)
def test_what_happens_while_a_topic_is_read_does_not_look_like_a_fault(name: str) -> None:
    made = History()
    made.visit("passed")
    made.visit("accepted", suspicion=0.9)
    made.visit("open", suspicion=0.9)
    made.decide("accepted.r0.g0")
    made.visit("gated", {"line_state": GATED})
    made.act("gated", Routing.TRUSTED_PASS)
    made.visit("awaited", {"line_state": GATED})
    made.capture("dead")
    made.inspect("dead", "top")
    made.dead_letter("dead.side")
    made.turn()
    done: list[str] = []

    def meanwhile(topic: str, _count: int) -> None:
        if topic == name and not done:
            done.append(topic)
            made.visit("new", suspicion=0.9)
            made.visit("new-reject", verdict=Verdict.NG)
            made.visit("new-pass")
            made.act("awaited", Routing.DIVERTED)
            made.visit("new-gated", {"line_state": GATED})
            made.act("new-gated", Routing.TRUSTED_PASS)
            made.decide("open.r0.g0")
            made.decide("new.r0.g0", "UNSURE")

    report = balance(read_ledger(made.broker, made.line.namespace, meanwhile), made.now_ms())
    made.close()
    assert done
    assert not report.findings
