"""Studies of the measurement system: what a person judges next, and their answers on the sheet. No web.

`<studies>/<study>/<operator>/round<N>/sheet.csv`, as `linewarden msa plan --sheets` writes it. Sheets are found by
listing folders and comparing names; nothing that a person sends becomes part of a path.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from linewarden_domain.study_sheet import FILE, SheetRow, as_text, parse
from linewarden_reinspect.station.errors import NotNext, SheetUnusable
from linewarden_runtime.files import replace_file
from linewarden_schemas.vocabulary import Judgement

_log = structlog.get_logger(__name__)
_ROUND = re.compile(r"round([0-9]{1,4})")
KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".bmp": "image/bmp"}
"""Pictures that a browser shows, by suffix."""


@dataclass(frozen=True, slots=True)
class StudyPlace:
    """One presentation, as a page names it."""

    study: str
    round: int
    token: str


@dataclass(frozen=True, slots=True)
class Coming:
    """The presentation that comes next: the `done`-th (from 0) of `of` in this of `rounds` rounds."""

    place: StudyPlace
    done: int
    of: int
    rounds: int
    picture: Path


@dataclass(frozen=True, slots=True)
class _RoundSheet:
    study: str
    round: int
    rounds: int
    path: Path
    rows: tuple[SheetRow, ...]


class Studies:
    """The sheets in a folder of studies; without a folder there are none. One station alone writes in it.

    `names` are what a person may stand as on a sheet: the name they signed in with, and their pseudonym.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._lock = threading.Lock()

    @property
    def are_open(self) -> bool:
        """Whether this station has a folder of studies."""
        return self._root is not None

    def progress(self, names: Collection[str]) -> tuple[int, Coming | None]:
        """How many sheets a person has, and what comes next of them; None where nothing is left.

        Raises:
            SheetUnusable: where one of the person's sheets cannot be read.
        """
        sheets = list(self._sheets(names))
        return len(sheets), next((one for one in map(_coming, sheets) if one is not None), None)

    def answer(self, names: Collection[str], place: StudyPlace, answer: Judgement) -> Judgement:
        """Write an answer down, and what stands: the first answer to a place, whatever is sent later.

        Raises:
            NotNext: where the place is on none of the person's sheets, or not the one that comes next.
            SheetUnusable: where a sheet cannot be read or written; it is then as it was.
        """
        with self._lock:
            sheets = list(self._sheets(names))
            for sheet in sheets:
                for row in sheet.rows:
                    if row.answer is not None and StudyPlace(sheet.study, sheet.round, row.token) == place:
                        return row.answer
            due = next(((sheet, coming) for sheet in sheets if (coming := _coming(sheet)) is not None), None)
            if due is None or due[1].place != place:
                raise NotNext("problem.not_next")
            sheet = due[0]
            rows = [replace(row, answer=answer) if row.token == place.token else row for row in sheet.rows]
            try:
                replace_file(sheet.path, as_text(rows).encode())  # on disk before it takes the old one's place
            except OSError as error:
                raise _unusable(sheet.path, str(error.strerror)) from error
        return answer

    def picture(self, names: Collection[str], place: StudyPlace) -> tuple[bytes, str]:
        """The picture that comes next and its content type.

        Raises:
            NotNext: for any other.
            SheetUnusable: where it cannot be read, lies elsewhere, or is of a kind that a browser does not show.
        """
        _, coming = self.progress(names)
        if coming is None or coming.place != place:
            raise NotNext("problem.not_next")
        path = coming.picture.resolve()
        kind = KINDS.get(path.suffix.lower())
        if kind is None or path.parent != coming.picture.parent.resolve():
            raise _unusable(coming.picture, "no picture that can be shown")
        try:
            return path.read_bytes(), kind
        except OSError as error:
            raise _unusable(path, str(error.strerror)) from error

    def _sheets(self, names: Collection[str]) -> Iterator[_RoundSheet]:
        """A person's sheets, study after study and round after round."""
        for study in _folders(self._root):
            for operator in _folders(study):
                if operator.name not in names:
                    continue
                found = ((_ROUND.fullmatch(folder.name), folder) for folder in _folders(operator))
                rounds = sorted((int(named[1]), folder) for named, folder in found if named)
                for number, folder in rounds:
                    yield _RoundSheet(study.name, number, len(rounds), folder / FILE, _read(folder / FILE))


def _folders(root: Path | None) -> list[Path]:
    try:
        return [] if root is None else sorted(path for path in root.iterdir() if path.is_dir())
    except OSError as error:
        raise _unusable(root or Path(), str(error.strerror)) from error


def _coming(sheet: _RoundSheet) -> Coming | None:
    row = next((row for row in sheet.rows if row.answer is None), None)
    if row is None:
        return None
    done = sum(row.answer is not None for row in sheet.rows)
    place = StudyPlace(sheet.study, sheet.round, row.token)
    return Coming(place, done, len(sheet.rows), sheet.rounds, sheet.path.with_name(row.picture))


def _read(path: Path) -> tuple[SheetRow, ...]:
    try:
        return parse(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    except ValueError as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, why: str) -> SheetUnusable:
    _log.error("study sheet unusable", path=str(path), why=why)
    return SheetUnusable("problem.sheet_unusable")
