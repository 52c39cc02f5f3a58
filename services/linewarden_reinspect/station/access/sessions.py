"""Who is signed in. The sign-in outlives a restart of the station; what was in somebody's hands ends with its lease."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from dataclasses import dataclass

from linewarden_reinspect.station.errors import NotSignedIn
from linewarden_reinspect.station.sessions import Session
from linewarden_runtime.clock import Clock
from linewarden_schemas.vocabulary import Role

from .book import Book
from .pseudonyms import Pseudonyms

_NOTE_EVERY_MS = 10_000


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long a sign-in lasts: without an act of the person, and at most."""

    idle_s: float = 900.0
    longest_s: float = 9 * 3600.0


class Sessions:
    """The book holds digests of session ids; the cookie alone signs in, and the book alone does not."""

    def __init__(self, book: Book, clock: Clock, pseudonyms: Pseudonyms, rules: SessionRules | None = None) -> None:
        self._book, self._clock, self._rules = book, clock, rules or SessionRules()
        self._pseudonyms = pseudonyms
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self, actor: str, role: Role, how: str) -> Session:
        """A new session; `how` names the way in."""
        self._sweep()
        if how != "link":
            self._pseudonyms.make(actor)
        session = self._session(secrets.token_urlsafe(32), actor, role, how)
        key, now = _digest(session.session_id), self._clock.now_ms()
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
        key, now = _digest(session_id), self._clock.now_ms()
        row = self._book.row("SELECT * FROM sessions WHERE digest = ?", key)
        if row is None:
            self._forget(key)
            raise NotSignedIn("problem.sign_in")
        if self._is_over(row, now):
            self._remove(key)
            raise NotSignedIn("problem.away_too_long")
        if awake and now - row["seen_ms"] >= _NOTE_EVERY_MS:
            self._book.write("UPDATE sessions SET seen_ms = ? WHERE digest = ?", now, key)
        with self._lock:
            known = self._sessions.get(key)
            if known is None:
                known = self._sessions[key] = self._session(session_id, row["actor"], Role(row["role"]), row["how"])
            return known

    def end(self, session: Session) -> None:
        """Sign out: the session's id opens nothing any more; one that ended already is no error."""
        self._remove(_digest(session.session_id))

    def _session(self, session_id: str, actor: str, role: Role, how: str) -> Session:
        signs = actor if how == "link" else self._pseudonyms.known(actor)
        return Session(session_id, _digest(f"csrf {session_id}"), actor, role, how, signs)

    def _is_over(self, row: sqlite3.Row, now: int) -> bool:
        idle, whole = now - row["seen_ms"], now - row["began_ms"]
        return bool(idle > self._rules.idle_s * 1000 or whole > self._rules.longest_s * 1000)

    def _remove(self, key: str) -> None:
        self._book.write("DELETE FROM sessions WHERE digest = ?", key)
        self._forget(key)

    def _forget(self, key: str) -> None:
        with self._lock:
            self._sessions.pop(key, None)

    def _sweep(self) -> None:
        """Forget what nobody asked for again."""
        now = self._clock.now_ms()
        idle, whole = now - self._rules.idle_s * 1000, now - self._rules.longest_s * 1000
        self._book.write("DELETE FROM sessions WHERE seen_ms < ? OR began_ms < ?", idle, whole)
        known = {row["digest"] for row in self._book.rows("SELECT digest FROM sessions")}
        with self._lock:
            self._sessions = {key: session for key, session in self._sessions.items() if key in known}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
