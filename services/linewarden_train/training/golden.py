"""Choosing golden pictures: every kind of answer, none so near a threshold that rounding decides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linewarden_train.data.samples import Samples
from linewarden_vision.card import Card
from linewarden_vision.golden import Golden, GoldenAnswer
from linewarden_vision.inspector import Inspector, ViewScore

Kind = tuple[bool, bool]
"""(defect, doubtful); doubt about a rejected picture decides nothing."""
_WORDS: dict[Kind, str] = {(True, False): "NG", (False, True): "doubtful OK", (False, False): "trusted OK"}


@dataclass(frozen=True, slots=True)
class _Clearance:
    """How far from a threshold a golden picture keeps."""

    margin: float
    suspicion: float


_WIDE = _Clearance(0.2, 0.02)
_LEAST = _Clearance(0.01, 0.0005)  # float32 on two devices differs by less than a tenth of this


def choose_golden(inspector: Inspector, samples: Samples, *, each: int = 6, complete: bool = True) -> Golden:
    """Score samples on the inspector's device and keep up to ``each`` of NG, doubtful OK and trusted OK.

    Pictures may differ in size, colour and depth. Where the thresholds lie too close among the scores for
    the usual distance, a distance relative to the spread of these scores is taken. Raises ValueError,
    naming the kind, when one has no picture that is clear of the thresholds: give more samples, or take what
    there is with ``complete`` off, when only a set without any such picture is refused.
    """
    if not len(samples):
        raise ValueError("the golden set needs pictures; there are none")
    scores: list[ViewScore] = []
    for start in range(0, len(samples), 16):
        indices = range(start, min(start + 16, len(samples)))
        scores += inspector.score([inspector.prepare(samples[index].picture) for index in indices])
    narrow = _narrow(scores)
    kinds = _sort(scores, inspector.card, _WIDE, each)
    if not all(kinds.values()):
        kinds = _sort(scores, inspector.card, narrow, each)
    for kind, found in kinds.items():
        if not found and (complete or not any(kinds.values())):
            near = sum(_kind(score, inspector.card, _Clearance(0.0, 0.0)) == kind for score in scores)
            raise ValueError(
                f"the golden set needs a {_WORDS[kind]}: {near} of {len(scores)} pictures are, none of them farther "
                f"than {narrow.margin:.3g} (margin) and {narrow.suspicion:.3g} (suspicion) from a threshold; "
                "give more samples"
            )
    limits = inspector.card.thresholds
    chosen = sorted(index for found in kinds.values() for index in found)
    return Golden(
        pictures=[samples[index].picture for index in chosen],
        answers=[
            GoldenAnswer(
                margin=scores[index].margin,
                suspicion=scores[index].suspicion,
                defect=limits.is_defect(scores[index].margin),
                doubtful=limits.is_doubtful(scores[index].suspicion),
            )
            for index in chosen
        ],
    )


def lacking(golden: Golden) -> list[str]:
    """Name the kinds of answer that a golden set does not hold: the gate cannot see those flip."""
    held = {(answer.defect, answer.doubtful and not answer.defect) for answer in golden.answers}
    return [word for kind, word in _WORDS.items() if kind not in held]


def _narrow(scores: Sequence[ViewScore]) -> _Clearance:
    """The distance for tight thresholds: never wider than the usual one, never within reach of rounding.

    In between, a twentieth of what lies between the 5th and the 95th percentile of the scores.
    """
    margins, suspicions = ([score.margin for score in scores], [score.suspicion for score in scores])
    share = [0.05 * float(np.subtract(*np.percentile(values, [95, 5]))) for values in (margins, suspicions)]
    return _Clearance(
        margin=float(np.clip(share[0], _LEAST.margin, _WIDE.margin)),
        suspicion=float(np.clip(share[1], _LEAST.suspicion, _WIDE.suspicion)),
    )


def _sort(scores: Sequence[ViewScore], card: Card, gap: _Clearance, each: int) -> dict[Kind, list[int]]:
    """Indices of the first ``each`` of every kind."""
    kinds: dict[Kind, list[int]] = {kind: [] for kind in _WORDS}
    for index, score in enumerate(scores):
        kind = _kind(score, card, gap)
        if kind is not None and len(kinds[kind]) < each:
            kinds[kind].append(index)
    return kinds


def _kind(score: ViewScore, card: Card, gap: _Clearance) -> Kind | None:
    limits = card.thresholds
    if abs(score.margin - limits.defect.value) < gap.margin:
        return None
    if limits.is_defect(score.margin):
        return (True, False)
    gate = card.trust.second.gate if card.trust.second else limits.suspicion.value
    near = min(abs(score.suspicion - limits.suspicion.value), abs(score.suspicion - gate))
    return None if near < gap.suspicion else (False, limits.is_doubtful(score.suspicion))
