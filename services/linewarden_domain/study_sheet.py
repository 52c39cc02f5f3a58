"""The sheet of one person and round in a study of the measurement system: pictures under tokens, and their answers.

`<operator>/round<N>/sheet.csv`, UTF-8, one presentation a row in the order to be judged; the pictures lie beside it.
An empty answer is one that was not given yet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from linewarden_schemas.vocabulary import Judgement

FILE = "sheet.csv"
COLUMNS = ("token", "picture", "answer")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One presentation. `picture` is a file's name beside the sheet; `answer` None: not judged yet."""

    token: str
    picture: str
    answer: Judgement | None = None


def folder_of(operator: str, round_: int) -> PurePath:
    """Where the sheet of a person and round lies in the folder of a study."""
    return PurePath(operator) / f"round{round_}"


def answer_of(word: str) -> Judgement | None:
    """The answer that a word stands for, None for an empty one. Raises ValueError for any other word."""
    told = word.strip().upper()
    return Judgement(told) if told else None


def as_text(rows: Iterable[SheetRow]) -> str:
    """The sheet as it is written."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows((row.token, row.picture, row.answer or "") for row in rows)
    return text.getvalue()


def parse(text: str) -> tuple[SheetRow, ...]:
    r"""The rows of a sheet, whole or not at all.

    >>> parse("token,picture,answer\n7f,7f.png,NG\n91,91.png,\n")[0].answer.value
    'NG'

    Raises:
        ValueError: for other columns, a row of another length, a token that is empty or comes twice, an unknown
            answer, or a picture that is no plain name of a file.
    """
    try:
        head, *lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        if tuple(head) != COLUMNS:
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        rows = tuple(SheetRow(token, picture, answer_of(word)) for token, picture, word in filter(any, lines))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if not all(row.token for row in rows) or len({row.token for row in rows}) != len(rows):
        raise ValueError("a token is empty or comes twice")
    for row in rows:
        if row.picture in {"", ".", ".."} or any(sign in row.picture for sign in "/\\\0"):
            raise ValueError(f"{row.picture!r} is no name of a picture")
    return rows
