"""The oracle of the fault matrix is not blind: each kind of harm in the topics makes a run fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from linewarden_audit.audit import read_ledger
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.vocabulary import Routing, Verdict
from tests.faults.matrix.oracle import Judgement, judge
from tests.support.history import History, home
from tests.support.reading import visible, write


def history() -> History:
    """A visit that passed, one that was rejected, one that waits."""
    made = History()
    made.visit("passed")
    made.visit("rejected", verdict=Verdict.NG)
    made.visit("waiting", suspicion=0.9)
    made.pass_time(60_000)
    return made


def judged(made: History, *seen: str) -> Judgement:
    return judge(read_ledger(made.broker, made.line.namespace), made.now_ms(), ("passed", "rejected", *seen), 2.0)


def send(made: History, topic: str, visit: str, message: Message, name: str) -> None:
    """Write what nobody of the line would."""
    sent = encode(message, id=name, source="/forged", time_ms=made.now_ms())
    physical = made.line.namespace.topic(topic)
    write(made.broker, [OutRecord(physical, visit.encode(), sent.value, sent.headers, home(visit))])


def disposition(made: History, visit: str) -> Disposition:
    """A visit's first routing, as it lies in the topic."""
    for record in visible(made.broker, made.line.namespace.topic("dispositions")):
        message = decode(record.headers, record.value or b"").message
        if isinstance(message, Disposition) and message.visit_id == visit:
            return message
    raise AssertionError(visit)


def never_routed(made: History) -> None:
    """A frame is captured, and neither inspected nor routed."""
    made.capture("stranded")
    made.line.pass_time(600_000)


def number_missing(made: History) -> None:
    """A camera gave a number that nobody ever saw."""
    made.visit("gap", {"sequence": 7})
    made.line.pass_time(60_000)


def routed_twice(made: History) -> None:
    """A visit has two first routings."""
    send(made, "dispositions", "passed", disposition(made, "passed"), "again")


def routed_in_two_ways(made: History) -> None:
    """A rejected visit is let go by a second first routing."""
    passed = disposition(made, "passed")
    told: dict[str, Any] = {"visit_id": "rejected"}
    send(made, "dispositions", "rejected", passed.model_copy(update=told), "let-go")


def ng_passes(made: History) -> None:
    """A visit passes of which an inspection says NG."""
    made.capture("bad")
    made.inspect("bad", verdict=Verdict.NG)
    passed = disposition(made, "passed")
    told: dict[str, Any] = {"visit_id": "bad", "routing": Routing.TRUSTED_PASS}
    send(made, "dispositions", "bad", passed.model_copy(update=told), "bad")
    made.line.pass_time(60_000)


def test_a_line_that_did_its_work_holds() -> None:
    made = history()
    assert judged(made).holds
    made.close()


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (never_routed, "lost"),
        (number_missing, "lost"),
        (routed_twice, "doubled"),
        (routed_in_two_ways, "doubled"),
        (ng_passes, "passed_wrongly"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_each_kind_of_harm_is_seen_as_what_it_is(harm: Callable[[History], None], kind: str) -> None:
    made = history()
    harm(made)
    found = judged(made)
    made.close()
    assert not found.holds
    assert getattr(found, kind)


def test_a_visit_that_was_seen_and_is_in_the_log_no_more_is_lost() -> None:
    made = history()
    found = judged(made, "vanished")
    made.close()
    assert found.lost == {"vanished: it was seen, and is not in the log"}


def test_a_trigger_that_no_camera_saw_between_others_is_lost() -> None:
    made = history()
    for number in (0, 1, 3):
        made.visit(f"line1.s1.{1_700_000_000_000 + 500 * number}.{number:06}")
    made.line.pass_time(60_000)
    found = judged(made)
    made.close()
    assert found.lost == {"line1.s1, run 1700000000000: trigger 2 was never seen"}


def test_what_was_found_before_is_not_counted_again() -> None:
    before = Judgement(lost=frozenset({"a: gone"}))
    now = Judgement(lost=frozenset({"a: gone", "b: gone"}))
    assert now.beyond(before) == Judgement(lost=frozenset({"b: gone"}))
    assert now.beyond(now).holds
