"""The log of acts: who, when, what, on what, with which outcome. It only grows; the book refuses everything else."""

from __future__ import annotations

from dataclasses import dataclass

from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.access.pseudonyms import Pseudonyms
from linewarden_runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act; `at_ms` is epoch ms, `outcome` is `done`, or a short word for why not."""

    at_ms: int
    actor: str
    role: str
    act: str
    object: str = ""
    outcome: str = "done"
    detail: str = ""
    address: str = ""
    id: int = 0


class AuditLog:
    """Acts, on disk before the answer leaves. Actors are kept by their pseudonyms and told by their names."""

    def __init__(self, book: StationBook, clock: Clock, pseudonyms: Pseudonyms) -> None:
        self._book, self._clock, self._pseudonyms = book, clock, pseudonyms

    def write(
        self,
        actor: str,
        role: str,
        act: str,
        *,
        object: str = "",  # noqa: A002 - the word of the trade: who, what, on what
        outcome: str = "done",
        detail: str = "",
        address: str = "",
    ) -> None:
        """Add one act at the clock's time; it is in the file when this returns."""
        self._book.write(
            "INSERT INTO audit (at_ms, actor, role, act, object, outcome, detail, address) VALUES (?,?,?,?,?,?,?,?)",
            self._clock.now_ms(),
            *(text[:400] for text in (self._pseudonyms.known(actor), role, act, object, outcome, detail, address)),
        )

    def page(self, *, before_id: int | None = None, actor: str = "", limit: int = 50) -> list[AuditEntry]:
        """The newest acts, those before an id where one is given; of one actor where one is named."""
        rows = self._book.rows(
            "SELECT * FROM audit WHERE id < ? AND (? = '' OR actor = ?) ORDER BY id DESC LIMIT ?",
            before_id if before_id is not None else 1 << 60,
            self._pseudonyms.known(actor),
            self._pseudonyms.known(actor),
            limit,
        )
        return [AuditEntry(**dict(row) | {"actor": self._pseudonyms.name(row["actor"])}) for row in rows]
