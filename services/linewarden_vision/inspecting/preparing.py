"""From a verified frame to the network's input: recipe, bundle, region of interest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linewarden_domain.words import said
from linewarden_schemas.envelope import Frame
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.live_limit import LiveLimit
from linewarden_schemas.recipe import Recipe, Region, ViewSpec
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.errors import BundleError, GateError, UnusablePicture
from linewarden_vision.inspecting.intake import verify
from linewarden_vision.inspecting.locating import Placement, located
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import Scorer
from linewarden_vision.pictures.decoders import Picture, decode
from linewarden_vision.pictures.reading import PictureLimits

_FROM_VISION = {
    "shape": Undecidable.UNREADABLE,
    "size": Undecidable.TOO_LARGE,
    "dtype": Undecidable.UNREADABLE,
    "levels": Undecidable.OUT_OF_DISTRIBUTION,
    "brightness": Undecidable.OUT_OF_DISTRIBUTION,
    "contrast": Undecidable.OUT_OF_DISTRIBUTION,
}


@dataclass(frozen=True, slots=True)
class Ready:
    """A frame that only waits for the device; `native` is the picture's whole (height, width).

    `region` is what is judged of it: the view's, moved with the part where that is located (`placement`).
    """

    frame: Frame
    source: SourceRef
    recipe: Recipe
    region: Region | None
    scorer: Scorer
    prepared: object
    native: tuple[int, int]
    placement: Placement | None = None
    live: LiveLimit | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where recipes, bundles and live limits are looked up; the first two may wait, within bounds of their own.

    `recipe` answers None for one that is unknown, and raises PictureRefused where nobody can know now; `scorer` raises
    BundleError or GateError for a bundle that cannot be used here; `live` answers None where nobody knows the limit of
    a line under a recipe.
    """

    recipe: Callable[[RecipeRef], Recipe | None]
    scorer: Callable[[str], Scorer]
    live: Callable[[str, RecipeRef], LiveLimit | None] = lambda *_: None


def refuse_if_late(frame: Frame, now_ms: int) -> None:
    """Raise PictureRefused LATE at or after the frame's decide-by (both epoch ms)."""
    if now_ms >= frame.meta.decide_by_ms:
        over = now_ms - frame.meta.decide_by_ms
        raise PictureRefused(Undecidable.LATE, said("frame_late", over=over))


def make_ready(
    frame: Frame, source: SourceRef, shelf: Shelf, limits: PictureLimits, now_ms: Callable[[], int]
) -> Ready:
    """Verify, decode and prepare one frame.

    Raises:
        PictureRefused: with any reason but DEVICE_FAULT.
    """
    header = verify(frame, limits)
    refuse_if_late(frame, now_ms())
    recipe = shelf.recipe(frame.meta.recipe)
    if recipe is None:
        raise PictureRefused(Undecidable.UNKNOWN_RECIPE, said("recipe_unusable", recipe=frame.meta.recipe.short))
    view = _view(frame, recipe)
    try:
        scorer = shelf.scorer(recipe.bundle_digest)
    except (BundleError, GateError) as error:
        raise PictureRefused(Undecidable.UNKNOWN_BUNDLE, str(error)) from error
    refuse_if_late(frame, now_ms())
    picture = decode(frame.picture, header)
    region, placement = placed(picture, view)
    prepared = prepare(scorer, cropped(picture, region, placement))
    native = (header.height, header.width)
    live = shelf.live(frame.meta.line_id, frame.meta.recipe if frame.meta.recipe.digest else recipe.ref())
    return Ready(frame, source, recipe, region, scorer, prepared, native, placement, live)


def placed(picture: Picture, view: ViewSpec) -> tuple[Region | None, Placement | None]:
    """What of a picture is judged, and where the part lies, for a view that has it located; raises PictureRefused."""
    if view.locate is None:
        return view.region, None
    placement = located(picture, view.locate)
    return None if view.region is None else placement.region(view.region), placement


def prepare(scorer: Scorer, picture: Picture) -> object:
    """What the network takes of a picture (HxW or HxWx3); raises PictureRefused for one that the bundle cannot take."""
    try:
        prepared: object = scorer.prepare(picture)
    except UnusablePicture as unusable:
        raise PictureRefused(_FROM_VISION.get(unusable.reason, Undecidable.UNREADABLE), unusable.detail) from unusable
    return prepared


def _view(frame: Frame, recipe: Recipe) -> ViewSpec:
    for view in recipe.views:
        if view.view_id == frame.meta.view_id:
            if view.camera_id != frame.meta.camera_id:
                cameras = {"expected": view.camera_id, "camera": frame.meta.camera_id}
                detail = said("camera_of_other_view", view=view.view_id, **cameras)
                raise PictureRefused(Undecidable.BAD_METADATA, detail)
            return view
    detail = said("view_not_expected", recipe=f"{recipe.recipe_id}@{recipe.version}", view=frame.meta.view_id)
    raise PictureRefused(Undecidable.BAD_METADATA, detail)


def cropped(picture: Picture, region: Region | None, placement: Placement | None = None) -> Picture:
    """The region's own pixels, all of the picture without one; raises PictureRefused for one that does not lie inside.

    Nothing is turned or resampled: the network sees what the camera saw.
    """
    if region is None:
        return picture
    height, width = picture.shape[:2]
    fits = region.x >= 0 and region.y >= 0 and region.width > 0 and region.height > 0
    if not fits or region.x + region.width > width or region.y + region.height > height:
        # Of a part that was located the record is sound: it lies too near the picture's edge.
        why = Undecidable.BAD_METADATA if placement is None else Undecidable.PART_MISPLACED
        raise PictureRefused(why, said("region_outside", width=width, height=height))
    return picture[region.y : region.y + region.height, region.x : region.x + region.width]
