"""What a gate did otherwise than it was told, or did not tell, must have made a revision; the balance asks for it."""

from __future__ import annotations

from collections.abc import Callable

from linewarden_audit.audit import balance_records
from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import decode
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import Routing, Verdict
from tests.support.history import History
from tests.support.route_line import GATED

LONG_MS = 3_600_000


def found(made: History, keep: Callable[[InRecord], bool] = lambda _: True, later_ms: int = LONG_MS) -> list[str]:
    report = balance_records([one for one in made.records() if keep(one)], made.now_ms() + later_ms)
    return [f"{one.name}: {one.reason}" for one in report.findings]


def gated() -> History:
    made = History()
    made.visit("passed", {"line_state": GATED})
    made.act("passed", Routing.TRUSTED_PASS)
    made.visit("rejected", {"line_state": GATED}, verdict=Verdict.NG)
    made.act("rejected", Routing.REJECTED, Routing.REJECTED)
    return made


def is_report(record: InRecord) -> bool:
    return record.topic.endswith(".actuations")


def test_a_gate_that_did_what_it_was_told_leaves_nothing_to_find() -> None:
    assert found(gated()) == []


def test_a_visit_of_which_no_gate_reported_and_no_revision_was_made_is_found_once_its_time_is_over() -> None:
    made = gated()
    assert found(made, lambda one: not is_report(one), later_ms=0) == []
    assert found(made, lambda one: not is_report(one)) == [
        f"{name}: its gate has not reported what it did" for name in ("passed", "rejected")
    ]


def test_a_report_of_something_else_that_made_no_revision_is_found() -> None:
    made = gated()
    made.router.close()  # nobody answers it any more
    made.line.act("rejected", Routing.TRUSTED_PASS)
    assert found(made) == ["rejected: its gate was told rejected and did trusted_pass"]


def test_what_route_makes_of_silence_and_of_another_act_adds_up() -> None:
    made = gated()
    made.visit("silent", {"line_state": GATED})
    made.visit("other", {"line_state": GATED})
    made.act("other", Routing.DIVERTED)
    made.pass_time(30_000)
    assert [one.revision for one in made.line.dispositions("silent")] == [0, 1]
    assert [one.revision for one in made.line.dispositions("other")] == [0, 1]
    assert all(one.alarm for one in made.line.dispositions("other")[1:])
    assert found(made) == []


def test_reports_lie_where_their_visit_lies() -> None:
    made = gated()
    reports = [decode(one.headers, one.value).message for one in made.records() if is_report(one)]
    assert [one.visit_id for one in reports if isinstance(one, Actuation)] == ["passed", "rejected"]
