"""Tables that people write, as CSV: one way to read them, strict about names and lenient about blanks.

Names of columns are trimmed and matched without case; a column that is not known is refused, since a misspelt one
would be left out in silence. Comma, semicolon and tab divide, a byte order mark is skipped, and so are rows that a
spreadsheet left empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DELIMITERS = ",;\t"
Columns = Mapping[str, Sequence[str]]
"""Known columns by the name that the program uses, each with other names it may have in the file."""


class UnusableTable(ValueError):
    """A table that cannot be understood; the message names the file, the line and what to change."""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells by the program's column names, trimmed; `line` is the row's last line in the file, from 1."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell of a column, empty where the table has none such."""
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file, and which of the known columns it has."""

    columns: frozenset[str]
    rows: tuple[Row, ...]


def read_table(path: Path, known: Columns, needed: Collection[str] = ()) -> Table:
    """Read a file.

    Raises:
        UnusableTable: where it cannot be read, is no CSV in UTF-8, lacks a needed column, has one that is not known
            or comes twice, or has a row longer than its header or empty in a needed column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableTable(f"{path} is no text in UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise UnusableTable(f"{path} cannot be read: {error.strerror}") from error
    return parse_table(text, known, needed, str(path))


def parse_table(text: str, known: Columns, needed: Collection[str], name: str) -> Table:
    r"""Read a text as `read_table` reads a file; `name` is what errors call it.

    >>> known = {"part_id": ["serial"], "found": []}
    >>> table = parse_table("Serial;Found\nP-1;2026-01-02\n", known, ["part_id"], "list.csv")
    >>> table.rows[0]["part_id"], table.rows[0].line
    ('P-1', 2)
    """
    text = text.removeprefix("\ufeff")
    names = {_plain(one): column for column, others in known.items() for one in (column, *others)}
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        head = next((row for row in reader if any(map(str.strip, row))), [])
        columns = _columns(head, names, needed, known, name)
        return Table(frozenset(columns) - {""}, tuple(_rows(reader, columns, needed, name)))
    except csv.Error as error:
        raise UnusableTable(f"{name} is no CSV: {error}") from error


def _plain(word: str) -> str:
    return word.strip().casefold()


def _delimiter(text: str) -> str:
    """The sign that divides the first line that holds anything, a comma where none does."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=first.count)


def _columns(
    head: Sequence[str], names: Mapping[str, str], needed: Collection[str], known: Columns, name: str
) -> list[str]:
    """The program's name of each column, empty for one without a name; of two for one thing the first known counts."""
    may = ", ".join(known)
    found: dict[str, tuple[int, int]] = {}
    strangers: list[str] = []
    for place, word in enumerate(map(_plain, head)):
        if not word:
            continue
        column = names.get(word)
        if column is None:
            strangers.append(repr(head[place].strip()))
            continue
        rank = [column, *known[column]].index(next(one for one in (column, *known[column]) if _plain(one) == word))
        if column in found and found[column][0] == rank:
            raise UnusableTable(f"{name} has the column {head[place].strip()!r} twice")
        found[column] = min(found.get(column, (rank, place)), (rank, place))
    missing = [column for column in needed if column not in found]
    if missing:
        raise UnusableTable(f"{name} needs the column{'s' * (len(missing) > 1)} {', '.join(missing)}; known are {may}")
    if strangers:
        raise UnusableTable(f"{name} has a column {', '.join(strangers)}, which is not known; known are {may}")
    columns = [""] * len(head)
    for column, (_, place) in found.items():
        columns[place] = column
    return columns


def _rows(
    reader: Any,  # noqa: ANN401 - csv's reader, whose type has no name
    columns: Sequence[str],
    needed: Collection[str],
    name: str,
) -> list[Row]:
    found = []
    for cells in reader:
        trimmed = [cell.strip() for cell in cells]
        if not any(trimmed):
            continue
        if any(trimmed[len(columns) :]):
            raise UnusableTable(f"{name}, line {reader.line_num}: more cells than columns")
        row = {column: cell for column, cell in zip(columns, trimmed, strict=False) if column}
        empty = [column for column in needed if not row.get(column)]
        if empty:
            raise UnusableTable(f"{name}, line {reader.line_num}: {', '.join(empty)} is empty")
        found.append(Row(reader.line_num, row))
    return found
