"""Who passed and would not pass today is listed by lot and part; who was never a trusted pass is not."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from linewarden_replay.compare import FrameAnswer
from linewarden_replay.containment import Contained, contained, in_order, write_csv
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Routing, Undecidable, Verdict
from tests.support.shift import disposition, visit

OK = FrameAnswer(Verdict.OK, None, doubtful=False, p_defect=0.1, suspicion=0.1)
DOUBTFUL = FrameAnswer(Verdict.OK, None, doubtful=True, p_defect=0.1, suspicion=0.9)
NG = FrameAnswer(Verdict.NG, None, doubtful=False, p_defect=0.9, suspicion=0.9)
UNREADABLE = FrameAnswer(Verdict.NOT_DECIDABLE, Undecidable.UNREADABLE, doubtful=True, p_defect=None, suspicion=None)


def passed(number: int, lot: str, part: str | None = None) -> tuple[str, Disposition]:
    return visit(number), disposition(number, Routing.TRUSTED_PASS, lot_id=lot, part_id=part)


def contain(now: Mapping[str, Mapping[str, FrameAnswer]], passes: Mapping[str, Disposition]) -> tuple[Contained, ...]:
    entries = (contained(first, now.get(visit, {})) for visit, first in passes.items())
    return in_order(one for one in entries if one is not None)


def test_passes_are_listed_by_lot_with_the_worst_of_their_views() -> None:
    passes = dict([passed(1, "B"), passed(2, "A", "a2"), passed(3, "A", "a1"), passed(4, "A"), passed(5, "C")])
    now = {
        visit(1): {"1.top": OK, "1.left": NG, "1.right": DOUBTFUL},
        visit(2): {"2.top": DOUBTFUL},
        visit(3): {"3.top": UNREADABLE},
        visit(4): {"4.top": OK},
        visit(9): {"9.top": NG},
    }
    found = contain(now, passes)
    assert [(one.lot_id, one.part_id, one.would_be) for one in found] == [
        ("A", "a1", Routing.DIVERTED),
        ("A", "a2", Routing.DIVERTED),
        ("B", None, Routing.REJECTED),
    ]
    assert found[2].views == ("1.left", "1.right")


def test_the_list_is_a_file_for_a_spreadsheet(tmp_path: Path) -> None:
    found = contain({visit(1): {"1.top": NG}}, dict([passed(1, "A", "a1")]))
    write_csv(tmp_path / "list.csv", found)
    with (tmp_path / "list.csv").open(newline="") as file:
        (row,) = list(csv.DictReader(file))
    assert (row["lot_id"], row["part_id"], row["would_be"], row["views"]) == ("A", "a1", "rejected", "1.top")
    assert row["captured_at"] == "2025-11-24T16:00:00.001+00:00"
