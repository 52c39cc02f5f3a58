"""What a study says, as a document, a page and a table: appraisers beside the limits, agreement, the spread."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import combinations
from statistics import fmean
from typing import Any

from linewarden_domain.rates import INTERVAL
from linewarden_history.msa.models import AppraisalPlan, AttributeStudy, Machine, ReferenceValue
from linewarden_history.msa.statistics import Answers, Appraised, DecisionRate, appraise, between, pair
from linewarden_history.reports.rendering import csv_text, render
from linewarden_schemas.vocabulary import Judgement as Answer

SCHEMA = "linewarden.msa-report.v1"
NETWORK, WITH_TRUST = "network alone", "network and trust"
LIMITS = {"effectiveness": (">=", 0.90), "miss": ("<=", 0.02), "false_alarm": ("<=", 0.05)}
"""The trade's limits of an acceptable appraiser: AIAG, Measurement Systems Analysis, 4th edition (2010)."""
RATES = (*LIMITS, "unsure", "alike_by_part", "right_by_part")
_WIDTH, _HEIGHT, _LEFT, _EDGE = 960, 240, 48, 14


def document(study: AttributeStudy, seed: int) -> dict[str, Any]:
    """Everything that page and table show; the same study and seed give the same document."""
    plan = study.plan
    references = {part.part_id: part.reference for part in plan.parts}
    people = _people(study)
    presentations = () if study.machine is None else study.machine.presentations
    machine = {} if study.machine is None else _machine(study.machine)
    answers = machine | people
    return {
        "schema": SCHEMA,
        "plan": _plan(plan),
        "seed": seed,
        "left_out": dict(plan.left_out),
        "dropped": dict(study.dropped),
        "limits": {name: {"is": sign, "limit": limit} for name, (sign, limit) in LIMITS.items()},
        "appraisers": [
            _appraiser(name, said, references, seed, is_machine=name in machine) for name, said in answers.items()
        ],
        "between_operators": asdict(between([people[name] for name in plan.operators if name in people], seed)),
        "pairs": [
            {"pair": [one, other], **asdict(pair(answers[one], answers[other], seed))}
            for one, other in combinations([name for name in answers if name != NETWORK], 2)  # it shares its pictures
        ],
        "machine": None if study.machine is None else study.machine.model_dump(exclude={"presentations"}),
        "undecidable": dict(Counter(one.undecidable for one in presentations if one.undecidable is not None)),
        "spread": [] if study.machine is None else _spread(plan, study.machine),
    }


def _plan(plan: AppraisalPlan) -> dict[str, Any]:
    kinds = Counter(part.reference.value for part in plan.parts)
    classes = Counter(part.defect_class or "unnamed" for part in plan.parts if part.reference is ReferenceValue.NG)
    return {
        "digest": plan.digest,
        "seed": plan.seed,
        "rounds": plan.rounds,
        "operators": list(plan.operators),
        "good": kinds[ReferenceValue.OK.value],
        "defective": kinds[ReferenceValue.NG.value],
        "classes": dict(sorted(classes.items())),
    }


def _people(study: AttributeStudy) -> dict[str, Answers]:
    """Answers by operator and part, in the order of the rounds; operators who judged nothing are left out."""
    given: defaultdict[str, defaultdict[str, list[Answer]]] = defaultdict(lambda: defaultdict(list))
    for one in sorted(study.judgements, key=lambda one: one.round):
        given[one.operator][one.part_id].append(one.answer)
    return {name: given[name] for name in study.plan.operators if name in given}


def _machine(machine: Machine) -> dict[str, Answers]:
    alone: defaultdict[str, list[Answer]] = defaultdict(list)
    trusted: defaultdict[str, list[Answer]] = defaultdict(list)
    for one in machine.presentations:
        alone[one.part_id].append(one.verdict)
        trusted[one.part_id].append(one.answer)
    return {NETWORK: alone, WITH_TRUST: trusted}


def _appraiser(
    name: str, answers: Answers, references: Mapping[str, ReferenceValue], seed: int, *, is_machine: bool
) -> dict[str, Any]:
    found = appraise(answers, references, seed)
    return {
        "name": name,
        "is_machine": is_machine,
        "parts": len(answers),
        **asdict(found),
        "beside_limits": {limited: _beside(found, limited) for limited in LIMITS},
    }


def _beside(found: Appraised, limited: str) -> str:
    """`shown` where the whole interval keeps the limit, `met` where only the value does."""
    one: DecisionRate = getattr(found, limited)
    sign, limit = LIMITS[limited]
    if one.value is None:
        return "no evidence"
    if sign == ">=":
        return "shown" if one.low >= limit else "met" if one.value >= limit else "not met"
    return "shown" if one.high <= limit else "met" if one.value <= limit else "not met"


def _spread(plan: AppraisalPlan, machine: Machine) -> list[dict[str, Any]]:
    """Score and trust of each part over its presentations, good parts first, each kind in order of its mean score."""
    by_part: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in machine.presentations:
        if one.p_defect is not None and one.suspicion is not None:
            by_part[one.part_id].append((one.p_defect, 1 - one.suspicion))
    rows = [
        {
            "part_id": part.part_id,
            "reference": part.reference.value,
            "defect_class": part.defect_class,
            "p_defect": [score for score, _ in by_part[part.part_id]],
            "trust": [trust for _, trust in by_part[part.part_id]],
        }
        for part in plan.parts
    ]
    return sorted(
        rows,
        key=lambda row: (
            row["reference"] == ReferenceValue.NG.value,
            fmean(row["p_defect"]) if row["p_defect"] else -1.0,
            row["part_id"],
        ),
    )


def page(document: Mapping[str, Any]) -> str:
    """The page; the same document gives the same page."""
    scatters = [scatter(document, "p_defect", "score: p(defect)"), scatter(document, "trust", "trust")]
    return render(
        "msa.html.j2",
        document,
        scatters=scatters if document["spread"] else [],
        rates_of=RATES,
        exact=INTERVAL,
    )


def scatter(document: Mapping[str, Any], what: str, title: str) -> dict[str, Any]:
    """Every presentation as a dot, in the drawing's units: parts side by side, good ones first, values upwards to 1."""
    rows = document["spread"]
    step = (_WIDTH - _LEFT - _EDGE) / max(1, len(rows))
    across = [_LEFT + (place + 0.5) * step for place in range(len(rows))]
    dots = [
        (round(x, 1), round(_up(value), 1), row["reference"] == "NG", f"{row['part_id']}: {value:.3f}")
        for x, row in zip(across, rows, strict=True)
        for value in row[what]
    ]
    good = sum(row["reference"] == "OK" for row in rows)
    return {
        "title": title,
        "dots": dots,
        "parted": round(_LEFT + good * step, 1),  # where the defective parts begin
        "up": [(round(_up(value), 1), f"{value:.1f}") for value in (0.0, 0.5, 1.0)],
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
    }


def _up(value: float) -> float:
    return _HEIGHT - _EDGE - value * (_HEIGHT - 2 * _EDGE)


def as_csv(document: Mapping[str, Any]) -> str:
    """Every figure, one a line, with its denominator, its interval and the trade's limit."""
    columns = ("appraiser", "figure", "count", "of", "value", "low", "high", "limit", "beside_limit")
    return csv_text(columns, _rows(document))


def _rows(told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for one in told["appraisers"]:
        for name in RATES:
            limit, beside = told["limits"].get(name), one["beside_limits"].get(name, "")
            bound = f"{limit['is']} {limit['limit']}" if limit else ""
            figure = one[name]
            yield one["name"], figure["name"], figure["count"], figure["of"], *_interval(figure), bound, beside
        for name in ("within", "against_reference"):
            yield one["name"], f"kappa_{name}", "", "", *_interval(one[name]), "", ""
    yield "all operators", "kappa_between", "", "", *_interval(told["between_operators"]), "", ""
    for two in told["pairs"]:
        yield " / ".join(two["pair"]), "kappa_of_pair", "", "", *_interval(two), "", ""


def _interval(figure: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple("" if figure[name] is None else figure[name] for name in ("value", "low", "high"))
