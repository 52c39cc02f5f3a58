"""What a person can mend, told in one line with an exit code; anything else is a bug and keeps its traceback."""

from __future__ import annotations

import sys
import traceback

USAGE, SETTINGS = 2, 78
"""Exit codes: asked for in a way that cannot be; settings, files or an installation have to be changed."""
_MENDABLE = (
    ("linewarden_runtime.errors", "RuntimeFault", 1),
    ("linewarden_vision.errors", "VisionError", SETTINGS),
    ("linewarden_vision.inspecting.refusal", "PictureRefused", SETTINGS),
    ("linewarden_schemas.ids", "InvalidId", USAGE),
    ("redis.exceptions", "RedisError", 1),
    ("kafka.errors", "KafkaError", 1),
    ("sqlite3", "DatabaseError", SETTINGS),
)
"""Roots of faults that no command is the cause of, with their code where they carry none. By name: a module that was
never imported has raised nothing, and importing it takes long.
"""
_SAID = {"redis.exceptions": "Redis: ", "kafka.errors": "the broker: ", "sqlite3": "a file of a database: "}


def told(error: BaseException) -> tuple[str, int] | None:
    """One line of what is wrong and the exit code; None for what nobody but us can mend."""
    for module, name, code in _MENDABLE:
        root = getattr(sys.modules.get(module), name, None)
        if root is not None and isinstance(error, root):
            return f"{_SAID.get(module, '')}{error or type(error).__name__}", getattr(error, "exit_code", code)
    if isinstance(error, ModuleNotFoundError):
        extra = extra_of(error)
        name = str(error.name).partition(".")[0]
        return None if extra is None else (f"{name} is missing: pip install 'linewarden[{extra}]'", SETTINGS)
    if isinstance(error, OSError):  # a full or read-only disk, a file or folder that is not there or not ours
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}", 1
    refused = getattr(sys.modules.get("pydantic"), "ValidationError", None)
    if refused is not None and isinstance(error, refused):
        from linewarden_schemas.violations import violations  # noqa: PLC0415 - pydantic is here already, no earlier

        return f"{error.title} does not fit: {violations(error)}", USAGE
    return None


_EXTRAS = {
    "linewarden_vision.export": "export",
    "linewarden_vision": "inspect",
    "linewarden_ingest": "ingest",
    "linewarden_inspect": "inspect",
    "linewarden_onward": "onward",
    "linewarden_reinspect": "reinspect",
    "linewarden_archive": "archive",
    "linewarden_audit": "audit",
    "linewarden_history": "history",
    "linewarden_replay": "replay",
    "linewarden_train": "train",
    "linewarden_runtime.embedded": "embedded",
    "linewarden.demo": "demo",
    "linewarden.commands.traces": "traces",
    "linewarden": "all",
}
"""Which extra of the package brings what a part of it imports; the first that fits counts."""


def extra_of(missing: ModuleNotFoundError) -> str | None:
    """The extra that the part of ours needs which asked for the module; None where nobody else's is missing."""
    if missing.name is None or missing.name.partition(".")[0].startswith("linewarden"):
        return None
    asking = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(missing.__traceback__)]
    ours = [name for name in asking if name.partition(".")[0].startswith("linewarden")]
    inner = ours[-1] if ours else ""
    return next((extra for part, extra in _EXTRAS.items() if f"{inner}.".startswith(f"{part}.")), None)
