"""Places of a picture that are like a template.

Coarse: the normalised correlation of the template with the search window, reduced and turned step by step. Fine: the
enhanced correlation coefficient (Evangelidis and Psarakis 2008) over shift and turn, from coarse to full size. The
score is the normalised correlation of the template with the picture at the place found. Same picture, same answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from linewarden_vision.inspecting.features import Grey, Matrix, Template, reduced

SAME_PX = 2.0
"""Two places are the same up to so many pixels of the template."""
_COARSE_SIDE = 40
"""Pixels of the template's longer side where the search begins."""
_COARSE_STEP_PX = 1.5
"""By how much a corner of the coarse template moves from one turn to the next."""
_CANDIDATES = 6
_HOPELESS = 0.25
"""How far a coarse score may lie below the best one and still be looked at."""
_BLOCK, _RELIGHTS = 8, 2
_STEPS = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 30, 1e-4)


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A place: the template's pixels in those of the window (2 x 3), and its score.

    `alike`: of how many pixels together the difference from the template is one, since light and shade are no noise.
    """

    warp: Matrix
    score: float
    alike: float = 1.0


def places(template: Template, window: Grey, most_turn_deg: float) -> list[FoundPlace]:
    """Places that may be the part's, refined; each once."""
    if any(one < own for one, own in zip(window.shape, template.features.shape, strict=True)):
        return []
    longest = max(template.features.shape)
    scales = [1]
    while longest / scales[-1] > _COARSE_SIDE and min(template.features.shape) / scales[-1] > 16:
        scales.append(scales[-1] * 2)
    small, around = reduced(template.features, scales[-1]), reduced(window, scales[-1])
    begun = _coarse(small, around, most_turn_deg)
    best = max((one.score for one in begun), default=0.0)
    warps = (_climbed(small, around, one.warp, template.turns) for one in begun if one.score >= best - _HOPELESS)
    starts = _each_once([_finer(one, scales[-1]) for one in warps if one is not None], template, SAME_PX * scales[-1])
    ends = (_refined(template, window, one, scales[:-1]) for one in starts)
    shape = template.features.shape
    kept = _each_once([one for one in ends if one is not None], template, SAME_PX)
    return [_compared(template.features, _seen(window, one, shape), one) for one in kept]


def relit(template: Template, window: Grey, found: FoundPlace) -> FoundPlace:
    """The place once more, by a template under the light of the picture, which would draw it to one side.

    Light and shade are fitted as a plane each, by least squares (as affine photometric registration does). Of the
    place that comes out `score` tells how far it is certain, not whether it is the part.
    """
    features = template.features
    down, along = (np.linspace(-1.0, 1.0, side, dtype=np.float32) for side in features.shape)
    y, x = np.meshgrid(down, along, indexing="ij")
    known = np.stack([features, features * x, features * y, np.ones_like(x), x, y], axis=-1)
    rows = known[::2, ::2].reshape(-1, 6).astype(np.float64)
    squares, place = rows.T @ rows, found
    for _ in range(_RELIGHTS):
        seen = _seen(window, place.warp, features.shape)
        if seen is None:
            return found
        fit = np.linalg.lstsq(squares, rows.T @ seen[::2, ::2].ravel().astype(np.float64), rcond=None)[0]
        if not fit[0] > abs(float(fit[1])) + abs(float(fit[2])):  # no light makes dark of bright
            return found
        lit = np.asarray(known @ fit.astype(np.float32), np.float32)
        warp = _climbed(lit, window, place.warp, template.turns)
        if warp is None or template.apart_px(warp, found.warp) > SAME_PX * 2:
            return found
        place = _compared(lit, _seen(window, warp, features.shape), warp)
    return place if place.score > 0.0 else found


def _each_once(warps: list[Matrix], template: Template, same_px: float) -> list[Matrix]:
    known: list[Matrix] = []
    for one in warps:
        if all(template.apart_px(one, each) > same_px for each in known):
            known.append(one)
    return known


def _coarse(template: Grey, window: Grey, most_turn_deg: float) -> list[FoundPlace]:
    """The places with the highest correlation, of all turns; warps in coarse pixels."""
    height, width = template.shape
    middle = ((window.shape[1] - 1) / 2, (window.shape[0] - 1) / 2)
    step = math.degrees(_COARSE_STEP_PX / (math.hypot(height, width) / 2))
    count = math.ceil(most_turn_deg / step)
    turns = [most_turn_deg * number / count for number in range(-count, count + 1)] if count else [0.0]
    maps = []
    for turn in turns:
        to_turned = cv2.getRotationMatrix2D(middle, turn, 1.0)  # the picture turned back
        turned = cv2.warpAffine(window, to_turned, window.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        maps.append(cv2.matchTemplate(turned, template, cv2.TM_CCOEFF_NORMED))
    scores = np.nan_to_num(np.stack(maps), nan=-1.0, posinf=-1.0, neginf=-1.0)
    found: list[FoundPlace] = []
    apart = max(2, round(0.2 * min(height, width)))
    for _ in range(_CANDIDATES):
        number, row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        score = float(scores[number, row, column])
        if not score > 0.0:
            break
        back = cv2.invertAffineTransform(cv2.getRotationMatrix2D(middle, turns[int(number)], 1.0))
        begin = np.array([[1.0, 0.0, float(column)], [0.0, 1.0, float(row)], [0.0, 0.0, 1.0]])
        found.append(FoundPlace(np.asarray(back @ begin, np.float64), score))
        near = slice(max(0, int(number) - 1), int(number) + 2)  # the same place, turned further, is another start
        rows = slice(max(0, int(row) - apart), int(row) + apart + 1)
        scores[near, rows, max(0, int(column) - apart) : int(column) + apart + 1] = -1.0
    return found


def _refined(template: Template, window: Grey, start: Matrix, scales: list[int]) -> Matrix | None:
    """The place from coarse to full size; None where it leads nowhere."""
    warp: Matrix | None = start
    for scale in reversed(scales):
        if warp is None:
            return None
        warp = _climbed(
            reduced(template.features, scale), reduced(window, scale), _finer(warp, 1 / scale), template.turns
        )
        warp = None if warp is None else _finer(warp, scale)
    return warp


def _climbed(template: Grey, window: Grey, warp: Matrix, turns: bool) -> Matrix | None:
    """The place near another one where the correlation is highest; None where there is none."""
    start = warp.astype(np.float32)
    motion = cv2.MOTION_EUCLIDEAN if turns else cv2.MOTION_TRANSLATION
    try:
        _, moved = cv2.findTransformECC(template, window, start, motion, _STEPS, None, 3)  # type: ignore[call-overload]  # stubs know no mask None
    except cv2.error:  # it does not converge, or leads out of the window
        return None
    return np.asarray(moved, np.float64) if np.isfinite(moved).all() else None


def _finer(warp: Matrix, times: float) -> Matrix:
    """A warp between reduced pixels as one between pixels that are `times` smaller."""
    offset = np.full(2, (times - 1) / 2)
    moved = warp.copy()
    moved[:, 2] = times * warp[:, 2] + offset - warp[:, :2] @ offset
    return moved


def _seen(window: Grey, warp: Matrix, shape: tuple[int, ...]) -> Grey | None:
    """What the picture shows in the template's place; None where that reaches out of the window."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]]) @ warp.T
    if corners.min() < -0.5 or (corners > np.array(window.shape[::-1]) - 0.5).any():
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(window, warp, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _compared(template: Grey, seen: Grey | None, warp: Matrix) -> FoundPlace:
    """A place with its score, 0 where it reaches out of the window, and with how alike differences of neighbours are.

    The latter by the variance of means over blocks of the difference, against what independent pixels would give.
    """
    if seen is None:
        return FoundPlace(warp, 0.0)
    one, other = template - template.mean(), seen - seen.mean()
    power = math.sqrt(float((one * one).sum()) * float((other * other).sum()))
    if not power > 0.0:
        return FoundPlace(warp, 0.0)
    score = float((one * other).sum()) / power
    apart = other / max(float(other.std()), 1e-9) - score * one / max(float(one.std()), 1e-9)
    block = min(_BLOCK, *template.shape)
    return FoundPlace(warp, score, float(reduced(apart, block).var()) * block**2 / max(float(apart.var()), 1e-9))
