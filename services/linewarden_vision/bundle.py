"""A bundle: one content-addressed folder with weights, card and golden set.

weights.safetensors, card.json, golden.npz, golden.json, optional files (novelty, classes, groups, promotions,
qualification), and bundle.sha256, which lists the others in the format of sha256sum (``sha256sum -c bundle.sha256``
works). The digest of a bundle is the SHA-256 of that list. Nothing in it is ever unpickled.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import safetensors
from pydantic import ValidationError
from safetensors.torch import load as parse_weights
from safetensors.torch import save as pack_weights
from torch import Tensor

from linewarden_schemas.recipe import Recipe
from linewarden_schemas.violations import violations
from linewarden_vision.card import Card
from linewarden_vision.content import content_digest
from linewarden_vision.errors import BundleError
from linewarden_vision.golden import Golden
from linewarden_vision.promotions import PROMOTIONS, Promotion, stage_of
from linewarden_vision.promotions import from_file as read_promotions
from linewarden_vision.qualification import QUALIFICATION, Qualification
from linewarden_vision.region_classes import CLASSES, ClassHead
from linewarden_vision.trained_groups import GROUPS, TrainedGroups

LISTING = "bundle.sha256"
WEIGHTS = "weights.safetensors"
FILES = ("card.json", "golden.json", "golden.npz", "weights.safetensors")
OPTIONAL = (CLASSES, GROUPS, "novelty.safetensors", PROMOTIONS, QUALIFICATION)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle in memory; ``card.stage`` is what its promotions say.

    ``content`` is the digest of everything that decides, ``extra`` holds the optional files as they are.
    A qualification is here even where it is void or expired: ask it.
    """

    digest: str
    card: Card
    weights: Mapping[str, Tensor]
    golden: Golden
    content: str = ""
    extra: Mapping[str, bytes] = field(default_factory=dict)
    promotions: tuple[Promotion, ...] = ()
    qualification: Qualification | None = None
    groups: TrainedGroups | None = None
    classes: ClassHead | None = None

    def unqualified(self, precision: str, today: str, recipe: Recipe | None = None) -> str | None:
        """Say why no qualification holds at a precision on a day (YYYY-MM-DD); None where one does.

        With a recipe, also why none holds for its criteria and thresholds.
        """
        if self.qualification is None:
            return "not qualified: nothing is promised"
        void = self.qualification.void_because(self.content, precision)
        if void is None and recipe is not None:
            void = self.qualification.void_under(recipe)
        if void is not None:
            return f"qualification void: {void}"
        if self.qualification.is_expired(today):
            return f"qualification expired on {self.qualification.expires}; qualify again"
        return None


def write_bundle(
    folder: Path,
    card: Card,
    weights: Mapping[str, Tensor],
    golden: Golden,
    extra: Mapping[str, bytes] = MappingProxyType({}),
) -> str:
    """Write a bundle with its optional files and return its digest; the folder may exist but hold nothing else.

    Raises BundleError when the folder or ``extra`` holds files that are not a bundle's.
    """
    check_place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not set(extra) <= set(OPTIONAL):
        raise BundleError(f"a bundle has no {', '.join(sorted(set(extra) - set(OPTIONAL)))}")
    taught = card.model_copy(update={"stage": "taught"})  # only promotions give another stage
    stored = taught.model_dump_json(indent=1).encode() + b"\n"
    contents = {"card.json": stored, WEIGHTS: weight_bytes(weights), **golden.to_files(), **extra}
    listing = _listing(contents)
    for name in set(OPTIONAL) - set(extra):
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / LISTING).write_bytes(listing)
    return hashlib.sha256(listing).hexdigest()


def check_place(folder: Path) -> None:
    """Raise BundleError where a folder holds files that are not a bundle's; to be called before long work too."""
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    strangers = sorted(found - {*FILES, *OPTIONAL, LISTING})
    if strangers:
        raise BundleError(f"{folder} holds {', '.join(strangers)}, which no bundle has; choose an empty folder")


def weight_bytes(weights: Mapping[str, Tensor]) -> bytes:
    """Return weights.safetensors; equal weights give equal bytes."""
    return pack_weights({name: weights[name].detach().cpu().contiguous() for name in sorted(weights)})


def content_of(card: Card, weights: Mapping[str, Tensor], extra: Mapping[str, bytes] = MappingProxyType({})) -> str:
    """Return the content digest that a bundle of these parts will have."""
    return content_digest(card, {**extra, WEIGHTS: weight_bytes(weights)})


def find_bundle(store: Path, digest: str) -> Path:
    """Return the folder of a bundle in a store (or the store itself, if it is the bundle), whatever it is called.

    Only the listing is hashed here; loading verifies the files.

    Raises BundleError where no folder has that digest.
    """
    listings = [store / LISTING, *sorted(store.glob(f"*/{LISTING}"))]
    for listing in listings:
        if listing.is_file() and hashlib.sha256(listing.read_bytes()).hexdigest() == digest:
            return listing.parent
    raise BundleError(f"no bundle {digest[:12]} in {store}; copy its folder there")


def read_bundle(folder: Path, *, expected_digest: str | None = None) -> Bundle:
    """Read and verify a bundle.

    Raises BundleError when a file is missing, extra or differs from the listing, when the digest is
    not ``expected_digest``, when the card does not parse, or when it claims a stage that its promotions do not give.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder; a bundle is one folder")
    found = {path.name for path in folder.iterdir()}
    needed = {*FILES, LISTING}
    odd = (needed - found) | (found - needed - set(OPTIONAL))
    if odd:
        names = ", ".join(sorted(odd))
        raise BundleError(f"{folder} does not hold exactly a bundle's files; missing or extra: {names}")
    contents = {name: (folder / name).read_bytes() for name in sorted(found - {LISTING})}
    listing = (folder / LISTING).read_bytes()
    digest = hashlib.sha256(listing).hexdigest()
    if _listing(contents) != listing:
        raise BundleError(f"{folder}: a file differs from {LISTING}; fetch the bundle again")
    if expected_digest is not None and digest != expected_digest:
        raise BundleError(f"{folder} is bundle {digest[:12]}, not {expected_digest[:12]} as the recipe names it")
    try:
        card = Card.model_validate_json(contents["card.json"])
        weights = parse_weights(contents[WEIGHTS])
    except ValidationError as error:
        raise BundleError(f"{folder} cannot be used by this version: card.json, {violations(error)}") from error
    except safetensors.SafetensorError as error:
        raise BundleError(f"{folder} cannot be used by this version: {error}") from error
    golden = Golden.from_files(contents["golden.npz"], contents["golden.json"])
    return _assemble(Bundle(digest, card, weights, golden), contents)


def _assemble(bundle: Bundle, contents: Mapping[str, bytes]) -> Bundle:
    extra = {name: contents[name] for name in OPTIONAL if name in contents}
    content = content_digest(bundle.card, contents)
    promotions = tuple(read_promotions(extra[PROMOTIONS])) if PROMOTIONS in extra else ()
    stage = stage_of(promotions, content)
    if bundle.card.stage not in {"taught", stage}:
        raise BundleError(f"the card says {bundle.card.stage}, its promotions {stage}: use linewarden bundle promote")
    return replace(
        bundle,
        card=bundle.card.model_copy(update={"stage": stage}),
        content=content,
        extra=extra,
        promotions=promotions,
        qualification=Qualification.from_file(extra[QUALIFICATION]) if QUALIFICATION in extra else None,
        groups=TrainedGroups.from_file(extra[GROUPS]) if GROUPS in extra else None,
        classes=ClassHead.from_file(extra[CLASSES]) if CLASSES in extra else None,
    )


def _listing(contents: Mapping[str, bytes]) -> bytes:
    lines = [f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents)]
    return "".join(lines).encode()
