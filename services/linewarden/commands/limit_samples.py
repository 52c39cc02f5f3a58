"""What `linewarden recipe measure` does: every limit sample of a recipe measured, its figures written beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from linewarden_domain.limit_samples import SUFFIX, SampleFigures
from linewarden_runtime.files import replace_file
from linewarden_schemas.recipe import Recipe, ViewSpec
from linewarden_vision.bundle import find_bundle, read_bundle
from linewarden_vision.errors import UnusablePicture
from linewarden_vision.inspecting.limit_samples import sample_figures
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspector import Inspector
from linewarden_vision.pictures.folders import is_picture


def measured_samples(
    file: Path, references: Path, bundles: Path, view: str, device: str, now_ms: int
) -> list[dict[str, Any]]:
    """A row a sample; one that the line would not judge is told with its reason, and loses its old figures.

    Raises ValueError for what is no recipe, a view that it does not have, or a recipe that measures nothing, and
    BundleError where its bundle is not there.
    """
    try:
        recipe = Recipe.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{file} is no recipe: {error.errors()[0]['msg']}") from error
    shown = _view(recipe, view)
    folder = references / recipe.recipe_id / "limits"
    samples = sorted(path for path in folder.glob("*/*") if is_picture(path))
    bundle = read_bundle(find_bundle(bundles, recipe.bundle_digest), expected_digest=recipe.bundle_digest)
    inspector = Inspector.from_bundle(bundle, device)
    return [_measured(path, inspector, recipe, shown, now_ms) for path in samples]


def _view(recipe: Recipe, named: str) -> ViewSpec:
    views = [one for one in recipe.views if named in ("", one.view_id)]
    if len(views) != 1:
        raise ValueError(f"--view names one of {', '.join(one.view_id for one in recipe.views)}")
    return views[0]


def _measured(path: Path, inspector: Inspector, recipe: Recipe, view: ViewSpec, now_ms: int) -> dict[str, Any]:
    beside = path.with_name(path.stem + SUFFIX)
    try:
        figures = sample_figures(inspector, recipe, view, path.read_bytes(), now_ms)
    except (PictureRefused, UnusablePicture) as refused:
        beside.unlink(missing_ok=True)
        return {"sample": f"{path.parent.name}/{path.name}", "verdict": "-", "defects": "-", "refused": str(refused)}
    replace_file(beside, figures.model_dump_json(indent=1, exclude_none=True).encode() + b"\n")
    told = "; ".join(_words(figures)) or "none"
    return {
        "sample": f"{path.parent.name}/{path.name}",
        "verdict": figures.verdict.value,
        "defects": told,
        "refused": "",
    }


def _words(figures: SampleFigures) -> list[str]:
    return [
        f"{one.defect_class or 'defect'} {one.length_mm:.2f} ± {one.length_error_mm:.2f} mm, "
        f"{one.area_mm2:.2f} ± {one.area_error_mm2:.2f} mm², {'within' if one.is_within else 'beyond'}"
        for one in figures.defects
        if not one.is_ignored
    ]
