"""A program that writes into a folder as it is told, call by call: `python -m tests.support.picture_writer FOLDER`.

Each line of standard input is a call and its arguments; each is answered by a line when it is done.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self


class WriterProcess:
    """Such a program, told what to do."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.picture_writer", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, *words: str) -> None:
        """Let it make one call, and wait until it has."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n", words

    def write(self, name: str, content: bytes) -> None:
        """A whole file, opened, written and closed."""
        self.do("open", name)
        self.do("write", content.hex())
        self.do("close")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def main(folder: Path) -> None:
    """Do as told until the input ends."""
    os.chdir(folder)
    file = -1
    for line in sys.stdin:
        match line.split():
            case ["open", name]:
                file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            case ["write", content]:
                os.write(file, bytes.fromhex(content))
            case ["close"]:
                os.close(file)
            case ["rename", name, target]:
                Path(name).rename(target)
            case ["link", name, target]:
                Path(name).symlink_to(target)
            case ["hardlink", name, target]:
                Path(name).hardlink_to(target)
            case ["remove", name]:
                Path(name).unlink()
            case ["date", name, seconds]:
                os.utime(name, (float(seconds), float(seconds)))
            case words:
                raise ValueError(words)
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
