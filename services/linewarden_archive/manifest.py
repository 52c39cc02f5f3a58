"""The manifest: one line an entry, each chained to the one before, and signed where there is a key.

A line that was changed, taken out or moved breaks the chain there. Lines taken from the end leave files that no line
tells of; where those went too, only a head that was kept elsewhere tells (`archive verify --head`).
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from linewarden_archive.entries import ENTRY, Entry
from linewarden_archive.findings import ArchiveDamaged
from linewarden_archive.places import MANIFEST, read_plain, refuse_links
from linewarden_audit.notary.signing import public_text
from linewarden_runtime.files import sync_folder

_FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One entry with its number (from 0), its digest, and who signed it, if anybody."""

    number: int
    entry: Entry
    digest: str
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that does not fit; `detail` says why."""

    number: int
    detail: str


def read_lines(root: Path, trusted: Collection[str] = ()) -> tuple[list[ManifestLine], list[Broken]]:
    """Every line that can be read, and those that do not fit; with keys, a line must be signed by one of them.

    Raises ArchiveDamaged where there is no manifest.
    """
    lines: list[ManifestLine] = []
    broken: list[Broken] = []
    before = _FIRST
    try:
        *whole, rest = read_plain(root, root / MANIFEST).split(b"\n")
    except FileNotFoundError as error:
        raise ArchiveDamaged(f"{root} holds no {MANIFEST}: it is no archive, or its manifest is gone") from error
    for number, text in enumerate([*whole, b""] if rest else whole):
        try:
            line, follows_on = _parsed(number, text, trusted)
        except (ValueError, KeyError, TypeError) as error:
            told = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            broken.append(
                Broken(number, "it is no entry of a manifest" if isinstance(error, ValidationError) else told)
            )
            before = ""
            continue
        if before and follows_on != before:
            broken.append(Broken(number, "it does not follow on the line before: a line is missing, moved or put in"))
        before = line.digest
        lines.append(line)
    return lines, broken


def append(root: Path, entry: Entry, last: ManifestLine | None, key: Ed25519PrivateKey | None) -> ManifestLine:
    """Write a line that lasts before this returns."""
    path = root / MANIFEST
    refuse_links(root, path)
    number, previous = (0, _FIRST) if last is None else (last.number + 1, last.digest)
    digest = _digest(previous, entry)
    document = {"number": number, "previous": previous, "entry": entry.model_dump(mode="json"), "digest": digest}
    public = None if key is None else public_text(key.public_key())
    if key is not None:
        document |= {"public_key": public, "signature": b64encode(key.sign(bytes.fromhex(digest))).decode()}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(handle, "ab") as file:
        file.write(_line(document) + b"\n")
        file.flush()
        os.fsync(handle)
    sync_folder(root)
    return ManifestLine(number, entry, digest, public)


def cut_half_line(root: Path) -> None:
    """Take away what a writer that died left of its last line: it never counted, and nothing may follow on it."""
    path = root / MANIFEST
    if path.exists():
        content = read_plain(root, path)
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)


def _parsed(number: int, text: bytes, trusted: Collection[str]) -> tuple[ManifestLine, str]:
    if not text:
        raise ValueError("the line is cut")
    document = json.loads(text)
    entry = ENTRY.validate_json(json.dumps(document["entry"]))
    previous, digest = str(document["previous"]), str(document["digest"])
    if document["number"] != number:
        raise ValueError(f"it is numbered {document['number']}: a line is missing, moved or put in")
    if _digest(previous, entry) != digest or _line(document) != text:
        raise ValueError("its bytes are not what was written")
    public = document.get("public_key")
    if public is not None:
        try:
            signature = b64decode(document.get("signature", ""))
            Ed25519PublicKey.from_public_bytes(b64decode(public)).verify(signature, bytes.fromhex(digest))
        except (InvalidSignature, ValueError) as error:
            raise ValueError("its signature does not fit") from error
    if trusted and public not in trusted:
        raise ValueError("no trusted key signed it")
    return ManifestLine(number, entry, digest, public), previous


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _digest(previous: str, entry: Entry) -> str:
    told = json.dumps(entry.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{told}".encode()).hexdigest()
