from linewarden_route import visit as machine
from linewarden_route.visits import Dormant, Visits
from linewarden_schemas.route_state import VisitSnapshot
from tests.unit.route.builders import T0, captured, context, inspected, the


def gathering(name: str = "v1", at_ms: int = T0) -> VisitSnapshot:
    return the(machine.step(None, captured(visit=name, at_ms=at_ms), context(at_ms)).visit)


def passed(name: str = "v1") -> VisitSnapshot:
    visit = None
    for event in (captured("top"), captured("side"), inspected("top"), inspected("side")):
        visit = machine.step(visit, event, context()).visit
    return the(visit).model_copy(update={"visit_id": name})


def test_timers_come_earliest_first_and_stay_until_their_visit_changes() -> None:
    visits = Visits()
    visits.put("v2", gathering("v2", T0 + 5))
    visits.put("v1", gathering("v1", T0))
    visits.put("v1", gathering("v1", T0))
    assert visits.next_due_ms() == T0 + 10_000
    assert visits.due(T0 + 9_999, 10) == []
    assert visits.due(T0 + 20_000, 1) == ["v1"]
    assert visits.due(T0 + 20_000, 10) == ["v1", "v2"]
    visits.put("v1", passed("v1"))
    assert visits.due(T0 + 20_000, 10) == ["v2"]
    visits.put("v2", None)
    assert visits.next_due_ms() == passed().forget_at_ms


def test_a_final_visit_is_kept_as_bytes_and_comes_back_whole() -> None:
    visits = Visits()
    visits.put("v1", passed())
    assert (visits.open_count, visits.dormant_count) == (0, 1)
    assert visits.get("v1") == passed()
    assert "v1" in visits


def test_a_final_visit_that_is_opened_again_sleeps_no_more() -> None:
    visits = Visits()
    visits.put("v1", passed())
    visits.put("v1", passed().model_copy(update={"final": False, "forget_at_ms": None}))
    assert (visits.open_count, visits.dormant_count, visits.next_due_ms()) == (1, 0, None)


def test_a_dormant_visit_is_not_read_until_it_is_asked_for() -> None:
    visits = Visits()
    visits.put_dormant("v1", Dormant.of(b"not even JSON", T0))
    assert "v1" in visits
    assert visits.due(T0, 5) == ["v1"]
    visits.forget("v1")
    assert visits.get("v1") is None
    assert "v1" not in visits
