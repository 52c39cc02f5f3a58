"""A bundle: one content-addressed folder with weights, card and golden set.

weights.safetensors, card.json, golden.npz, golden.json, and bundle.sha256, which lists the others
in the format of sha256sum (``sha256sum -c bundle.sha256`` works). The digest of a bundle is the
SHA-256 of that list. Nothing in it is ever unpickled.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
from pydantic import ValidationError
from safetensors.torch import load as parse_weights
from safetensors.torch import save as pack_weights
from torch import Tensor

from linewarden_vision.card import Card
from linewarden_vision.errors import BundleError
from linewarden_vision.golden import Golden

LISTING = "bundle.sha256"
WEIGHTS = "weights.safetensors"
CARD = "card.json"
FILES = ("card.json", "golden.json", "golden.npz", "weights.safetensors")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle in memory."""

    digest: str
    card: Card
    weights: Mapping[str, Tensor]
    golden: Golden


def write_bundle(folder: Path, card: Card, weights: Mapping[str, Tensor], golden: Golden) -> str:
    """Write a bundle and return its digest; the folder may exist but hold nothing else.

    Raises BundleError when the folder holds files that are not a bundle's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    strangers = sorted({path.name for path in folder.iterdir()} - {*FILES, LISTING})
    if strangers:
        raise BundleError(f"{folder} holds {', '.join(strangers)}, which no bundle has; choose an empty folder")
    dense = {name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}
    contents = {CARD: card.model_dump_json(indent=1).encode() + b"\n", WEIGHTS: pack_weights(dense)}
    contents |= golden.to_files()
    listing = _listing(contents)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / LISTING).write_bytes(listing)
    return hashlib.sha256(listing).hexdigest()


def read_bundle(folder: Path, *, expected_digest: str | None = None) -> Bundle:
    """Read and verify a bundle.

    Raises BundleError when a file is missing, extra or differs from the listing, when the digest is
    not ``expected_digest``, or when the card does not parse.
    """
    contents, listing = _read_files(folder)
    digest = hashlib.sha256(listing).hexdigest()
    if _listing(contents) != listing:
        raise BundleError(f"{folder}: a file differs from {LISTING}; fetch the bundle again")
    if expected_digest is not None and digest != expected_digest:
        raise BundleError(f"{folder} is bundle {digest[:12]}, not {expected_digest[:12]} as the recipe names it")
    try:
        card = Card.model_validate_json(contents[CARD])
        weights = parse_weights(contents[WEIGHTS])
    except (ValidationError, safetensors.SafetensorError) as error:
        raise BundleError(f"{folder} cannot be used by this version: {error}") from error
    return Bundle(digest, card, weights, Golden.from_files(contents["golden.npz"], contents["golden.json"]))


def _read_files(folder: Path) -> tuple[dict[str, bytes], bytes]:
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder; a bundle is one folder")
    found = {path.name for path in folder.iterdir()}
    if found != {*FILES, LISTING}:
        odd = ", ".join(sorted(found ^ {*FILES, LISTING}))
        raise BundleError(f"{folder} does not hold exactly a bundle's files; missing or extra: {odd}")
    return {name: (folder / name).read_bytes() for name in FILES}, (folder / LISTING).read_bytes()


def _listing(contents: Mapping[str, bytes]) -> bytes:
    lines = [f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents)]
    return "".join(lines).encode()
