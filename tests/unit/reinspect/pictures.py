"""Evidence of synthetic parts: a JPEG, a mask at its size, two small heatmaps on a fixed scale."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Evidence, Maps
from linewarden_vision.synthetic.part import SyntheticPart, make_part

AT = 1_764_000_000_000
_HEAT_SIZE = 40


def part(number: int, *, size: int = 512, views: int = 3) -> SyntheticPart:
    """A defective part."""
    return make_part(seed=number, views=views, size=size, defect_rate=1.0)


def evidence(visit_id: str, frame_id: str, view_id: str, number: int, index: int, *, size: int = 512) -> Evidence:
    """Evidence of one view of a part."""
    view = part(number, size=size).views[index]
    jpeg = _encoded(".jpg", view.picture)
    mask = (np.asarray(view.mask) > 0).astype(np.uint8) * 255
    return Evidence(
        frame_id=frame_id,
        visit_id=visit_id,
        view_id=view_id,
        picture=jpeg,
        content_type="image/jpeg",
        sha256=digest(jpeg),
        maps=Maps(
            mask_png=_encoded(".png", mask),
            class_specific_png=_encoded(".png", _heat(mask, 0.9)),
            class_agnostic_png=_encoded(".png", _heat(mask, 0.6, number)),
        ),
        kept_ms=AT,
    )


def _heat(mask: NDArray[np.uint8], strength: float, seed: int | None = None) -> NDArray[np.uint8]:
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), mask.shape[0] / 30)
    resized = cv2.resize(soft, (_HEAT_SIZE, _HEAT_SIZE), interpolation=cv2.INTER_AREA)
    small = np.asarray(resized, dtype=np.float32)
    small = small / np.float32(max(float(small.max()), 1e-6)) * np.float32(strength)
    if seed is not None:
        noise = np.random.default_rng(seed).random((_HEAT_SIZE, _HEAT_SIZE), dtype=np.float32)
        small = small + np.float32(0.35) * np.asarray(cv2.GaussianBlur(noise, (0, 0), 3.0), dtype=np.float32)
    return np.asarray(np.clip(small * 255, 0, 255).astype(np.uint8))


def _encoded(kind: str, image: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(kind, image)
    assert done
    return bytes(data.tobytes())
