"""Progress on standard error, so that what a command prints stays clean."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID

OnProgress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""


def counting(on_progress: OnProgress, text: str, total: int) -> Callable[[int], None]:
    """Return what hears how many more are done, and tells of ``text`` how many of ``total`` are by now."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        on_progress(text, done, total)

    return count


@contextmanager
def bars() -> Iterator[OnProgress]:
    """Show one bar for each thing that is done; the caller tells what, how much of it, and of how much."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.progress import Progress  # noqa: PLC0415

    tasks: dict[str, TaskID] = {}
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:

        def show(text: str, done: int, total: int) -> None:
            if text not in tasks:
                tasks[text] = progress.add_task(text, total=total)
            progress.update(tasks[text], completed=done, total=total)

        yield show
