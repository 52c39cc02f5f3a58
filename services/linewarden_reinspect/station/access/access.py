"""Everything of access that the station's routes work with, put together in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher

from linewarden_reinspect.station.access.accounts import Accounts
from linewarden_reinspect.station.access.audit import AuditLog
from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.access.entry import Authenticator, Throttle
from linewarden_reinspect.station.access.guard import Guard
from linewarden_reinspect.station.access.links import Links
from linewarden_reinspect.station.access.oidc import OpenIdProvider
from linewarden_reinspect.station.access.proxy import TrustedProxy
from linewarden_reinspect.station.access.pseudonyms import Pseudonyms
from linewarden_reinspect.station.access.sessions import Sessions
from linewarden_runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class AccessRules:
    """How people get in. `folder` None keeps the book in memory alone; `provider` and `proxy` None are off.

    A sign-in lasts `idle_s` without an act of the person, and `longest_s` at most.
    """

    folder: Path | None = None
    idle_s: float = 900.0
    longest_s: float = 9 * 3600.0
    secure_cookie: bool = False
    provider: OpenIdProvider | None = None
    proxy: TrustedProxy | None = None
    results_by_operator: bool = False

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; the browser holds a `__Host-` one to TLS, path and host."""
        return "__Host-linewarden" if self.secure_cookie else "linewarden"


@dataclass(frozen=True, slots=True)
class Access:
    """The book and those who write in it."""

    rules: AccessRules
    book: StationBook
    accounts: Accounts
    pseudonyms: Pseudonyms
    links: Links
    sessions: Sessions
    log: AuditLog
    entry: Authenticator
    guard: Guard


@contextmanager
def opened_access(rules: AccessRules, clock: Clock, hasher: PasswordHasher | None = None) -> Iterator[Access]:
    """Access over a book that is closed with the block. Raises ConfigurationError where the book cannot be opened."""
    book = StationBook(rules.folder)
    try:
        accounts, pseudonyms = Accounts(book, clock, hasher), Pseudonyms(book)
        links, log = Links(book, clock), AuditLog(book, clock, pseudonyms)
        sessions = Sessions(book, clock, pseudonyms, rules.idle_s, rules.longest_s)
        entry = Authenticator(accounts, links, sessions, Throttle(clock), log)
        guard = Guard(sessions, log, rules.cookie, rules.proxy)
        yield Access(rules, book, accounts, pseudonyms, links, sessions, log, entry, guard)
    finally:
        book.close()
