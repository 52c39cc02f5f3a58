"""From a bundle and a data set to scores, on the path that production takes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Sample, Samples
from linewarden_train.evaluation.scored import Pixels, ScoredSet
from linewarden_train.training.classes import NOT_MARKED, UNKNOWN, ToldRegion, parts_of
from linewarden_vision.errors import ScoresNotFinite, UnusablePicture
from linewarden_vision.inspector import Inspector, ViewScore
from linewarden_vision.prepare import Prepared


@dataclass(frozen=True, slots=True)
class ShownMiss:
    """A miss that trust believes in, for people to look at."""

    name: str
    group: str
    defect_class: str
    picture: NDArray[np.generic]
    truth: NDArray[np.bool_] | None
    score: ViewScore


@dataclass(slots=True)
class Rows:
    """What the inspector said, in order; undecidable pictures by reason, the worst misses, and classes of regions."""

    margin: Values
    suspicion: Values
    mask_any: NDArray[np.bool_]
    pixels: list[tuple[int, int, int, int]]
    undecidable: Counter[str] = field(default_factory=Counter)
    worst: list[ShownMiss] = field(default_factory=list)
    regions: list[ToldRegion] = field(default_factory=list)
    let_go: set[int] = field(default_factory=set)
    """Indices of pictures whose marks a recipe's criteria let go."""

    @property
    def decided(self) -> list[int]:
        """Indices of pictures with a verdict."""
        return [int(index) for index in np.flatnonzero(~np.isnan(self.margin))]


def inspect_samples(
    inspector: Inspector,
    samples: Samples,
    *,
    worst: int = 0,
    lets_go: Callable[[ViewScore], bool] = lambda _: False,
    on_scored: Callable[[int], None] = lambda _: None,
) -> Rows:
    """Inspect every sample; keep the ``worst`` misses: those with the lowest suspicion.

    A picture that cannot be judged stays without numbers and is counted by its reason. ``lets_go`` is asked whether
    criteria let a picture's marks go.
    """
    count = len(samples)
    rows = Rows(np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, bool), [(-1, -1, -1, -1)] * count)
    for start in range(0, count, 16):
        chunk = range(start, min(start + 16, count))
        ready: dict[int, tuple[Sample, Prepared]] = {}
        for index in chunk:
            sample = samples[index]
            try:
                ready[index] = (sample, inspector.prepare(sample.picture))
            except UnusablePicture as error:
                rows.undecidable[error.reason] += 1
        for index, score in _score(inspector, {index: one for index, (_, one) in ready.items()}, rows).items():
            _note(rows, index, ready[index][0], score, inspector, worst)
            if lets_go(score):
                rows.let_go.add(index)
        on_scored(len(chunk))
    return rows


def _score(inspector: Inspector, prepared: Mapping[int, Prepared], rows: Rows) -> dict[int, ViewScore]:
    """Score a chunk; where it gives no finite numbers, one at a time, so that only the culprit goes unjudged."""
    try:
        return dict(zip(prepared, inspector.score(list(prepared.values())), strict=True))
    except ScoresNotFinite:
        if len(prepared) == 1:
            rows.undecidable["scores not finite"] += 1
            return {}
    return {index: score for index, one in prepared.items() for score in _score(inspector, {index: one}, rows).values()}


def _note(rows: Rows, index: int, sample: Sample, score: ViewScore, inspector: Inspector, worst: int) -> None:
    rows.margin[index], rows.suspicion[index] = score.margin, score.suspicion
    rows.mask_any[index] = bool(score.mask.any())
    rows.pixels[index] = Pixels.of(score.mask, sample.mask)
    rows.regions.extend(told_regions(score, sample))
    if worst and sample.label.defective and not inspector.card.thresholds.is_defect(score.margin):
        label = sample.label
        name = label.name or str(index)
        rows.worst.append(ShownMiss(name, label.group, label.defect_class, sample.picture, sample.mask, score))
        rows.worst.sort(key=lambda shown: shown.score.suspicion)
        del rows.worst[worst:]


def told_regions(score: ViewScore, sample: Sample) -> Iterator[ToldRegion]:
    """What the marked regions of a picture were told to show; nothing where the bundle tells no classes.

    Of a defective picture those that touch its true mask, or that nothing of it was marked; without a mask nothing.
    """
    if score.classes is None or (sample.label.defective and sample.mask is None):
        return
    hit = False
    for piece, corner in parts_of(score.mask):
        box = tuple(slice(begin, begin + side) for begin, side in zip(corner, piece.shape, strict=True))
        if sample.label.defective and not (sample.mask is not None and (sample.mask[box] & piece).any()):
            continue
        hit = True
        yield ToldRegion(sample.label, score.classes.of(piece, corner).defect_class or UNKNOWN)
    if sample.label.defective and not hit:
        yield ToldRegion(sample.label, NOT_MARKED)


def scored_of(inspector: Inspector, samples: Samples, rows: Rows, more: Mapping[str, Values]) -> ScoredSet:
    """Put one bundle's rows into a record; ``more`` holds further scores of the decided pictures, in order."""
    count = len(samples)
    decided = rows.decided
    scores = {"trust": rows.suspicion}
    for name, values in more.items():
        if name not in {"margin", "trust"}:
            whole = np.full(count, np.nan)
            whole[decided] = values
            scores[name] = whole
    return ScoredSet(
        names=[label.name or str(index) for index, label in enumerate(samples.labels)],
        labels=list(samples.labels),
        fold=np.zeros(count, np.int64),
        seed=np.zeros(count, np.int64),
        margin=rows.margin,
        reject_above=np.full(count, inspector.card.thresholds.defect.value),
        scores=scores,
        mask_any=rows.mask_any,
        pixels=Pixels.stack(rows.pixels),
    )
