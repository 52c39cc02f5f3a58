"""A program that writes half of a file and waits to be killed: `python -m tests.support.half_writer FILE BYTES`.

The file comes by its standard input; so many bytes of it are written, on the disk, when it says `half`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main(name: str, size: int) -> None:
    """Write and wait."""
    content = sys.stdin.buffer.read()
    with Path(name).open("wb") as file:
        file.write(content[:size])
        file.flush()
        os.fsync(file.fileno())
        sys.stdout.write("half\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
