"""What the archive knows of visits, in a temporary SQLite file: memory does not grow with the archive."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from linewarden_runtime.records import InRecord
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.vocabulary import Routing

from .archive import Archive
from .rules import Facts

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE said (visit TEXT, revision INTEGER, product TEXT, recipe TEXT, routing TEXT, final INTEGER,
  at_ms INTEGER, PRIMARY KEY (visit, revision)) WITHOUT ROWID;
CREATE TABLE lots (visit TEXT, lot TEXT, PRIMARY KEY (visit, lot)) WITHOUT ROWID;
"""
_SAY = "INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?, ?, ?, ?)"
_SAID = "SELECT product, recipe, routing, final, at_ms FROM said WHERE visit = ? ORDER BY revision"


class Visits:
    """Dispositions of all visits, and the lots that any record names for them."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def learn(self, record: InRecord) -> None:
        """Take in a capture or a disposition; what is none of ours tells nothing, so that its visit stays unknown."""
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError:
            return
        if not isinstance(message, Capture | Disposition):
            return
        if message.lot_id is not None:
            self._file.execute("INSERT OR IGNORE INTO lots VALUES (?, ?)", (message.visit_id, message.lot_id))
        if isinstance(message, Disposition):
            told = (message.product_id, message.recipe.recipe_id, message.routing.value, message.final)
            self._file.execute(_SAY, (message.visit_id, message.revision, *told, message.decided_ms))

    def of(self, visit_id: str) -> Facts | None:
        """What is known of a visit; None where its routing is not in the archive."""
        said = self._file.execute(_SAID, (visit_id,)).fetchall()
        if not said:
            return None
        lots = self._file.execute("SELECT lot FROM lots WHERE visit = ?", (visit_id,))
        product, recipe, routing, _, _ = said[0]
        _, _, _, is_final, at_ms = said[-1]
        return Facts(product, recipe, Routing(routing), bool(is_final), at_ms, tuple(lot for (lot,) in lots))


@contextmanager
def known_visits(archive: Archive) -> Iterator[Visits]:
    """Read what is archived of `captures` and `dispositions`; raises ArchiveDamaged."""
    with (
        tempfile.TemporaryDirectory(prefix="linewarden-retention-") as folder,
        closing(sqlite3.connect(Path(folder) / "visits.sqlite")) as file,
    ):
        file.executescript(_TABLES)
        visits = Visits(file)
        for name in ("captures", "dispositions"):
            for record in archive.records(name):
                visits.learn(record)
        yield visits
