"""Choosing golden pictures: every kind of answer, none so near a threshold that rounding decides."""

from collections.abc import Sequence

import numpy as np

from linewarden_train.data.samples import Samples
from linewarden_vision.card import Card
from linewarden_vision.golden import Golden, GoldenAnswer
from linewarden_vision.inspector import Inspector, ViewScore

_MARGIN_GAP = 0.2
_SUSPICION_GAP = 0.02


def choose_golden(inspector: Inspector, samples: Samples, *, each: int = 6) -> Golden:
    """Score samples on the inspector's device and keep up to ``each`` of NG, doubtful OK and trusted OK.

    Raises ValueError when a kind is missing altogether: give more samples.
    """
    scores = _score(inspector, samples)
    kinds: dict[tuple[bool, bool], list[int]] = {(True, False): [], (False, True): [], (False, False): []}
    for index, score in enumerate(scores):
        kind = _kind(score, inspector.card)
        if kind is not None and len(kinds[kind]) < each:
            kinds[kind].append(index)
    if not all(kinds.values()):
        raise ValueError("the golden set needs NG, doubtful and trusted pictures; give more samples")
    chosen = sorted(index for found in kinds.values() for index in found)
    return Golden(
        pictures=np.stack([samples[index].picture for index in chosen]),
        answers=[_answer(scores[index], inspector.card) for index in chosen],
    )


def _score(inspector: Inspector, samples: Samples) -> Sequence[ViewScore]:
    scores: list[ViewScore] = []
    for start in range(0, len(samples), 16):
        indices = range(start, min(start + 16, len(samples)))
        scores += inspector.score([inspector.prepare(samples[index].picture) for index in indices])
    return scores


def _kind(score: ViewScore, card: Card) -> tuple[bool, bool] | None:
    limits = card.thresholds
    if abs(score.margin - limits.defect.value) < _MARGIN_GAP:
        return None
    if limits.is_defect(score.margin):
        return (True, False)
    gate = card.trust.second.gate if card.trust.second else limits.suspicion.value
    near = min(abs(score.suspicion - limits.suspicion.value), abs(score.suspicion - gate))
    return None if near < _SUSPICION_GAP else (False, limits.is_doubtful(score.suspicion))


def _answer(score: ViewScore, card: Card) -> GoldenAnswer:
    return GoldenAnswer(
        margin=score.margin,
        suspicion=score.suspicion,
        defect=card.thresholds.is_defect(score.margin),
        doubtful=card.thresholds.is_doubtful(score.suspicion),
    )
