"""A file as bytes by slices, fetched a few kilobytes at a time, so that a header costs one read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linewarden_runtime.files import FileSystem

from .format import MAX_HEADER_BYTES

_CHUNK = 4 << 10


def read_what_is_left(files: FileSystem, file: int, count: int, offset: int) -> bytes:
    """Read, with zeros in the place of blocks that the disk cannot read any more."""
    try:
        return files.read(file, count, offset)
    except OSError:
        in_block = min(count, _CHUNK - offset % _CHUNK)
        # One block is the least that a disk refuses; its zeros fail the CRC of the record that they are in.
        if in_block == count:
            return bytes(count)
    first = read_what_is_left(files, file, in_block, offset)
    return first + read_what_is_left(files, file, count - in_block, offset + in_block)


class FileView:
    """Bytes up to `end` of an open file; what lies behind is not looked at."""

    def __init__(self, files: FileSystem, file: int, end: int) -> None:
        self._files, self._file, self._end = files, file, end
        self._start, self._data = 0, b""

    def __len__(self) -> int:
        return self._end

    def __getitem__(self, at: slice, /) -> bytes:
        start, stop = int(at.start), min(int(at.stop), self._end)
        if start < self._start or stop > self._start + len(self._data):
            # A chunk at least: a header is asked for in pieces, and pictures are passed over.
            ahead = min(max(stop, start + _CHUNK), self._end)
            self._start, self._data = start, self._read(max(ahead - start, 0), start)
        return self._data[start - self._start : max(stop, start) - self._start]

    def find(self, wanted: bytes, start: int, end: int, /) -> int:
        """Where `wanted` begins, -1 for nowhere; searched in pieces that overlap by the length of what is searched."""
        while start < end:
            piece = self._read(min(MAX_HEADER_BYTES + len(wanted), end - start), start)
            if (at := piece.find(wanted)) >= 0:
                return start + at
            start += MAX_HEADER_BYTES
        return -1

    def _read(self, count: int, offset: int) -> bytes:
        return read_what_is_left(self._files, self._file, count, offset)


@contextmanager
def viewed(files: FileSystem, path: Path) -> Iterator[FileView]:
    """The whole of a file, open meanwhile."""
    file = files.open(path)
    try:
        yield FileView(files, file, files.size(file))
    finally:
        files.close(file)
