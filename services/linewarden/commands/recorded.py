"""The only place that builds clients of replay and audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from pathlib import Path

    from linewarden_runtime.ports import Broker
    from linewarden_schemas.ids import Namespace


def live() -> tuple[Broker, Namespace]:
    """The broker and the live namespace that the environment names; raises ConfigurationError."""
    from linewarden.commands.context import connect  # noqa: PLC0415
    from linewarden_runtime.logs import to_stderr  # noqa: PLC0415

    to_stderr()
    here = connect()
    return here.broker, here.namespace


def recorded(folder: Path | None) -> tuple[Broker, Namespace]:
    """As `live`; with the folder of an archive, its namespace as it was archived, and writers to the broker behind it.

    Raises ArchiveDamaged, ConfigurationError.
    """
    broker, namespace = live()
    if folder is None:
        return broker, namespace
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - slow to import, and only needed here
    from linewarden_archive.broker import ArchiveBroker  # noqa: PLC0415

    archive = Archive(folder)
    return ArchiveBroker(archive, broker), archive.namespace
