"""One-time links. Of a link's secret only the digest is kept; in an address it stands behind `#`, out of every log."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum

from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.errors import Forbidden
from linewarden_runtime.clock import Clock
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import Role

_GOOD = "digest = ? AND kind = ? AND uses_left > 0 AND until_ms > ?"


class LinkKind(StrEnum):
    """What a link is good for."""

    SIGN_IN = "sign-in"
    """To sign in with a name alone, in one of the link's roles."""

    SET_UP = "set-up"
    """To make the first administrator."""


class Links:
    """Links that the book knows; each may be used so often, and no longer than until then."""

    def __init__(self, book: StationBook, clock: Clock) -> None:
        self._book, self._clock = book, clock

    def make(self, kind: LinkKind, roles: Sequence[Role], lasts_ms: int = 86_400_000) -> str:
        """A new link's secret, good for one use."""
        token = secrets.token_urlsafe(24)
        self.accept(token, kind, roles, lasts_ms=lasts_ms)
        return token

    def accept(
        self, token: str, kind: LinkKind, roles: Sequence[Role], *, uses: int = 1, lasts_ms: int = 86_400_000
    ) -> None:
        """Take a secret that somebody else made; one that is known already stays as used as it is."""
        row = (digest(token.encode()), kind.value, " ".join(roles), uses, self._clock.now_ms() + lasts_ms)
        self._book.write("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?, ?)", *row)

    def spend(self, token: str, kind: LinkKind, wanted: Role | None = None) -> Role:
        """Use a link: the role that it gives, the first of its roles unless another of them is wanted.

        Raises:
            Forbidden: where it is unknown, used, too old, or not for that role; it is not used up then.
        """
        key, now = digest(token.encode()), self._clock.now_ms()
        with self._book.change() as book:
            row = book.execute(f"SELECT roles FROM links WHERE {_GOOD}", (key, kind.value, now)).fetchone()  # noqa: S608
            if row is None:
                raise _refused(kind)
            roles = [Role(word) for word in row["roles"].split()]
            if wanted is not None and wanted not in roles:
                raise Forbidden("problem.link_role", role=wanted.value)
            book.execute("UPDATE links SET uses_left = uses_left - 1 WHERE digest = ?", (key,))
            return wanted or roles[0]

    def require(self, token: str, kind: LinkKind) -> None:
        """Whether a link is good, without using it. Raises Forbidden."""
        key, now = digest(token.encode()), self._clock.now_ms()
        row = self._book.row(f"SELECT 1 FROM links WHERE {_GOOD}", key, kind.value, now)  # noqa: S608 - fixed words
        if row is None:
            raise _refused(kind)

    def withdraw(self, kind: LinkKind) -> None:
        """Make every link of a kind useless."""
        self._book.write("DELETE FROM links WHERE kind = ?", kind.value)


def _refused(kind: LinkKind) -> Forbidden:
    """With where a new one comes from."""
    return Forbidden("problem.link_spent" if kind is LinkKind.SIGN_IN else "problem.set_up_spent")
