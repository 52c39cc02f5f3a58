"""A synthetic part: several views of one textured piece, perhaps with one defect.

Same arguments, same bytes (on the same library versions and processor family: the
last bit of a blur may differ elsewhere). A part's surface depends on its seed alone,
so the same seed with ``defect_rate=0`` is the flawless twin of a defective part.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewarden_vision.synthetic.defects import DEFECT_CLASSES, DefectClass, draw_defect
from linewarden_vision.synthetic.surface import draw_surface

_PART, _SURFACE, _DEFECT = range(3)  # independent random streams of one seed


@dataclass(frozen=True, slots=True)
class SyntheticView:
    """One picture of a part: grey HxW uint8, exact mask HxW bool, class or None if nothing shows."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    defect_class: DefectClass | None


@dataclass(frozen=True, slots=True)
class SyntheticPart:
    """All views of one part; a defective one shows its defect in one or two of them."""

    views: list[SyntheticView]
    defective: bool


def make_part(
    seed: int,
    *,
    views: int = 3,
    size: int = 160,
    defect_rate: float = 0.1,
    difficulty: float = 0.5,
) -> SyntheticPart:
    """Make one part; ``difficulty`` 0 is plain to see, 1 is at the edge of the texture's noise.

    View 0 is a brushed plate, 1 a turned ring, 2 a cast face; further views repeat these.
    A defect lies on the part, at least a few pixels inside its outline.
    Raises ValueError when an argument is out of its range.
    """
    defective, kind, showing = _plan(seed, views, size, defect_rate, difficulty)
    made = [
        _make_view(seed, index, size, difficulty, kind if defective and index in showing else None)
        for index in range(views)
    ]
    return SyntheticPart(views=made, defective=defective)


def make_view(
    seed: int,
    index: int,
    *,
    views: int = 3,
    size: int = 160,
    defect_rate: float = 0.1,
    difficulty: float = 0.5,
) -> SyntheticView:
    """Make view ``index`` of the part that `make_part` makes of the same arguments, and draw no other view.

    Raises ValueError when an argument is out of its range.
    """
    if not 0 <= index < views:
        raise ValueError(f"view {index} of a part with {views} views (they count from 0)")
    defective, kind, showing = _plan(seed, views, size, defect_rate, difficulty)
    return _make_view(seed, index, size, difficulty, kind if defective and index in showing else None)


def _plan(
    seed: int, views: int, size: int, defect_rate: float, difficulty: float
) -> tuple[bool, DefectClass, list[int]]:
    """Whether the part is defective, by what, and which views show it."""
    if views < 1:
        raise ValueError(f"a part has at least one view, not {views}")
    if size < 64:
        raise ValueError(f"size {size}: below 64 pixels the textures and defects no longer fit")
    if not 0 <= defect_rate <= 1 or not 0 <= difficulty <= 1:
        raise ValueError(f"defect_rate {defect_rate} and difficulty {difficulty} lie between 0 and 1")
    rng = np.random.default_rng([seed, _PART])
    defective = bool(rng.random() < defect_rate)
    kind = DEFECT_CLASSES[int(rng.integers(len(DEFECT_CLASSES)))]
    showing = rng.permutation(views)[: 2 if rng.random() < 0.2 else 1].tolist()
    return defective, kind, showing


def _make_view(seed: int, index: int, size: int, difficulty: float, kind: DefectClass | None) -> SyntheticView:
    surface = draw_surface(np.random.default_rng([seed, _SURFACE, index]), index % 3, size, difficulty)
    defect = np.zeros((size, size), np.float32)
    if kind is not None:
        defect = draw_defect(np.random.default_rng([seed, _DEFECT, index]), kind, surface.region, difficulty)
    grey = (surface.reflectance + defect) * surface.illumination + surface.noise
    return SyntheticView(np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8), defect != 0, kind)
