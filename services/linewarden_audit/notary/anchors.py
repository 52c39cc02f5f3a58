"""What was sealed, put down outside Kafka: whoever rewrites records, heads and all cannot rewrite that.

An anchor names how long the chain of a partition was, its digest there, and a digest over every head up to there. The
file has one a line and is only ever appended to; the code is the short form of an anchor for a book on paper.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from base64 import b32encode
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from linewarden_audit.notary.signing import content_of
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.files import sync_folder
from linewarden_schemas.operations import ChainHead

NO_SEAL = bytes(32)


def sealed(before: bytes, head: ChainHead) -> bytes:
    """The digest over all heads of a partition up to this one."""
    return hashlib.sha256(before + content_of(head)).digest()


@dataclass(frozen=True, slots=True)
class Anchor:
    """How far a partition was sealed; `head` and `seal` in hexadecimal. Of paper only the `code` is known."""

    topic: str
    partition: int
    length: int
    head: str = ""
    seal: str = ""
    told: str = ""

    @property
    def code(self) -> str:
        """Sixteen letters and digits that stand for head and seal, for people: `K7Q2-9XTM-...`."""
        if self.told:
            return self.told
        short = hashlib.sha256(f"{self.topic} {self.partition} {self.length} {self.head} {self.seal}".encode())
        return _in_fours(b32encode(short.digest()[:10]).decode())

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] {self.length} {self.code}"

    def is_met_by(self, length: int, head: str, seal: bytes) -> bool:
        """Whether a chain that is so long has this digest, and its heads that one."""
        return Anchor(self.topic, self.partition, length, head, seal.hex()).code == self.code


def from_paper(text: str) -> Anchor:
    """An anchor as it was printed: `TOPIC[PARTITION] LENGTH CODE`; case and hyphens of the code do not matter.

    Raises ConfigurationError for anything else.
    """
    shape = r"(?P<topic>[a-z0-9._-]+)\[(?P<partition>\d+)\] +(?P<length>\d+) +(?P<code>[A-Za-z2-7 -]+)"
    found = re.fullmatch(shape, text.strip())
    letters = "" if found is None else found["code"].replace("-", "").replace(" ", "").upper()
    if found is None or len(letters) != 16:
        raise ConfigurationError(
            f"{text!r} is no anchor; give it as it was printed: 'line1.decisions[0] 1234 ABCD-EFGH-IJKL-MNOP'"
        )
    return Anchor(found["topic"], int(found["partition"]), int(found["length"]), told=_in_fours(letters))


def _in_fours(letters: str) -> str:
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


@dataclass(frozen=True, slots=True)
class Anchored:
    """What a file of anchors says: its anchors, and what is wrong with the file itself, in words."""

    anchors: tuple[Anchor, ...]
    broken: str | None = None


class AnchorFile:
    """Lines `TIME TOPIC PARTITION LENGTH HEAD SEAL CHECK`; the check is over the line and the check before."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, at_ms: int, anchors: Sequence[Anchor]) -> None:
        """Put anchors down, so that they last; one process at a time. Raises ConfigurationError where that fails."""
        try:
            when = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                text, check = "", _last_check(file)
                for one in anchors:
                    line = f"{when} {one.topic} {one.partition} {one.length} {one.head} {one.seal}"
                    check = _check(check, line)
                    text += f"{line} {check}\n"
                content = text.encode()
                if os.write(file, content) != len(content):
                    raise OSError(None, "the disk is full")
                os.fsync(file)
            finally:
                os.close(file)
            sync_folder(self._path.parent)
        except OSError as error:
            raise ConfigurationError(f"anchors cannot be put down in {self._path}: {error.strerror}") from error

    def read(self) -> Anchored:
        """Every anchor of the file; raises ConfigurationError where it cannot be read.

        Of very many of a partition every second older one is left out: each stands for all that came before it.
        """
        kept: dict[tuple[str, int], list[Anchor]] = {}
        broken, check = None, _check("", "")
        try:
            with self._path.open(encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith("\n"):
                        break  # never put down whole, so never told to be there
                    body, _, told = line.rstrip("\n").rpartition(" ")
                    anchor, check = _anchor(body), _check(check, body)
                    if anchor is None or check != told:
                        broken = broken or f"line {number} of {self._path} is not as it was written"
                        check = told
                    if anchor is not None:
                        of_place = kept.setdefault((anchor.topic, anchor.partition), [])
                        of_place.append(anchor)
                        if len(of_place) > 4_096:
                            del of_place[:2_048:2]
        except OSError as error:
            raise ConfigurationError(f"anchors cannot be read from {self._path}: {error.strerror}") from error
        return Anchored(tuple(one for of_place in kept.values() for one in of_place), broken)


def by_place(anchors: Iterable[Anchor]) -> dict[tuple[str, int], list[Anchor]]:
    """Anchors by topic and partition, the shortest first."""
    found: dict[tuple[str, int], list[Anchor]] = {}
    for one in sorted(anchors, key=lambda each: each.length):
        found.setdefault((one.topic, one.partition), []).append(one)
    return found


def printed(at_ms: int, anchors: Collection[Anchor]) -> str:
    """Anchors for the shift book: a line each, that people can copy and give to `audit verify --anchor`."""
    when = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return "\n".join([f"sealed at {when}", *map(str, anchors)])


def _anchor(body: str) -> Anchor | None:
    words = body.split(" ")
    if len(words) != 6 or not (words[2].isdigit() and words[3].isdigit()):
        return None
    return Anchor(words[1], int(words[2]), int(words[3]), words[4], words[5])


def _check(before: str, line: str) -> str:
    return hashlib.sha256(f"{before} {line}".encode()).hexdigest()[:16]


def _last_check(file: int) -> str:
    """The check of the last line. What a power failure left of a line behind it goes: it was never told to be there."""
    end = os.fstat(file).st_size
    tail = os.pread(file, min(end, 4_096), max(0, end - 4_096))
    whole = tail.rfind(b"\n") + 1
    os.ftruncate(file, end - len(tail) + whole)
    return _check("", "") if not whole else tail[:whole].decode(errors="replace").split()[-1]
