"""The chain over one partition: pure. Each link is the digest of a record's raw bytes, in the order of the log.

A record carries no link and no index; its place in the chain is how many committed records came before it. Offsets are
left out on purpose: markers take some, and an archive that is restored has others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from linewarden_runtime.records import InRecord

SIZE = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Chain:
    """How many records were chained, and the digest over all of them."""

    length: int = 0
    head: bytes = bytes(SIZE)

    def extended(self, links: Iterable[bytes]) -> Chain:
        """The chain after these links."""
        length, head = self.length, self.head
        for link in links:
            length, head = length + 1, hashlib.sha256(head + link).digest()
        return Chain(length, head)


def link_of(record: InRecord) -> bytes:
    """Digest of key, headers in their order, and value; each with its length, so that no two records look alike."""
    parts = [record.key, record.value, *(part for name, value in record.headers for part in (name.encode(), value))]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"\x00" if part is None else b"\x01" + len(part).to_bytes(8, "big") + part)
    return digest.digest()


def split_links(links: bytes) -> list[bytes]:
    """The links that a head carries; raises ValueError where they are cut."""
    if len(links) % SIZE:
        raise ValueError(f"{len(links)} bytes are no whole number of digests")
    return [links[place : place + SIZE] for place in range(0, len(links), SIZE)]
