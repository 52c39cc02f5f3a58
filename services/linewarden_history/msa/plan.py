"""A balanced plan: as many good as defective parts, everybody judges all of them in every round, in another order."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from random import Random

from linewarden_history.msa.models import AppraisalPlan, AppraisalSheet, ReferencePart, ReferenceValue, SheetLine
from linewarden_schemas.ids import check_id


def make_plan(
    parts: Sequence[ReferencePart],
    *,
    count: int,
    operators: Sequence[str],
    rounds: int,
    seed: int,
    left_out: Mapping[str, int] | None = None,
) -> AppraisalPlan:
    """Choose `count` parts, half of them defective (classes in turn), and shuffle them for every person and round.

    Where there are fewer of a kind, as many as there are of both: the plan stays balanced. A part never comes twice
    in a row where one round follows the other. Tokens tell nothing of the part.

    Raises:
        ValueError: for fewer than one good and one defective part, and for operators named twice or by no id.
    """
    if len(set(operators)) != len(operators) or not operators:
        raise ValueError("name every operator once")
    for name in operators:  # each gets a folder of that name
        if not check_id(name).strip("."):
            raise ValueError(f"{name!r} is no name of an operator")
    dice = Random(seed)  # noqa: S311 - a plan is repeated by its seed, nothing is kept secret by it
    kinds = {kind: [part for part in parts if part.reference is kind] for kind in ReferenceValue}
    half = min(count // 2, *(len(found) for found in kinds.values()))
    if half < 1:
        raise ValueError("a study needs at least one good and one defective part")
    chosen = [part for kind in ReferenceValue for part in _in_turn(kinds[kind], half, dice)]
    chosen.sort(key=lambda part: part.part_id)
    left = Counter(left_out or {})
    left.update({"parts not chosen": len(parts) - len(chosen)})
    return AppraisalPlan(
        seed=seed,
        rounds=rounds,
        operators=tuple(operators),
        parts=tuple(chosen),
        sheets=tuple(sheet for name in operators for sheet in _sheets(name, chosen, rounds, dice)),
        left_out={cause: number for cause, number in left.items() if number},
    )


def _in_turn(parts: Sequence[ReferencePart], count: int, dice: Random) -> list[ReferencePart]:
    """Draw parts, their classes in turn, so that a rare class is not left to chance."""
    classes: defaultdict[str, list[ReferencePart]] = defaultdict(list)
    for part in parts:
        classes[part.defect_class or ""].append(part)
    waiting: deque[list[ReferencePart]] = deque()
    for _, members in sorted(classes.items()):
        dice.shuffle(members)
        waiting.append(members)
    drawn: list[ReferencePart] = []
    while len(drawn) < count:
        members = waiting.popleft()
        drawn.append(members.pop())
        if members:
            waiting.append(members)
    return drawn


def _sheets(operator: str, parts: Sequence[ReferencePart], rounds: int, dice: Random) -> list[AppraisalSheet]:
    sheets: list[AppraisalSheet] = []
    last = ""
    for number in range(1, rounds + 1):
        order = list(parts)
        dice.shuffle(order)
        if order[0].part_id == last:
            order[0], order[-1] = order[-1], order[0]
        last = order[-1].part_id
        tokens = dice.sample(range(1000, 10_000 + 9 * len(order)), len(order))
        places = tuple(
            SheetLine(token=f"{token}", part_id=part.part_id, picture=part.pictures[(number - 1) % len(part.pictures)])
            for token, part in zip(tokens, order, strict=True)
        )
        sheets.append(AppraisalSheet(operator=operator, round=number, places=places))
    return sheets
