"""Who is signed in. The sign-in outlives a restart of the station; what was in somebody's hands ends with its lease."""

from __future__ import annotations

import secrets
import threading

from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.access.pseudonyms import Pseudonyms
from linewarden_reinspect.station.errors import NotSignedIn
from linewarden_reinspect.station.sessions import Session
from linewarden_runtime.clock import Clock
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import Role


class Sessions:
    """The book holds digests of session ids; the cookie alone signs in, and the book alone does not."""

    def __init__(
        self, book: StationBook, clock: Clock, pseudonyms: Pseudonyms, idle_s: float, longest_s: float
    ) -> None:
        self._book, self._clock, self._pseudonyms = book, clock, pseudonyms
        self._idle_ms, self._longest_ms = idle_s * 1000, longest_s * 1000
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self, actor: str, role: Role, how: str) -> Session:
        """A new session; `how` names the way in."""
        self._sweep()
        if how != "link":
            self._pseudonyms.make(actor)
        session = self._session(secrets.token_urlsafe(32), actor, role, how)
        key, now = digest(session.session_id.encode()), self._clock.now_ms()
        with self._lock:
            self._sessions[key] = session
        self._book.write("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", key, actor, role.value, how, now, now)
        return session

    def find(self, session_id: str | None, *, awake: bool = True) -> Session:
        """The session of a cookie; `awake` says that the person did something, which holds off the idle end.

        Raises:
            NotSignedIn: where there is none, it is over, or the account was changed meanwhile.
        """
        if not session_id:
            raise NotSignedIn("problem.sign_in")
        key, now = digest(session_id.encode()), self._clock.now_ms()
        row = self._book.row("SELECT * FROM sessions WHERE digest = ?", key)
        if row is None:
            self._forget(key)
            raise NotSignedIn("problem.sign_in")
        if now - row["seen_ms"] > self._idle_ms or now - row["began_ms"] > self._longest_ms:
            self._remove(key)
            raise NotSignedIn("problem.away_too_long")
        if awake and now - row["seen_ms"] >= 10_000:
            self._book.write("UPDATE sessions SET seen_ms = ? WHERE digest = ?", now, key)
        with self._lock:
            known = self._sessions.get(key)
            if known is None:
                known = self._sessions[key] = self._session(session_id, row["actor"], Role(row["role"]), row["how"])
            return known

    def end(self, session: Session) -> None:
        """Sign out: the session's id opens nothing any more; one that ended already is no error."""
        self._remove(digest(session.session_id.encode()))

    def _session(self, session_id: str, actor: str, role: Role, how: str) -> Session:
        signs = actor if how == "link" else self._pseudonyms.known(actor)
        return Session(session_id, digest(f"csrf {session_id}".encode()), actor, role, how, signs)

    def _remove(self, key: str) -> None:
        self._book.write("DELETE FROM sessions WHERE digest = ?", key)
        self._forget(key)

    def _forget(self, key: str) -> None:
        with self._lock:
            self._sessions.pop(key, None)

    def _sweep(self) -> None:
        """Forget what nobody asked for again."""
        now = self._clock.now_ms()
        ended = "DELETE FROM sessions WHERE seen_ms < ? OR began_ms < ?"
        self._book.write(ended, now - self._idle_ms, now - self._longest_ms)
        known = {row["digest"] for row in self._book.rows("SELECT digest FROM sessions")}
        with self._lock:
            self._sessions = {key: session for key, session in self._sessions.items() if key in known}
