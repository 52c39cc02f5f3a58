"""What `linewarden recipe locate` does: a template from a good picture, into the recipe of a file, and tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from linewarden_domain.judgeable import LEAST_SCORE, MOST_TURN_DEG
from linewarden_schemas.recipe import Locate, Recipe, Region, ViewSpec
from linewarden_schemas.vocabulary import LocateBy
from linewarden_vision.inspecting.locating import located
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.templates import drawn, template_of, tried
from linewarden_vision.pictures.decoders import Picture
from linewarden_vision.pictures.folders import pictures_in
from linewarden_vision.pictures.reading import read_file, read_picture


@dataclass(frozen=True, slots=True)
class TaughtTemplate:
    """The recipe with the template, what its trials say, and whether all of them held."""

    recipe: Recipe
    told: tuple[str, ...]
    holds: bool


def taught(
    file: Path,
    picture: Path,
    box: str,
    by: str,
    view_id: str,
    good: Path | None,
    preview: Path | None,
    *,
    shift_px: float,
    turn_deg: float,
    score: float,
) -> TaughtTemplate:
    """Put a template into the recipe of a file.

    Raises:
        ValueError: for a box, view or picture that is none, or a template that tells too little.
    """
    recipe = Recipe.model_validate_json(file.read_bytes())
    view = _view(recipe, view_id)
    if not LEAST_SCORE <= score < 1.0 or turn_deg > MOST_TURN_DEG:
        raise ValueError(f"give --score from {LEAST_SCORE:g} to below 1, and --turn up to {MOST_TURN_DEG:g}")
    shown = _read(picture)
    kind = LocateBy(by)
    locate = template_of(shown, _region(box), kind, shift_px=shift_px, turn_deg=turn_deg, score=score)
    view = view.model_copy(update={"locate": locate})
    views = tuple(view if one.view_id == view.view_id else one for one in recipe.views)
    recipe = recipe.model_copy(update={"views": views})
    trial = tried(locate, shown)
    off = f"off by {trial.error_px:.2f} pixels and {trial.error_deg:.3f} degrees at most"
    held = trial.count - len(trial.lost)
    told = [f"{held} of {trial.count} trials held: {off}, score {trial.least_score:.3f} or more", *trial.lost]
    others = list(_tries(locate, good)) if good is not None else []
    told += [line for line, _ in others]
    if preview is not None and not cv2.imwrite(str(preview), drawn(shown, recipe, view, located(shown, locate))):
        raise ValueError(f"{preview} cannot be written; give a name that ends in .png")
    return TaughtTemplate(recipe, tuple(told), not trial.lost and all(is_found for _, is_found in others))


def _tries(locate: Locate, folder: Path) -> Iterator[tuple[str, bool]]:
    for path in pictures_in(folder):
        try:
            place = located(_read(path), locate).location
        except PictureRefused as refused:
            yield f"{path.name}: {refused.detail}", False
        else:
            shift = f"{place.shift_x_px:+.2f}, {place.shift_y_px:+.2f} pixels"
            yield f"{path.name}: {shift}, {place.turn_deg:+.2f} degrees, score {place.score:.3f}", True


def _view(recipe: Recipe, view_id: str) -> ViewSpec:
    known = {one.view_id: one for one in recipe.views}
    if not view_id and len(known) == 1:
        return recipe.views[0]
    if view_id not in known:
        raise ValueError(f"give --view: the recipe has {', '.join(known)}")
    return known[view_id]


def _region(box: str) -> Region:
    try:
        x, y, width, height = (int(one) for one in box.split(","))
    except ValueError as error:
        raise ValueError(f"--box {box}: give X,Y,WIDTH,HEIGHT in whole pixels") from error
    return Region(x=x, y=y, width=width, height=height)


def _read(path: Path) -> Picture:
    try:
        return read_picture(read_file(path))
    except PictureRefused as refused:
        raise ValueError(f"{path}: {refused.detail}") from refused
