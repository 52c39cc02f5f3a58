"""Reading audits, passes and shown known-bads from CSV, cut into fixed windows.

audits.csv: at_ms, stratum, answer (OK, NG; anything else, or nothing, is no answer), one row for each audit drawn.
passes.csv: at_ms, stratum, passes: counts of trusted passes, those drawn for audit included, by any small interval.
known_bads.csv: at_ms, answer, one row for each known-bad shown.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from linewarden_domain.tables import read_table
from linewarden_vision.watch.estimate import CatchRecord, Stratum


@dataclass(frozen=True, slots=True)
class AuditWindow:
    """One fixed window [start, start + length) in epoch ms, with its strata in order of name."""

    start_ms: int
    strata: tuple[Stratum, ...]


def read_windows(audits: Path, passes: Path, length_ms: int) -> list[AuditWindow]:
    """Cut into windows that start at whole multiples of their length, in order.

    Raises ValueError for a column that is missing, a number that is none, or audits without passes.
    """
    if length_ms < 1:
        raise ValueError("a window has a length")
    whole: Counter[tuple[int, str]] = Counter()
    for row in _rows(passes, {"at_ms", "stratum", "passes"}):
        whole[_start(row, length_ms, passes), row["stratum"]] += _number(row, "passes", passes)
    answers: Counter[tuple[int, str, str]] = Counter()
    for row in _rows(audits, {"at_ms", "stratum", "answer"}):
        place = _start(row, length_ms, audits), row["stratum"]
        if place not in whole:
            raise ValueError(f"{audits}: an audit in stratum {place[1]!r} at {row['at_ms']}, but no passes there")
        answers[*place, row["answer"] if row["answer"] in {"OK", "NG"} else ""] += 1
    strata: dict[int, list[Stratum]] = defaultdict(list)
    for start, name in sorted(whole):
        good, bad, none = (answers[start, name, answer] for answer in ("OK", "NG", ""))
        strata[start].append(Stratum(name, whole[start, name], good, bad, none))
    return [AuditWindow(start, tuple(found)) for start, found in strata.items()]


def read_catches(path: Path) -> CatchRecord:
    """Count known-bads; the unanswered were not caught. Raises ValueError."""
    answers = Counter(row["answer"] for row in _rows(path, {"at_ms", "answer"}))
    return CatchRecord(shown=answers.total(), caught=answers["NG"])


def _rows(path: Path, columns: set[str]) -> Iterator[dict[str, str]]:
    table = read_table(path, dict.fromkeys(("at_ms", "stratum", "answer", "passes"), ()))
    if not columns <= table.columns:
        raise ValueError(f"{path} needs the columns {', '.join(sorted(columns))}")
    for row in table.rows:
        yield dict.fromkeys(columns, "") | row.cells


def _start(row: Mapping[str, str], length_ms: int, path: Path) -> int:
    return _number(row, "at_ms", path) // length_ms * length_ms


def _number(row: Mapping[str, str], column: str, path: Path) -> int:
    text = row[column] or ""
    if not text.isdigit():
        raise ValueError(f"{path}: {column} {text!r} is no whole number")
    return int(text)
