"""Who stands behind the names in the topics: the one place that tells, and from which a person can be erased.

What people decide lies in chained records that can never change. So records carry a pseudonym, and the book alone knows
whose it is. Guests of a link choose a name for themselves and have none.
"""

from __future__ import annotations

import secrets

from linewarden_reinspect.station.access.book import StationBook


class Pseudonyms:
    """Pairs of name and pseudonym; names ignore case."""

    def __init__(self, book: StationBook) -> None:
        self._book = book

    def make(self, name: str) -> None:
        """Give somebody a pseudonym, where they have none yet."""
        self._book.write("INSERT OR IGNORE INTO pseudonyms VALUES (?, ?)", name, f"u-{secrets.token_hex(8)}")

    def known(self, name: str) -> str:
        """The pseudonym of somebody who has one; else the name."""
        row = self._book.row("SELECT pseudonym FROM pseudonyms WHERE name = ?", name)
        return name if row is None else str(row["pseudonym"])

    def name(self, pseudonym: str) -> str:
        """Whose pseudonym it is; the word itself where nobody's is, or it was erased."""
        row = self._book.row("SELECT name FROM pseudonyms WHERE pseudonym = ?", pseudonym)
        return pseudonym if row is None else str(row["name"])
