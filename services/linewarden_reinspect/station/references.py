"""What a part is compared with: golden pictures of its recipe, limit samples of a defect class.

Kept in a folder `<root>/<recipe_id>/golden/<view>.png` and
`<root>/<recipe_id>/limits/<class>/acceptable*.png`, `unacceptable*.png`, each with `<name>.json` beside it that
names `approved_by` and `expires` (a date), and with `<name>.figures.json`, which `linewarden recipe measure` writes.
Where a recipe of one view has no golden picture of its own, the good ones of its bundle's golden set are shown.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from linewarden_domain.limit_samples import SUFFIX, SampleFigures
from linewarden_schemas.recipe import Recipe
from linewarden_vision.errors import BundleError
from linewarden_vision.golden import Golden
from linewarden_vision.pictures.folders import is_picture

_log = structlog.get_logger(__name__)
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


class Approval(BaseModel):
    """Who let a limit sample stand, and until when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    approved_by: str
    expires: dt.date


@dataclass(frozen=True, slots=True)
class ReferencePicture:
    """One picture to compare with. `side` says on which side of the limit a limit sample lies."""

    name: str
    kind: str
    picture: bytes
    content_type: str
    view_id: str | None = None
    defect_class: str | None = None
    side: str | None = None
    approval: Approval | None = None
    figures: SampleFigures | None = None


@dataclass(frozen=True, slots=True)
class BundleStanding:
    """A bundle by its name, its stage, and the last day (YYYY-MM-DD) of its qualification; None without one."""

    name: str
    stage: str
    expires: str | None


class References:
    """References by recipe, read once each; without folders there are none."""

    def __init__(self, root: Path | None = None, bundles: Path | None = None) -> None:
        self._root, self._bundles = root, bundles
        self._held: dict[tuple[str, str], tuple[ReferencePicture, ...]] = {}

    def of(self, recipe: Recipe) -> tuple[ReferencePicture, ...]:
        """Golden pictures first, then limit samples by class."""
        key = (recipe.recipe_id, recipe.digest())
        if key not in self._held:
            folder = self._folder(recipe.recipe_id)
            golden = tuple(
                ReferencePicture(
                    f"golden-{path.name}",
                    "golden",
                    path.read_bytes(),
                    _KINDS[path.suffix.lower()],
                    view_id=path.stem,
                )
                for path in _pictures(folder, "golden")
            )
            # A bundle's golden set does not name views: of several, its pictures would stand beside the wrong one.
            if not golden and len(recipe.views) == 1:
                golden = tuple(self._golden_of_bundle(recipe.bundle_digest, recipe.views[0].view_id))
            self._held[key] = (*golden, *_limits(folder))
        return self._held[key]

    def classes(self, recipe: Recipe) -> tuple[str, ...]:
        """Names of defect classes: those of the recipe's criteria, of its limit samples and of its bundle."""
        named = [one.defect_class for one in recipe.criteria if one.defect_class is not None]
        named += [one.defect_class for one in self.of(recipe) if one.defect_class is not None]
        return tuple(dict.fromkeys((*named, *self._classes_of_bundle(recipe.bundle_digest))))

    def good_values(self, digest: str) -> dict[str, list[float]]:
        """Values of good parts by ingredient that a bundle was set on; empty where it is not at hand."""
        folder = self._bundle(digest)
        if folder is None:
            return {}
        parts = json.loads((folder / "card.json").read_bytes())["trust"]["ingredients"]
        return {str(part["name"]): [float(value) for value in part["good"]] for part in parts}

    def standing(self, digest: str) -> BundleStanding | None:
        """What a bundle says of its stage and qualification; None where it is not at hand.

        Whether its promotions speak of its content, inspect verifies when it loads it; here that would bring torch.
        """
        folder = self._bundle(digest)
        if folder is None:
            return None
        proof = folder / "qualification.json"
        expires = json.loads(proof.read_bytes())["expires"] if proof.exists() else None
        ladder = folder / "promotions.json"
        stage = json.loads(ladder.read_bytes())[-1]["stage"] if ladder.exists() else "taught"
        return BundleStanding(folder.name, str(stage), None if expires is None else str(expires))

    def _folder(self, recipe_id: str) -> Path | None:
        if self._root is None:
            return None
        folder = (self._root / recipe_id).resolve()
        inside = folder.is_relative_to(self._root.resolve()) and folder != self._root.resolve()
        return folder if inside and folder.is_dir() else None

    def _bundle(self, digest: str) -> Path | None:
        for listed in sorted(self._bundles.glob("*/bundle.sha256")) if self._bundles else ():
            if hashlib.sha256(listed.read_bytes()).hexdigest() == digest:
                return listed.parent
        return None

    def _golden_of_bundle(self, digest: str, view_id: str) -> Iterator[ReferencePicture]:
        folder = self._bundle(digest)
        if folder is None:
            return
        try:
            golden = Golden.from_files((folder / "golden.npz").read_bytes(), (folder / "golden.json").read_bytes())
        except (BundleError, OSError) as error:
            _log.warning("golden pictures not read", bundle=folder.name, detail=str(error))
            return
        pairs = zip(golden.pictures, golden.answers, strict=True)
        good = [picture for picture, answer in pairs if not answer.defect and not answer.doubtful]
        for place, picture in enumerate(good[:3]):
            _, png = cv2.imencode(".png", picture if picture.ndim == 2 else picture[..., ::-1])
            yield ReferencePicture(f"bundle-{place}", "golden", bytes(png.tobytes()), "image/png", view_id)

    def _classes_of_bundle(self, digest: str) -> tuple[str, ...]:
        folder = self._bundle(digest)
        if folder is None:
            return ()
        names = json.loads((folder / "card.json").read_bytes()).get("class_names", [])
        return tuple(str(name) for name in names)


def _limits(folder: Path | None) -> Iterator[ReferencePicture]:
    for path in _pictures(folder, "limits/*"):
        side = next((one for one in ("acceptable", "unacceptable") if path.stem.startswith(one)), None)
        if side is not None:
            named = path.parent.name
            name = f"limit-{named}-{path.name}"
            approval = _approval(path.with_suffix(".json"))
            kind = _KINDS[path.suffix.lower()]
            figures = _figures(path)
            yield ReferencePicture(name, "limit", path.read_bytes(), kind, None, named, side, approval, figures)


def _pictures(folder: Path | None, where: str) -> list[Path]:
    if folder is None:
        return []
    found = sorted(path for path in folder.glob(f"{where}/*") if is_picture(path) and path.suffix.lower() in _KINDS)
    return [path for path in found if path.stat().st_size <= 8 << 20]


def _figures(path: Path) -> SampleFigures | None:
    beside = path.with_name(path.stem + SUFFIX)
    try:
        return SampleFigures.model_validate_json(beside.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        _log.warning("figures not read", path=str(beside), detail=str(error))
        return None


def _approval(path: Path) -> Approval | None:
    try:
        return Approval.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        _log.warning("approval not read", path=str(path), detail=str(error))
        return None
