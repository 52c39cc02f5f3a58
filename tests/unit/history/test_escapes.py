"""What the field reports of a part joins its story and the statistics, and is never lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from linewarden_audit.report.report import AuditRequest
from linewarden_audit.report.report import page as audit_page
from linewarden_audit.report.report import report as audit
from linewarden_domain.times import end_of
from linewarden_history.escapes import escape_record, let_go_by, newest, read_table
from linewarden_history.index.following import catch_up
from linewarden_history.index.store import VERSION, StoryIndex
from linewarden_history.index.story import all_reports, stories, unmatched
from linewarden_history.selection import Selection
from linewarden_history.shifts.page import as_csv
from linewarden_history.shifts.page import page as shift_page
from linewarden_history.shifts.report import report as shift
from linewarden_history.shifts.tally import Scope
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Returned
from linewarden_schemas.escape import Escape
from linewarden_schemas.vocabulary import Cause, Outcome, Routing
from tests.support.lines import HOUR, NAMESPACE, by_topic, line, passes, ref, reviewed
from tests.support.shift import AT, capture, disposition, inspection, visit

LATER = AT + HOUR


def escape(part: str, at_ms: int = LATER, **more: Any) -> Escape:
    fields: dict[str, Any] = {
        "escape_id": f"e-{part}",
        "part_id": part,
        "defect_class": "crack",
        "found_at": "customer A",
        "found_ms": at_ms,
        "reported_by": "qa",
        "reported_ms": at_ms,
    }
    return Escape(**(fields | more))


def made(number: int, part: str, **more: Any) -> list[Message]:
    """A visit of a part that passed with trust."""
    told: dict[str, Any] = {"part_id": part, "line_state": ref()} | more
    passed = disposition(number, Routing.TRUSTED_PASS, part_id=part, line_state=ref())
    return [capture(number, **told), inspection(number), passed]


def test_the_last_visit_before_the_finding_let_the_part_go_unless_the_report_names_one() -> None:
    visits = {"a": AT, "b": AT + 5, "c": AT + 9}
    assert let_go_by(escape("P", AT + 8), visits) == "b"
    assert let_go_by(escape("P", AT + 8, visit_id="c"), visits) == "c"
    assert let_go_by(escape("P", AT - 1), visits) is None


def test_an_escape_joins_the_story_of_its_part_and_stays_there_when_it_is_withdrawn() -> None:
    back = Returned(previous_visit_id=visit(1), authority="rw-7")
    told = [*made(1, "P1"), *made(9, "P1", returned=back), escape("P1", AT + 5), escape("P9")]
    broker = line(*by_topic(told))
    with StoryIndex(None, NAMESPACE.name) as index:
        catch_up(broker, NAMESPACE, index)
        first, second = stories(index, "P1")
        (escaped,) = (one for one in first.happened if one.kind == "escaped")
        assert (escaped.actor, escaped.told["found_at"]) == ("qa", "customer A")
        assert "escaped" not in [one.kind for one in second.happened]
        assert "escaped" in [one.kind for one in stories(index, visit(9))[0].happened]
        assert (stories(index, "P9"), [one.escape.part_id for one in unmatched(index, "P9")]) == ([], ["P9"])
        broker.append(escape_record(NAMESPACE, escape("P1", AT + 5, withdrawn=True, comment="wrong box"), "/test"))
        catch_up(broker, NAMESPACE, index)
        assert "escape withdrawn" in [one.kind for one in stories(index, "P1")[0].happened]
        assert [one.escape.withdrawn for one in all_reports(index)] == [False, True]


def test_escapes_count_visits_of_production_by_the_way_they_left() -> None:
    accepted = reviewed(3, Cause.LOW_TRUST, outcome=Outcome.ACCEPT)
    told = [
        *passes(0),
        *made(1, "P1"),
        *made(2, "P2"),
        *accepted,
        escape("P1"),
        escape("P1", escape_id="e-again", defect_class="dent"),
        escape("any", escape_id="e-named", visit_id=visit(3)),
        escape("P2", withdrawn=True),
        escape("P9"),
    ]
    broker = line(*by_topic(told))
    document = audit(broker, NAMESPACE, AuditRequest(Selection(AT - HOUR, AT + HOUR), AT + HOUR))
    found = document["escapes"]
    assert (found["visits"], found["reports"], found["of_other_visits"]) == (2, 3, 1)
    assert (found["rate"]["name"], found["rate"]["value"]) == ("escapes_ppm_of_inspected", 500_000)
    assert found["by_way"] == {"accepted by people": 1, "trusted pass": 1}
    assert found["by_class"] == {"crack": 2, "dent": 1}
    assert "2 of the visits in production let a part go" in audit_page(document)
    told_shift = shift(broker, NAMESPACE, Scope(), from_ms=AT - HOUR, to_ms=AT + HOUR)
    assert told_shift["escapes"]["by_way"] == found["by_way"]
    assert "customer A" in shift_page(told_shift)
    assert "escapes,escapes_ppm_of_inspected,2,4,500000.0" in as_csv(told_shift)


def test_a_visit_before_the_range_is_not_blamed_in_it() -> None:
    broker = line(*by_topic([*made(1, "P1"), escape("P1")]))
    document = audit(broker, NAMESPACE, AuditRequest(Selection(AT + HOUR, AT + 2 * HOUR), AT + HOUR))
    assert (document["escapes"]["visits"], document["escapes"]["of_other_visits"]) == (0, 1)


def test_a_table_is_reported_whole_or_not_at_all_and_twice_is_once(tmp_path: Path) -> None:
    table = tmp_path / "escapes.csv"
    table.write_text("serial,defect,found_at,when,by\nP1,crack,customer A,2025-11-24,\nP2,dent,bench,2025-11-25,qa-9\n")
    told = read_table(table, "qa", LATER + HOUR * 48)
    assert [(one.part_id, one.reported_by) for one in told] == [("P1", "qa"), ("P2", "qa-9")]
    assert len(newest([*told, *read_table(table, "qa", LATER + HOUR * 49)])) == 2
    table.write_text(
        "serial,defect,found_at,when\nP 1,crack,A,2025-11-24\nP2,crack,A,soon\nP3,,A,2099-01-01\nP4,x,A,2099-01-01\n"
    )
    with pytest.raises(ValueError, match=r"(?s)line 2: part_id 'P 1'.*line 3: 'soon'.*line 4: defect.*line 5.*future"):
        read_table(table, "qa", LATER)
    table.write_text("serial,when\nP1,2025-11-24\n")
    with pytest.raises(ValueError, match="lacks the columns defect, found_at"):
        read_table(table, "qa", LATER)


def test_a_day_means_its_end_so_that_what_was_made_that_day_lies_before() -> None:
    assert end_of("2025-11-25", 0) - end_of("2025-11-25T00:00", 0) == 24 * HOUR - 1


def test_an_index_of_the_version_before_is_taken_on_with_what_it_holds(tmp_path: Path) -> None:
    broker = line(*by_topic([*made(1, "P1"), escape("P1")]))
    path = tmp_path / "index"
    with StoryIndex(path, NAMESPACE.name) as index:
        catch_up(broker, NAMESPACE, index)
    old = sqlite3.connect(path)
    old.executescript("DROP TABLE escapes; DELETE FROM places WHERE topic LIKE '%escapes'; PRAGMA user_version = 1;")
    old.executescript("ALTER TABLE visits DROP COLUMN recipe_digest;")
    old.close()
    with StoryIndex(path, NAMESPACE.name) as index:
        assert len(stories(index, "P1")) == 1
        catch_up(broker, NAMESPACE, index)
        assert [one.kind for one in stories(index, "P1")[0].happened][-1] == "escaped"
        assert index.row("PRAGMA user_version", {})["user_version"] == VERSION  # type: ignore[index]
