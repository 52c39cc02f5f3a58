"""Qualify a bundle: draw, refuse what cannot be certified, score once, set the limit, write the record.

The order is the guarantee: rates, confidence and the draw are fixed before anything is scored, and groups that made
the bundle are refused. The limit is chosen once; the new bundle carries it together with the digest of its content.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np

from linewarden_domain.resampling import Values
from linewarden_schemas.vocabulary import VerdictRule
from linewarden_train.data.groups import Subset
from linewarden_train.data.samples import Label, Samples, digest_of
from linewarden_train.evaluation.of_bundle import Rows, inspect_samples
from linewarden_train.qualification.bound import Bound, qualify
from linewarden_train.qualification.criteria import CriteriaJudge, CutSamples
from linewarden_train.qualification.plan import DrawnGroups, Request, check_apart_from, draw, parts_digest
from linewarden_vision.bundle import Bundle, content_of
from linewarden_vision.card import CalibrationProvenance, Card, Threshold
from linewarden_vision.content import at_precision
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from linewarden_vision.promotions import PROMOTIONS
from linewarden_vision.qualification import Attempt, ClassEvidence, Qualification, Statement


@dataclass(frozen=True, slots=True)
class Qualified:
    """The new bundle's parts, its record, and the bound over all defects."""

    card: Card
    golden: Golden
    extra: dict[str, bytes]
    record: Qualification
    bound: Bound


def qualify_bundle(
    bundle: Bundle,
    inspector: Inspector,
    samples: Samples,
    request: Request,
    *,
    judge: CriteriaJudge | None = None,
    earlier: Sequence[Attempt] = (),
    on_scored: Callable[[int], None] = lambda _: None,
) -> Qualified:
    """Qualify on one side of a set; ``earlier`` are attempts on the same parts that the bundle does not record.

    With ``judge``, pictures whose true defects lie within a recipe's criteria are left out before the draw, and what
    the criteria let go of the others counts as not rejected.

    Raises NotApartError, NotCertifiableError, and ValueError for a class that the set does not hold.
    """
    data_digest = digest_of(samples)
    samples, within = (samples, 0) if judge is None else _beyond(CutSamples(samples, judge.view), judge)
    labels = list(samples.labels)
    check_apart_from(bundle, labels, data_digest)
    own = bundle.qualification.attempts if bundle.qualification else []
    known = list(dict.fromkeys([*own, *earlier]))
    drawn = draw(labels, request, known)
    lets_go = (lambda _: False) if judge is None else partial(judge.lets_go, card=inspector.card)
    rows = inspect_samples(inspector, Subset(samples, drawn.all), lets_go=lets_go, on_scored=on_scored)
    by_mask = judge is not None and judge.recipe.verdict_rule is VerdictRule.EITHER
    suspicion = as_qualified(rows, inspector.card, request.tolerance, by_mask=by_mask)
    by_index = dict(zip(drawn.all, suspicion, strict=True))
    bounds = {
        name: qualify(np.asarray([by_index[index] for index in indices]), rate=request.rates[name], delta=drawn.delta)
        for name, indices in drawn.indices.items()
    }
    limit = divert_from(bounds.values(), bundle.card.thresholds.suspicion.value, request)
    card = _moved(bundle.card, limit, bounds[None], request, data_digest)
    counts, classes = _outcome(rows, drawn, labels, card, by_index)
    record = _record(bundle, inspector, card, request, (drawn, bounds, known), (counts, classes, labels, data_digest))
    if judge is not None and judge.digest is not None:
        named = f"{judge.recipe.recipe_id}@{judge.recipe.version}"
        told = {"criteria_digest": judge.digest, "recipe": named, "within_limits": within}
        record = record.model_copy(update=told)
    stays = card == bundle.card  # promotions are of the content that was promoted
    extra = {name: content for name, content in bundle.extra.items() if stays or name != PROMOTIONS}
    return Qualified(card, regrade(bundle.golden, card, request), extra | record.to_files(), record, bounds[None])


def _beyond(samples: Samples, judge: CriteriaJudge) -> tuple[Samples, int]:
    """Leave out the defective pictures that criteria may accept, and count them; only masks are looked at."""
    kept = [row for row, label in enumerate(samples.labels) if not label.defective or judge.is_beyond(samples[row])]
    return Subset(samples, kept), len(samples) - len(kept)


def as_qualified(rows: Rows, card: Card, tolerance: float, *, by_mask: bool = False) -> Values:
    """Return suspicion, infinite for what never passes: undecidable, or rejected whatever a device's scores move.

    What criteria let go is not rejected. With ``by_mask`` what is marked is, unless scores may move: nobody knows how
    far a mask then does.
    """
    rejected = np.asarray([card.thresholds.is_defect(margin - tolerance) for margin in rows.margin], bool)
    if by_mask and tolerance == 0:
        rejected |= rows.mask_any
    rejected[sorted(rows.let_go)] = False
    return np.where(np.isnan(rows.margin) | rejected, np.inf, rows.suspicion)


def divert_from(bounds: Iterable[Bound], own: float, request: Request) -> float:
    """Return the smallest limit less the tolerance; never above the bundle's own, unless it may be raised.

    A lower threshold than the limit diverts more and keeps the bound. Where no limit is finite the bound needs
    nothing diverted, and the bundle's own threshold stays.
    """
    limit = min(bound.limit for bound in bounds) - request.tolerance
    if not np.isfinite(limit):
        return own
    return limit if request.may_raise else min(limit, own)


def regrade(golden: Golden, card: Card, request: Request) -> Golden:
    """Answer the golden set by the new threshold; pictures on which rounding could decide are left out.

    Raises ValueError where none is left.
    """
    limits = card.thresholds
    gap = max(1e-3, request.tolerance)
    kept = [
        index
        for index, answer in enumerate(golden.answers)
        if answer.defect or abs(answer.suspicion - limits.suspicion.value) >= gap
    ]
    if not kept:
        raise ValueError("every golden picture lies within the tolerance of the new threshold; choose a smaller one")
    answers = [
        golden.answers[index].model_copy(update={"doubtful": limits.is_doubtful(golden.answers[index].suspicion)})
        for index in kept
    ]
    return Golden([golden.pictures[index] for index in kept], answers)


def _moved(card: Card, limit: float, bound: Bound, request: Request, data_digest: str) -> Card:
    if limit == card.thresholds.suspicion.value:
        return card
    point = f"suspicion {bound.allowed + 1} of {bound.groups} defective groups, less {request.tolerance:g}"
    source = CalibrationProvenance(
        set_digest=data_digest, set_name=request.set_name, n=bound.groups, curve_point=point, date=request.date
    )
    moved = Threshold(value=limit, provenance=source)
    return card.model_copy(update={"thresholds": card.thresholds.model_copy(update={"suspicion": moved})})


def _outcome(
    rows: Rows, drawn: DrawnGroups, labels: Sequence[Label], card: Card, by_index: Mapping[int, float]
) -> tuple[Counter[str], list[ClassEvidence]]:
    """Count what became of the pictures drawn for all defects, in all and by class."""
    margins = dict(zip(drawn.all, rows.margin, strict=True))
    let_go = {drawn.all[row] for row in rows.let_go}
    counts: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for index in drawn.indices[None]:
        what = _what(float(margins[index]), by_index[index], card, let_go=index in let_go)
        counts[what] += 1
        seen[labels[index].defect_class] += 1
        passed[labels[index].defect_class] += what == "passed"
    classes = sorted({*card.class_names, *seen})
    return counts, [ClassEvidence(defect_class=name, n=seen[name], passed=passed[name]) for name in classes]


def _what(margin: float, suspicion: float, card: Card, *, let_go: bool) -> str:
    if np.isnan(margin):
        return "undecidable"
    if np.isinf(suspicion) or (card.thresholds.is_defect(margin) and not let_go):
        return "rejected"
    return "diverted" if card.thresholds.is_doubtful(suspicion) else "passed"


def _record(
    bundle: Bundle,
    inspector: Inspector,
    card: Card,
    request: Request,
    statistics: tuple[DrawnGroups, Mapping[str | None, Bound], Sequence[Attempt]],
    found: tuple[Counter[str], list[ClassEvidence], Sequence[Label], str],
) -> Qualification:
    drawn, bounds, known = statistics
    counts, classes, labels, data_digest = found
    content = content_of(card, bundle.weights, bundle.extra)
    parts = parts_digest(labels, drawn.indices[None])
    attempt = Attempt(
        content_digest=content, parts_digest=parts, date=request.date, delta=drawn.delta * len(drawn.indices)
    )
    whole = bounds[None]
    return Qualification(
        content_digest=at_precision(content, inspector.precision),
        precision=inspector.precision,
        device=inspector.device,
        data_digest=data_digest,
        parts_digest=parts,
        set_name=request.set_name,
        curve_point=f"k = {whole.allowed} of n = {whole.groups}",
        date=request.date,
        expires=(date.fromisoformat(request.date) + timedelta(days=request.valid_days)).isoformat(),
        seed=request.seed,
        tolerance=request.tolerance,
        divert_from=card.thresholds.suspicion.value,
        statements=[
            Statement(
                defect_class=name,
                max_pass_rate=bound.rate,
                delta=bound.delta,
                n=bound.groups,
                allowed=bound.allowed,
                limit=bound.limit if np.isfinite(bound.limit) else None,
            )
            for name, bound in bounds.items()
        ],
        classes=classes,
        n=whole.groups,
        rejected=counts["rejected"],
        diverted=counts["diverted"],
        undecidable=counts["undecidable"],
        passed=counts["passed"],
        attempts=[*(known_one for known_one in known if known_one.parts_digest == parts), attempt],
    )
