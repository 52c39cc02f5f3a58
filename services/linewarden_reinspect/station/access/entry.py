"""Ways in: a password, a one-time link, an identity that a provider or a proxy vouches for, and the first set-up."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from linewarden_reinspect import metrics
from linewarden_reinspect.station.access.accounts import Accounts, clean_name
from linewarden_reinspect.station.access.audit import AuditLog
from linewarden_reinspect.station.access.links import LinkKind, Links
from linewarden_reinspect.station.access.sessions import Sessions
from linewarden_reinspect.station.errors import AccountRefused, BadInput, Forbidden, StationError, TooMany
from linewarden_reinspect.station.sessions import Session
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock
from linewarden_schemas.vocabulary import Role


class Throttle:
    """Whoever fails to sign in too often waits.

    So many failures a minute are borne for one address, and as many for one name from whatever addresses.
    """

    def __init__(self, clock: Clock, failures_per_minute: int = 10) -> None:
        self._clock, self._most = clock, failures_per_minute
        self._failures: Bounded[str, deque[float]] = Bounded(10_000)
        self._lock = threading.Lock()

    def check(self, *keys: str) -> None:
        """Let through, or raise TooMany."""
        with self._lock:
            if any(len(self._recent(key)) >= self._most for key in keys):
                metrics.SIGN_INS.labels("limited").inc()
                raise TooMany("problem.too_many")

    def failed(self, *keys: str) -> None:
        """Count a failure; of more keys than memory should hold, the oldest are forgotten."""
        with self._lock:
            for key in keys:
                self._failures.setdefault(key, deque()).append(self._clock.monotonic())
                self._failures.move_to_end(key)

    def _recent(self, key: str) -> deque[float]:
        times = self._failures.get(key, deque())
        while times and self._clock.monotonic() - times[0] > 60.0:
            times.popleft()
        return times


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Every way in is throttled, counted and written to the log of acts, whatever becomes of it."""

    accounts: Accounts
    links: Links
    sessions: Sessions
    throttle: Throttle
    log: AuditLog

    def by_password(self, name: str, password: str, address: str) -> Session:
        """A session of a local user. Raises Forbidden without saying what was wrong, TooMany."""
        keys = (f"address {address}", f"name {name.casefold()}")
        self._let_try(name, address, keys)
        account = self.accounts.check(" ".join(name.split()), password)
        if account is None:
            raise self._failed(Forbidden("problem.wrong"), name, address, keys)
        return self._in(account.name, account.role, "password", address)

    def by_link(self, link: str, name: str, role: Role | None, address: str) -> Session:
        """A session for a name of the person's choice, no local user's. Raises Forbidden, BadInput, TooMany."""
        keys = (f"address {address}",)
        self._let_try(name, address, keys)
        try:
            actor = self._guest(name)
            given = self.links.spend(link, LinkKind.SIGN_IN, role)
        except StationError as error:
            raise self._failed(error, name, address, keys) from error
        return self._in(actor, given, "link", address)

    def by_identity(self, name: str, role: Role, how: str, address: str) -> Session:
        """A session for somebody whom a provider or a proxy vouches for. Raises Forbidden for a local user's name."""
        try:
            actor = self._guest(name)
        except StationError as error:
            raise self._failed(error, name, address, (f"address {address}",)) from error
        return self._in(actor, role, how, address)

    def set_up(self, link: str, name: str, password: str, address: str) -> Session:
        """The first administrator, signed in. Raises Forbidden for a link that is not good, BadInput."""
        keys = (f"address {address}",)
        self._let_try(name, address, keys)
        try:
            self.links.require(link, LinkKind.SET_UP)
            account = self.accounts.add(name, Role.ADMIN, password)
            self.links.spend(link, LinkKind.SET_UP)
        except AccountRefused as error:
            raise BadInput(error.key, **error.values) from error
        except StationError as error:
            raise self._failed(error, name, address, keys) from error
        self.links.withdraw(LinkKind.SET_UP)
        self.log.write("", account.role.value, "set-up", object="the first administrator", address=address)
        return self._in(account.name, account.role, "password", address)

    def _guest(self, name: str) -> str:
        try:
            actor = clean_name(name)
        except AccountRefused as error:
            raise BadInput(error.key, **error.values) from error
        if self.accounts.find(actor) is not None:
            raise Forbidden("problem.has_password", name=actor)
        return actor

    def _let_try(self, name: str, address: str, keys: tuple[str, ...]) -> None:
        try:
            self.throttle.check(*keys)
        except StationError as error:
            self.log.write(name, "", "sign-in", outcome=error.word, address=address)
            raise

    def _failed(self, error: StationError, name: str, address: str, keys: tuple[str, ...]) -> StationError:
        self.throttle.failed(*keys)
        metrics.SIGN_INS.labels("refused").inc()
        self.log.write(name, "", "sign-in", outcome=error.word, detail=str(error), address=address)
        return error

    def _in(self, actor: str, role: Role, how: str, address: str) -> Session:
        session = self.sessions.open(actor, role, how)
        metrics.SIGN_INS.labels("done").inc()
        self.log.write(actor, role.value, "sign-in", detail=how, address=address)
        return session
