"""Passwords: what is kept of them, and which are refused. Argon2id with the parameters of RFC 9106 (low memory)."""

from __future__ import annotations

import threading
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from linewarden_reinspect.station.errors import AccountRefused

SHORTEST, LONGEST = 10, 256
_AT_ONCE = 2
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$+zVvyIrL/N1GJ5IvhbxzVA$pD4WqsPVOPoyCGOiUQa8ADtGoTFDSDXPwTSTBUBVpDU"


class Hasher(Protocol):
    """What is needed of argon2; tests bring one with cheaper parameters."""

    def hash(self, password: str) -> str:
        """What is kept of a password: a salted digest from which it cannot be had back."""
        ...

    def verify(self, password_hash: str, password: str) -> bool:
        """Whether it is the password; raises where it is not."""
        ...

    def check_needs_rehash(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than today's."""
        ...


class Passwords:
    """Hashes and checks, few at once: each takes 64 MiB, and a crowd at the door must not take the memory."""

    def __init__(self, hasher: Hasher | None = None) -> None:
        self._hasher: Hasher = hasher or PasswordHasher()
        self._turn = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, name: str, password: str) -> str:
        """What is kept of a new password. Raises AccountRefused, with the mend, for one that is too easy."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise AccountRefused("problem.password_length", shortest=SHORTEST, longest=LONGEST, count=len(password))
        if len(set(password)) < 5 or name.casefold() in password.casefold():
            raise AccountRefused("problem.password_easy")
        with self._turn:
            return self._hasher.hash(password)

    def fits(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; takes as long where there is none to compare with."""
        with self._turn:
            try:
                self._hasher.verify(password_hash or _NOBODY, password)
            except (VerificationError, InvalidHashError):
                return False
            return password_hash is not None

    def is_dated(self, password_hash: str) -> bool:
        """Whether it should be made again with today's parameters."""
        return self._hasher.check_needs_rehash(password_hash)
