"""Reading audits, passes and shown known-bads from CSV, cut into fixed windows.

audits.csv: at_ms, stratum, answer (OK, NG; anything else, or nothing, is no answer), one row for each audit drawn.
passes.csv: at_ms, stratum, passes: counts of trusted passes, those drawn for audit included, by any small interval.
known_bads.csv: at_ms, answer, one row for each known-bad shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from linewarden_domain.tables import read_table
from linewarden_vision.watch.estimate import CatchRecord, Stratum

_OK, _NG = "OK", "NG"
_KNOWN = dict.fromkeys(("at_ms", "stratum", "answer", "passes"), ())


@dataclass(frozen=True, slots=True)
class Window:
    """One fixed window [start, start + length) in epoch ms, with its strata in order of name."""

    start_ms: int
    strata: tuple[Stratum, ...]


def read_windows(audits: Path, passes: Path, length_ms: int) -> list[Window]:
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
        answers[*place, row["answer"] if row["answer"] in {_OK, _NG} else ""] += 1
    return [
        Window(start, tuple(_stratum(start, name, whole, answers) for at, name in sorted(whole) if at == start))
        for start in sorted({start for start, _ in whole})
    ]


def read_catches(path: Path) -> CatchRecord:
    """Count known-bads; the unanswered were not caught. Raises ValueError."""
    answers = Counter(row["answer"] for row in _rows(path, {"at_ms", "answer"}))
    return CatchRecord(shown=answers.total(), caught=answers[_NG])


def _stratum(
    start: int, name: str, whole: Mapping[tuple[int, str], int], answers: Mapping[tuple[int, str, str], int]
) -> Stratum:
    good, bad, none = (answers.get((start, name, answer), 0) for answer in (_OK, _NG, ""))
    return Stratum(name, whole[start, name], good, bad, none)


def _rows(path: Path, columns: set[str]) -> Iterator[dict[str, str]]:
    table = read_table(path, _KNOWN)
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
