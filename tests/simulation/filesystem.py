"""A file system in memory that forgets what was not synced, fills up, writes short and fails when told; seeded.

What a process sees is the page cache; what a power cut leaves is the durable state. Content becomes durable by `sync`,
names by `sync_folder`; at a power cut any part of the rest may have reached the disk too, by sectors and in any order.
"""

from __future__ import annotations

import errno
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BLOCK_BYTES = 4096
SECTOR_BYTES = 512
_ROOT = Path("/")


class Died(BaseException):
    """The process ended here; nothing of it runs on."""


@dataclass(eq=False)
class _Inode:
    """A file. `pending` are writes (offset and bytes) and cuts (the size) in their order, not durable yet."""

    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    blocks: set[int] = field(default_factory=set)
    pending: list[tuple[int, bytes] | int] = field(default_factory=list)


@dataclass(eq=False)
class _Folder:
    """Names of files and folders; `pending` are changes of names in their order, None for a name that goes."""

    cached: dict[str, _Inode | _Folder] = field(default_factory=dict)
    durable: dict[str, _Inode | _Folder] = field(default_factory=dict)
    pending: list[dict[str, _Inode | _Folder | None]] = field(default_factory=list)

    def change(self, names: dict[str, _Inode | _Folder | None]) -> None:
        _apply(self.cached, names)
        self.pending.append(names)


@dataclass(eq=False)
class _OpenFile:
    """What descriptors share: the file and how it was opened."""

    inode: _Inode
    path: Path
    is_append: bool
    descriptors: int = 1


class SimulatedFiles:
    """A `FileSystem` without a disk.

    `capacity_bytes` may be changed at any time; a file costs a block for its name, and one for each it wrote to.
    `short_writes` is the chance that a write takes only a part. `die_at` ends the process with `Died` before the step
    of that number (they count in `steps`), on which nothing of that step happened.
    """

    def __init__(self, seed: int, capacity_bytes: int = 1 << 40, short_writes: float = 0.0) -> None:
        self.chance = random.Random(seed)
        self.capacity_bytes, self.short_writes = capacity_bytes, short_writes
        self.steps = 0
        self.die_at: int | None = None
        self.done: Counter[str] = Counter()
        self._faults: list[tuple[str, int, str]] = []
        self._spoilt: set[tuple[_Inode, int]] = set()
        self._root = _Folder()
        self._open: dict[int, _OpenFile] = {}
        self._locks: dict[_Inode, _OpenFile] = {}
        self._next_descriptor = 3

    def fail(self, step: str, code: int, name: str = "", times: int = 1) -> None:
        """Let the next calls of `step` on a path that holds `name` raise this error."""
        self._faults += [(step, code, name)] * times

    def spoil(self, path: Path, offset: int) -> None:
        """From now on the block of a file that holds this byte cannot be read."""
        self._spoilt.add((self._file(path), offset // BLOCK_BYTES))

    def heal(self) -> None:
        """Forget the faults that did not come to pass."""
        self._faults.clear()

    def kill(self) -> None:
        """End every process: descriptors and locks go, the page cache stays."""
        self._open.clear()
        self._locks.clear()
        self.die_at = None

    def cut_power(self) -> None:
        """End every process and forget what is not durable, but for what reached the disk by chance."""
        self.kill()
        self._restart(self._root)

    def content(self, path: Path) -> bytes:
        """What a process would read of a file."""
        return bytes(self._file(path).cached)

    def damage(self, path: Path, content: bytes) -> None:
        """Put something else into a file, on disk and in the page cache."""
        inode = self._file(path)
        inode.cached[:], inode.durable[:], inode.pending[:] = content, content, []

    @property
    def descriptors(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def used_bytes(self) -> int:
        """Bytes taken by names and blocks, also of files that are open and have no name any more."""
        inodes = {opened.inode for opened in self._open.values()} | set(_inodes(self._root))
        return sum((1 + len(inode.blocks)) * BLOCK_BYTES for inode in inodes)

    def make_folder(self, folder: Path) -> None:
        self._step("make_folder", folder)
        parent = self._folder(folder.parent)
        if folder.name not in parent.cached:
            parent.change({folder.name: _Folder()})

    def names(self, folder: Path) -> list[str]:
        self._step("names", folder)
        return sorted(self._folder(folder).cached)

    def open(self, path: Path, flags: int = os.O_RDONLY, mode: int = 0o640) -> int:
        self._step("open", path)
        folder = self._folder(path.parent)
        inode = folder.cached.get(path.name)
        if inode is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            self._require_room(path)
            inode = _Inode()
            folder.change({path.name: inode})
        elif flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        if not isinstance(inode, _Inode):
            raise _error(errno.EISDIR, path)
        if flags & os.O_TRUNC:
            self._cut(inode, 0)
        return self._descriptor(_OpenFile(inode, path, bool(flags & os.O_APPEND)))

    def duplicate(self, file: int) -> int:
        opened = self._of(file)
        self._step("duplicate", opened.path)
        opened.descriptors += 1
        return self._descriptor(opened)

    def close(self, file: int) -> None:
        opened = self._of(file)
        del self._open[file]
        opened.descriptors -= 1
        if not opened.descriptors and self._locks.get(opened.inode) is opened:
            del self._locks[opened.inode]

    def lock(self, file: int) -> None:
        opened = self._of(file)
        self._step("lock", opened.path)
        if self._locks.setdefault(opened.inode, opened) is not opened:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(opened.path))

    def size(self, file: int) -> int:
        return len(self._of(file).inode.cached)

    def read(self, file: int, count: int, offset: int) -> bytes:
        opened = self._of(file)
        self._step("read", opened.path)
        for inode, block in self._spoilt:
            if inode is opened.inode and offset < (block + 1) * BLOCK_BYTES and block * BLOCK_BYTES < offset + count:
                raise _error(errno.EIO, opened.path)
        return bytes(opened.inode.cached[offset : offset + count])

    def write(self, file: int, content: bytes, offset: int) -> int:
        opened = self._of(file)
        self._step("write", opened.path)
        return self._write(opened, content, offset)

    def append(self, file: int, pieces: Sequence[bytes]) -> int:
        opened = self._of(file)
        self._step("append", opened.path)
        if not opened.is_append:
            raise _error(errno.EBADF, opened.path)
        return self._write(opened, b"".join(pieces), len(opened.inode.cached))

    def cut(self, file: int, size: int) -> None:
        opened = self._of(file)
        self._step("cut", opened.path)
        self._cut(opened.inode, size)

    def sync(self, file: int) -> None:
        opened = self._of(file)
        inode = opened.inode
        try:
            self._step("sync", opened.path)
        except OSError:
            inode.pending.clear()  # the cache holds it still and will not write it again
            raise
        inode.durable[:], inode.pending[:] = inode.cached, []

    def sync_folder(self, folder: Path) -> None:
        self._step("sync_folder", folder)
        found = self._folder(folder)
        found.durable, found.pending = dict(found.cached), []

    def replace(self, path: Path, target: Path) -> None:
        self._step("replace", path)
        if path.parent != target.parent:
            raise _error(errno.EXDEV, target)
        self._folder(path.parent).change({path.name: None, target.name: self._file(path)})

    def remove(self, path: Path) -> None:
        self._step("remove", path)
        folder = self._folder(path.parent)
        if path.name in folder.cached:
            folder.change({path.name: None})

    def _step(self, step: str, path: Path) -> None:
        if self.die_at is not None and self.steps >= self.die_at:
            raise Died(step)
        self.steps += 1
        for fault in self._faults:
            if fault[0] == step and fault[2] in str(path):
                self._faults.remove(fault)
                raise _error(fault[1], path)
        self.done[step] += 1

    def _folder(self, folder: Path) -> _Folder:
        found = self._root
        for name in folder.relative_to(_ROOT).parts:
            inside = found.cached.get(name)
            if not isinstance(inside, _Folder):
                raise _error(errno.ENOENT, folder)
            found = inside
        return found

    def _file(self, path: Path) -> _Inode:
        inode = self._folder(path.parent).cached.get(path.name)
        if not isinstance(inode, _Inode):
            raise _error(errno.ENOENT, path)
        return inode

    def _of(self, file: int) -> _OpenFile:
        if file not in self._open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open[file]

    def _descriptor(self, opened: _OpenFile) -> int:
        self._next_descriptor += 1
        self._open[self._next_descriptor] = opened
        return self._next_descriptor

    def _require_room(self, path: Path) -> None:
        if self.used_bytes + BLOCK_BYTES > self.capacity_bytes:
            raise _error(errno.ENOSPC, path)

    def _write(self, opened: _OpenFile, content: bytes, offset: int) -> int:
        """Take what there is room for, block by block, and perhaps only a part of that."""
        inode, taken = opened.inode, 0
        free = max(0, self.capacity_bytes - self.used_bytes) // BLOCK_BYTES
        while taken < len(content):
            block = (offset + taken) // BLOCK_BYTES
            if block not in inode.blocks:
                if not free:
                    break
                free -= 1
                inode.blocks.add(block)
            taken = min(len(content), (block + 1) * BLOCK_BYTES - offset)
        if content and not taken:
            raise _error(errno.ENOSPC, opened.path)
        if taken > 1 and self.short_writes and self.chance.random() < self.short_writes:
            taken = self.chance.randrange(1, taken)
        _put(inode.cached, offset, content[:taken])
        inode.pending.append((offset, content[:taken]))
        return taken

    def _cut(self, inode: _Inode, size: int) -> None:
        _resize(inode.cached, size)
        inode.blocks = {block for block in inode.blocks if block * BLOCK_BYTES < size}
        inode.pending.append(size)

    def _restart(self, folder: _Folder) -> None:
        for names in folder.pending:
            if self.chance.random() < 0.5:
                _apply(folder.durable, names)
        folder.pending = []
        folder.cached = dict(folder.durable)
        for inside in folder.cached.values():
            if isinstance(inside, _Folder):
                self._restart(inside)
            else:
                self._settle(inside)

    def _settle(self, inode: _Inode) -> None:
        for change in inode.pending:
            fate = self.chance.choice(("kept", "lost", "torn"))
            if fate == "lost":
                continue
            if isinstance(change, int):
                _resize(inode.durable, change)
            else:
                self._put_sectors(inode.durable, *change, is_torn=fate == "torn")
        inode.pending = []
        inode.cached[:] = inode.durable
        inode.blocks = set(range((len(inode.durable) + BLOCK_BYTES - 1) // BLOCK_BYTES))

    def _put_sectors(self, durable: bytearray, offset: int, content: bytes, *, is_torn: bool) -> None:
        at = 0
        while at < len(content):
            size = min(SECTOR_BYTES - (offset + at) % SECTOR_BYTES, len(content) - at)
            if not is_torn or self.chance.random() < 0.5:
                _put(durable, offset + at, content[at : at + size])
            at += size


def _apply(names: dict[str, _Inode | _Folder], change: dict[str, _Inode | _Folder | None]) -> None:
    for name, inode in change.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


def _inodes(folder: _Folder) -> list[_Inode]:
    found: list[_Inode] = []
    for inside in folder.cached.values():
        found += _inodes(inside) if isinstance(inside, _Folder) else [inside]
    return found


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _put(content: bytearray, offset: int, piece: bytes) -> None:
    if len(content) < offset:
        _resize(content, offset)
    content[offset : offset + len(piece)] = piece


def _error(code: int, path: Path) -> OSError:
    return OSError(code, os.strerror(code), str(path))
