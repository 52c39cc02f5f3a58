"""Local people: a name, one role, skills, a password. Used by the station and by `linewarden users`."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.errors import AccountRefused
from linewarden_runtime.clock import Clock
from linewarden_schemas.base import ID_PATTERN
from linewarden_schemas.vocabulary import Role

MOST_SKILLS = 32
SHORTEST, LONGEST = 10, 256
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$+zVvyIrL/N1GJ5IvhbxzVA$pD4WqsPVOPoyCGOiUQa8ADtGoTFDSDXPwTSTBUBVpDU"


@dataclass(frozen=True, slots=True)
class Account:
    """One person as the book has them; times are epoch ms."""

    name: str
    role: Role
    disabled: bool
    made_ms: int
    changed_ms: int
    skills: tuple[str, ...] = ()


class Accounts:
    """Changes end the person's sessions at once, in this process and in the station's. Names ignore case."""

    def __init__(self, book: StationBook, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        # Argon2id with the parameters of RFC 9106 (low memory). Each hash takes 64 MiB, and a crowd at the door must
        # not take the memory.
        self._book, self._clock, self._hasher = book, clock, hasher or PasswordHasher()
        self._turn = threading.BoundedSemaphore(2)

    def all(self) -> list[Account]:
        """Every account, those that are disabled too, in the order of names."""
        return [_account(row) for row in self._book.rows("SELECT * FROM accounts ORDER BY name")]

    def find(self, name: str) -> Account | None:
        """Somebody; None where nobody is called so."""
        row = self._book.row("SELECT * FROM accounts WHERE name = ?", name)
        return None if row is None else _account(row)

    def require(self, name: str) -> Account:
        """Somebody. Raises AccountRefused, naming who is there, where nobody is called so."""
        account = self.find(name)
        if account is None:
            names = ", ".join(one.name for one in self.all())
            raise (
                AccountRefused("problem.no_user", name=name, names=names)
                if names
                else AccountRefused("problem.no_user_yet", name=name)
            )
        return account

    def has_admin(self) -> bool:
        """Whether somebody can administer the station."""
        return any(one.role is Role.ADMIN and not one.disabled for one in self.all())

    def add(self, name: str, role: Role, password: str) -> Account:
        """Somebody new. Raises AccountRefused for a name that is taken or none, and for a password."""
        name = clean_name(name)
        kept, now = self._hash(name, password), self._clock.now_ms()
        try:
            self._book.write("INSERT INTO accounts VALUES (?, ?, ?, 0, ?, ?, '')", name, role.value, kept, now, now)
        except sqlite3.IntegrityError as error:
            raise AccountRefused("problem.name_taken", name=name) from error
        return Account(name, role, disabled=False, made_ms=now, changed_ms=now)

    def disable(self, name: str) -> None:
        """Sign them out and let them in no more. Raises AccountRefused for nobody, and for the last administrator."""
        account = self.require(name)
        self._keep_one_admin(account)
        self._change(account, "disabled = 1")

    def enable(self, name: str) -> None:
        """Let them in again. Raises AccountRefused for nobody."""
        self._change(self.require(name), "disabled = 0")

    def set_role(self, name: str, role: Role) -> None:
        """Another role. Raises AccountRefused for nobody, and where no administrator would be left."""
        account = self.require(name)
        if role is not Role.ADMIN:
            self._keep_one_admin(account)
        self._change(account, "role = ?", role.value)

    def set_skills(self, name: str, skills: Iterable[str]) -> tuple[str, ...]:
        """What they have learnt, in place of what stood there; counts with the next visit and ends no session.

        A recipe's `needs` asks for one. Raises AccountRefused for nobody, and for a word that no recipe could ask for.
        """
        account = self.require(name)
        kept = tuple(sorted(set(skills)))
        wrong = [skill for skill in kept if not re.fullmatch(ID_PATTERN, skill)]
        if wrong or len(kept) > MOST_SKILLS:
            raise AccountRefused("problem.skills", skills=", ".join(wrong) or len(kept), most=MOST_SKILLS)
        self._book.write("UPDATE accounts SET skills = ? WHERE name = ?", " ".join(kept), account.name)
        return kept

    def set_password(self, name: str, password: str) -> None:
        """Another password. Raises AccountRefused for nobody, and for a password that is too easy."""
        account = self.require(name)
        self._change(account, "password_hash = ?", self._hash(account.name, password))

    def erase(self, name: str) -> str:
        """Forget somebody: account, sessions, and whose pseudonym theirs was; answers it, or nothing.

        What they decided stays as it is under the pseudonym. Raises AccountRefused for somebody who neither has an
        account nor ever signed in, and for the last administrator.
        """
        account = self.find(name)
        if account is not None:
            self._keep_one_admin(account)
        row = self._book.row("SELECT * FROM pseudonyms WHERE name = ?", name)
        if account is None and row is None:
            raise AccountRefused("problem.nobody_called", name=name)
        with self._book.change() as book:
            book.execute("DELETE FROM accounts WHERE name = ?", (name,))
            book.execute("DELETE FROM sessions WHERE actor = ? AND how != 'link'", (name,))
            book.execute("DELETE FROM pseudonyms WHERE name = ?", (name,))
        self._book.settle()
        return "" if row is None else str(row["pseudonym"])

    def check(self, name: str, password: str) -> Account | None:
        """Whose password this is; None for a wrong one, for nobody and for somebody disabled, all as slowly."""
        row = self._book.row("SELECT * FROM accounts WHERE name = ?", name)
        if not self._fits(None if row is None else row["password_hash"], password):
            return None
        if row is None or row["disabled"]:
            return None
        if self._hasher.check_needs_rehash(row["password_hash"]):
            kept = self._hash(row["name"], password)
            self._book.write("UPDATE accounts SET password_hash = ? WHERE name = ?", kept, row["name"])
        return _account(row)

    def _hash(self, name: str, password: str) -> str:
        """What is kept of a new password. Raises AccountRefused, with the mend, for one that is too easy."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise AccountRefused("problem.password_length", shortest=SHORTEST, longest=LONGEST, count=len(password))
        if len(set(password)) < 5 or name.casefold() in password.casefold():
            raise AccountRefused("problem.password_easy")
        with self._turn:
            return self._hasher.hash(password)

    def _fits(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; takes as long where there is none to compare with."""
        with self._turn:
            try:
                self._hasher.verify(password_hash or _NOBODY, password)
            except (VerificationError, InvalidHashError):
                return False
            return password_hash is not None

    def _keep_one_admin(self, account: Account) -> None:
        others = [one for one in self.all() if one.role is Role.ADMIN and not one.disabled and one.name != account.name]
        if account.role is Role.ADMIN and not account.disabled and not others:
            raise AccountRefused("problem.last_admin", name=account.name)

    def _change(self, account: Account, what: str, *values: str) -> None:
        with self._book.change() as book:
            sql = f"UPDATE accounts SET {what}, changed_ms = ? WHERE name = ?"  # noqa: S608 - fixed words above
            book.execute(sql, (*values, self._clock.now_ms(), account.name))
            book.execute("DELETE FROM sessions WHERE actor = ? AND how = 'password'", (account.name,))


def clean_name(name: str) -> str:
    """A name with single spaces. Raises AccountRefused for what is none."""
    tidy = " ".join(name.split())
    if not re.match(r"^[^\W_][\w .'@-]{0,63}$", tidy):
        raise AccountRefused("problem.no_name", name=name)
    return tidy


def _account(row: sqlite3.Row) -> Account:
    return Account(
        name=row["name"],
        role=Role(row["role"]),
        disabled=bool(row["disabled"]),
        made_ms=row["made_ms"],
        changed_ms=row["changed_ms"],
        skills=tuple(row["skills"].split()),
    )
