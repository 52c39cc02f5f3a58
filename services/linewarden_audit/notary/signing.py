"""Signed heads and periods: Ed25519 (RFC 8032) by the package cryptography."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.operations import Balance, ChainHead

Signed = TypeVar("Signed", ChainHead, Balance)


def make_key(path: Path) -> str:
    """Write a new private key that only its owner can read; returns the public key, in base64.

    Raises ConfigurationError where the file exists: a key that signed is never replaced by accident.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; choose a new file for the key") from error
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    return public_text(key.public_key())


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key; raises ConfigurationError for anything that is none."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} holds no key; make one with 'linewarden audit key --out {path}'") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} holds another kind of key than Ed25519")
    return key


def public_text(key: Ed25519PublicKey) -> str:
    """The raw public key in base64."""
    return b64encode(key.public_bytes_raw()).decode()


def signed(head: Signed, key: Ed25519PrivateKey) -> Signed:
    """The head or period with its signature."""
    return head.model_copy(update={"signature": key.sign(content_of(head))})


def is_signed_by(head: ChainHead | Balance, trusted: Collection[str]) -> bool:
    """Whether one of these public keys (base64) signed exactly this head or period."""
    if head.public_key not in trusted or head.public_key is None or head.signature is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(b64decode(head.public_key)).verify(head.signature, content_of(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def content_of(head: ChainHead | Balance) -> bytes:
    """What is signed: everything but the signature, as JSON with sorted keys and without spaces.

    A head leaves out what it does not tell, as old heads knew nothing of it; a period names it as null.
    """
    unsigned = head.model_copy(update={"signature": bytes(64)})
    told = unsigned.model_dump(mode="json", exclude_none=isinstance(head, ChainHead))
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
