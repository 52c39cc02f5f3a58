"""What a study says, as one document: appraisers beside the trade's limits, agreement, the machine's spread."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from itertools import combinations
from statistics import fmean
from typing import Any

from linewarden_schemas.vocabulary import Judgement as Answer

from .models import AppraisalPlan, AttributeStudy, Machine, ReferenceValue
from .statistics import Answers, Appraised, DecisionRate, References, appraise, between, pair

SCHEMA = "linewarden.msa-report.v1"
NETWORK, WITH_TRUST = "network alone", "network and trust"
LIMITS = {"effectiveness": (">=", 0.90), "miss": ("<=", 0.02), "false_alarm": ("<=", 0.05)}
"""The trade's limits of an acceptable appraiser: AIAG, Measurement Systems Analysis, 4th edition (2010)."""


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


def _appraiser(name: str, answers: Answers, references: References, seed: int, *, is_machine: bool) -> dict[str, Any]:
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
