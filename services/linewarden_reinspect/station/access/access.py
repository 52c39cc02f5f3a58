"""Everything of access that the station's routes work with, put together in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from linewarden_runtime.clock import Clock

from .accounts import Accounts
from .audit import AuditLog
from .book import Book
from .entry import Entry
from .guard import Guard
from .links import Links
from .oidc import Provider
from .passwords import Hasher, Passwords
from .proxy import TrustedProxy
from .pseudonyms import Pseudonyms
from .sessions import SessionRules, Sessions
from .throttle import Throttle


@dataclass(frozen=True, slots=True)
class AccessRules:
    """How people get in. `folder` None keeps the book in memory alone; `provider` and `proxy` None are off."""

    folder: Path | None = None
    sessions: SessionRules = field(default_factory=SessionRules)
    secure_cookie: bool = False
    provider: Provider | None = None
    proxy: TrustedProxy | None = None
    results_by_operator: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """The book and those who write in it."""

    rules: AccessRules
    book: Book
    accounts: Accounts
    pseudonyms: Pseudonyms
    links: Links
    sessions: Sessions
    log: AuditLog
    entry: Entry
    guard: Guard

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; the browser holds a `__Host-` one to TLS, path and host."""
        return cookie_name(self.rules)


def cookie_name(rules: AccessRules) -> str:
    """Name of the session's cookie."""
    return "__Host-linewarden" if rules.secure_cookie else "linewarden"


@contextmanager
def opened_access(rules: AccessRules, clock: Clock, hasher: Hasher | None = None) -> Iterator[Access]:
    """Access over a book that is closed with the block. Raises ConfigurationError where the book cannot be opened."""
    book = Book(rules.folder)
    try:
        accounts, pseudonyms = Accounts(book, Passwords(hasher), clock), Pseudonyms(book)
        links, log = Links(book, clock), AuditLog(book, clock, pseudonyms)
        sessions = Sessions(book, clock, pseudonyms, rules.sessions)
        entry = Entry(accounts, links, sessions, Throttle(clock), log)
        guard = Guard(sessions, log, cookie_name(rules), rules.proxy)
        yield Access(rules, book, accounts, pseudonyms, links, sessions, log, entry, guard)
    finally:
        book.close()
