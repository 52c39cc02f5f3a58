"""The Lua scripts: a clock, the common layout, and one file per operation."""

from __future__ import annotations

from importlib.resources import files

import redis

from .errors import Foreign, LeaseLost, NotLive, QueueError, RolledBack

OPERATIONS = (
    "apply", "beat", "claim", "dump", "events", "offsets", "park", "reap", "release", "renew", "skip", "summary",
    "told", "wipe",
)  # fmt: skip
_REFUSALS: dict[str, type[QueueError]] = {
    "LEASE_LOST": LeaseLost,
    "NOT_LIVE": NotLive,
    "FOREIGN": Foreign,
    "ROLLED_BACK": RolledBack,
}


def source(name: str) -> str:
    """The text of a file of scripts."""
    return files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8")


def refusal(error: redis.ResponseError) -> Exception:
    """The queue's own error that a script answered with, or the error itself."""
    text = str(error)
    return next((kind(text) for word, kind in _REFUSALS.items() if word in text), error)


def load(client: redis.Redis, clock: str | None = None) -> dict[str, redis.commands.core.Script]:
    """Every operation, ready to be called; `clock` is Lua that takes the place of the server's time in tests."""
    head = (clock or source("time_server")) + source("layout")
    return {name: client.register_script(head + source(name)) for name in OPERATIONS}
