"""Where a training run stands, on disk, so that it can go on after a stop."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # what torch raises for a file of other content; nothing is unpickled
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file that is written every ``every_s`` seconds of training, and read when training starts again.

    ``fingerprint`` says what is trained: settings, data, seed. A file of another one is refused, not mixed in.
    """

    path: Path
    fingerprint: str
    every_s: float = 60.0

    def load(self) -> dict[str, Any] | None:
        """Return what was saved, None if nothing was.

        Raises ValueError for a file of another run or one that cannot be read: delete it to start afresh.
        """
        if not self.path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, LookupError, UnpicklingError) as error:
            raise ValueError(f"{self.path} cannot be read ({error}); delete it to start afresh") from error
        if state.get("fingerprint") != self.fingerprint:
            raise ValueError(f"{self.path} belongs to a run with other settings or data; delete it to start afresh")
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the file as a whole: a stop in the middle leaves the old one.

        A state is tensors, numbers, strings, lists and dicts of these: nothing that needs unpickling of code.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            torch.save({**state, "fingerprint": self.fingerprint}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)
