"""A watched folder whose process dies at every step in turn: `python -m tests.support.mortal_watch FOLDER`.

Each life is a fork, and a death is `_exit` between two calls that change something on the disk: what the next life
finds is what a SIGKILL there leaves. Says how many steps there were; exits 1 where a picture was not taken once.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from linewarden_ingest.cameras.journal import TakenJournal
from linewarden_ingest.cameras.watch import WatchOptions
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_runtime.clock import SystemClock
from tests.support.picture_files import encoded, textured
from tests.support.spooled_camera import SpooledCamera
from tests.unit.ingest.lines import PLACE

_KILLED = 9
PICTURES = [encoded(textured(seed=seed), ".png") for seed in range(2)]


def step_by_step(dies_at: int) -> None:
    """Let this process die before or after the `dies_at`-th change of the disk."""
    steps = count(1)

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **more: Any) -> Any:
            if next(steps) == dies_at:
                os._exit(_KILLED)
            result = call(*args, **more)
            if next(steps) == dies_at:
                os._exit(_KILLED)
            return result

        return called

    for owner, name in ((TakenJournal, "give"), (TakenJournal, "safe"), (Spool, "append"), (Spool, "sync")):
        setattr(owner, name, mortal(getattr(owner, name)))
    setattr(Path, "rename", mortal(Path.rename))  # noqa: B010 - a method of a class that is not ours


def live(folder: Path, after: str, dies_at: int | None) -> int:
    """One life in a process of its own, to its death or until every picture is put away; its exit code."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if dies_at is not None:
        step_by_step(dies_at)
    options = WatchOptions.model_validate(
        {
            "camera_id": PLACE.camera_id,
            "view_id": PLACE.view_id,
            "path": folder / "in",
            "after": after,
            "settle_s": 0.01,
            "poll_s": 0.02,
        }
    )
    camera = SpooledCamera(options, folder / "spool", SystemClock())
    taken = camera.camera._journal  # type: ignore[attr-defined]
    safe = {one.shot for one in taken.all()}
    really = taken.safe

    def told(shot: int) -> None:
        really(shot)
        safe.add(shot)

    taken.safe = told
    done = folder / "in" / "done"
    wanted = len(PICTURES)
    camera.until(lambda: len(safe) >= wanted and (after == "keep" or len(list(done.glob("?.png"))) == wanted), "all")
    camera.close()
    os._exit(0)


def taken(folder: Path) -> list[bytes | None]:
    """The pictures in the spool; a second look by a process that only takes what is new finds no more."""
    with Spool(folder / "spool", SpoolLimits(), SystemClock()) as spool:
        reader = spool.reader()
        found = []
        while (record := reader.next()) is not None:
            found.append(getattr(record, "payload", None))
        reader.close()
    return found


def main(root: Path) -> int:
    """Every death, alone and twice in a row, for files that are moved and for such that are kept."""
    for after in ("move", "keep"):
        for dies_at in count(1):
            folder = root / f"{after}{dies_at}"
            (folder / "in").mkdir(parents=True)
            for number, picture in enumerate(PICTURES):
                (folder / "in" / f"{number}.png").write_bytes(picture)
            code = live(folder, after, dies_at)
            live(folder, after, dies_at // 2)
            if live(folder, after, None):
                return 1
            if Counter(taken(folder)) != Counter(PICTURES):
                sys.stdout.write(f"{after}: dead at step {dies_at}, taken {len(taken(folder))}\n")
                return 1
            if code == 0:
                sys.stdout.write(f"{after}: {dies_at - 1} steps\n")
                break
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
