"""The Lua scripts: a clock, the common layout, and one file per operation."""

from __future__ import annotations

import re
from importlib.resources import files

import redis

from .errors import Damaged, Foreign, LeaseLost, NotLive, QueueError, RolledBack

OPERATIONS = (
    "apply", "beat", "check", "claim", "dump", "events", "offsets", "park", "reap", "release", "renew", "skip",
    "summary", "told", "wipe",
)  # fmt: skip
_REFUSALS: dict[str, type[QueueError]] = {
    "LEASE_LOST": LeaseLost,
    "NOT_LIVE": NotLive,
    "FOREIGN": Foreign,
    "ROLLED_BACK": RolledBack,
    "DAMAGED": Damaged,
}
# What the server refuses for a reason of its own begins with a word of its own, or is about rights.
_OTHERS = re.compile(r"[A-Z]{4,}\b|.*user executing the script")


def source(name: str) -> str:
    """The text of a file of scripts."""
    return files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8")


def refusal(error: redis.ResponseError) -> Exception:
    """The queue's own error that a script answered with, or the error itself."""
    text = str(error)
    return next((kind(text) for word, kind in _REFUSALS.items() if word in text), error)


def is_damage(error: redis.ResponseError) -> bool:
    """Whether a script failed over what it found, and not for what the server can or will not do now."""
    text = str(error)
    if text.startswith("WRONGTYPE"):
        return True
    return type(error) is redis.ResponseError and "user_script" in text and not _OTHERS.match(text)


def load(client: redis.Redis, clock: str | None = None) -> dict[str, redis.commands.core.Script]:
    """Every operation, ready to be called; `clock` is Lua that takes the place of the server's time in tests."""
    head = (clock or source("time_server")) + source("layout")
    return {name: client.register_script(head + source(name)) for name in OPERATIONS}
