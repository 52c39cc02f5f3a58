"""A least-recently-used cache bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

from linewarden_runtime.records import InRecord


class RecordCache:
    """Records by name, at most `limit_bytes` of them; used from many threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._records: OrderedDict[str, InRecord] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Bytes of all values held now; never above the limit it was made with."""
        return self._bytes

    def put(self, name: str, record: InRecord) -> None:
        """Keep a record, and give up the ones that were longest unused; one that is too large alone is not kept."""
        with self._lock:
            self._drop(name)
            if record.size > self._limit:
                return
            self._records[name] = record
            self._bytes += record.size
            while self._bytes > self._limit:
                self._drop(next(iter(self._records)))

    def get(self, name: str) -> InRecord | None:
        """The record, which counts as used now."""
        with self._lock:
            if name in self._records:
                self._records.move_to_end(name)
            return self._records.get(name)

    def drop(self, name: str) -> None:
        """Give up a record if it is held."""
        with self._lock:
            self._drop(name)

    def _drop(self, name: str) -> None:
        record = self._records.pop(name, None)
        if record is not None:
            self._bytes -= record.size
