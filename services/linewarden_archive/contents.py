"""What a segment holds: offset, key, visit and digest of each record, and digests of the file's blocks.

The list stays when records are deleted lawfully: it proves what was there, and the chain can still be verified.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from linewarden_archive.tables import document_of
from linewarden_audit.notary.chain import link_of, split_links
from linewarden_audit.notary.verify import Found
from linewarden_runtime.records import InRecord

_BLOCK_SIZE = 4096
_MARK = 8


@dataclass(frozen=True, slots=True)
class Contents:
    """Of one segment. `links` as the notary's; `blocks`: 8 bytes of SHA-256 of each 4 KiB of the file.

    `gone` are the offsets that were deleted lawfully since; everything else of them is listed still.
    """

    offsets: tuple[int, ...]
    links: tuple[bytes, ...]
    keys: tuple[str, ...]
    visits: tuple[str | None, ...]
    blocks: bytes
    gone: frozenset[int] = frozenset()

    @classmethod
    def of(cls, records: Sequence[InRecord], content: bytes) -> Contents:
        """Of records and the file that holds them."""
        return cls(
            offsets=tuple(record.offset for record in records),
            links=tuple(link_of(record) for record in records),
            keys=tuple((record.key or b"").decode(errors="replace") for record in records),
            visits=tuple(visit_of(record) for record in records),
            blocks=_blocks(content),
        )

    def without(self, offsets: Collection[int], content: bytes) -> Contents:
        """Of what is left when records were deleted, in a file of its own."""
        return replace(self, gone=self.gone | set(offsets), blocks=_blocks(content))

    def kept(self) -> Iterator[int]:
        """Places in the list, from 0, of the records that the file holds still."""
        return (at for at, offset in enumerate(self.offsets) if offset not in self.gone)

    def deleted(self) -> Iterator[Found]:
        """What was deleted lawfully, as the chain knows it."""
        for offset, key, link in zip(self.offsets, self.keys, self.links, strict=True):
            if offset in self.gone:
                yield Found(offset, key, link)

    def to_bytes(self) -> bytes:
        """As a file; the same contents give the same bytes."""
        document = {
            "offsets": self.offsets,
            "links": b64encode(b"".join(self.links)).decode(),
            "keys": self.keys,
            "visits": self.visits,
            "blocks": b64encode(self.blocks).decode(),
            "gone": sorted(self.gone),
        }
        return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Contents:
        """Read a file; raises ValueError where it is none."""
        try:
            document = json.loads(gzip.decompress(raw))
            return cls(
                tuple(document["offsets"]),
                tuple(split_links(b64decode(document["links"], validate=True))),
                tuple(document["keys"]),
                tuple(document["visits"]),
                b64decode(document["blocks"], validate=True),
                frozenset(document["gone"]),
            )
        except (OSError, EOFError, zlib.error, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"no list of contents: {error}") from error

    def damaged(self, content: bytes) -> list[tuple[int, int]]:
        """Ranges of bytes of a file, end excluded, that are not what was written; neighbours as one."""
        now = _blocks(content)
        count = max(len(now), len(self.blocks)) // _MARK
        ranges: list[tuple[int, int]] = []
        for number in range(count):
            at = slice(number * _MARK, (number + 1) * _MARK)
            if now[at] == self.blocks[at]:
                continue
            begin, end = number * _BLOCK_SIZE, (number + 1) * _BLOCK_SIZE
            if ranges and ranges[-1][1] == begin:
                begin, _ = ranges.pop()
            ranges.append((begin, end))
        return ranges


def visit_of(record: InRecord) -> str | None:
    """The visit that a record tells of: of a frame by its headers, of a message by its field."""
    named = next((value for name, value in record.headers if name == "ce_visitid"), None)
    if named is not None:
        return named.decode(errors="replace")
    told = document_of(record.value).get("visit_id")
    return told if isinstance(told, str) else None


def _blocks(content: bytes) -> bytes:
    starts = range(0, len(content), _BLOCK_SIZE)
    return b"".join(hashlib.sha256(content[at : at + _BLOCK_SIZE]).digest()[:_MARK] for at in starts)
