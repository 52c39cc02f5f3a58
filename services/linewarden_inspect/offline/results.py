"""What is said of one picture, as one line of JSON, told when the routing of its part is known."""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from linewarden_domain.routing import routing_of, worst
from linewarden_inspect.offline.listing import ListedPicture
from linewarden_inspect.offline.map_files import MapNames
from linewarden_schemas.vocabulary import Cause, Routing, Undecidable, Verdict, VerdictRule
from linewarden_vision.card import Card
from linewarden_vision.inspecting.judging import thresholds_of_card, verdict_of
from linewarden_vision.inspecting.reasons import reasons_of
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspector import ViewScore
from linewarden_vision.standing import OkDoubt


@dataclass(frozen=True, slots=True)
class Result:
    """One picture; `routing` is its own, of which its part gets the worst. `cause` says why it was diverted."""

    image: str
    part_id: str
    verdict: Verdict
    routing: Routing
    reasons: tuple[str, ...]
    cause: str | None = None
    undecidable: Undecidable | None = None
    p_defect: float | None = None
    margin: float | None = None
    suspicion: float | None = None
    ingredients: dict[str, float] = field(default_factory=dict)
    mask_pixels: int | None = None
    names: MapNames | None = None

    def line(self, part_routing: Routing) -> str:
        """The line, without its end; equal results give equal bytes."""
        names = self.names or MapNames(None, None, None, None)
        document = {
            "image": self.image,
            "part_id": self.part_id,
            "verdict": self.verdict.value,
            "p_defect": self.p_defect,
            "trust": None if self.suspicion is None else 1.0 - self.suspicion,
            "routing": part_routing.value,
            "picture_routing": self.routing.value,
            "cause": self.cause,
            "undecidable": self.undecidable.value if self.undecidable else None,
            "reasons": list(self.reasons),
            "margin": self.margin,
            "suspicion": self.suspicion,
            "ingredients": {
                name: value if math.isfinite(value) else None for name, value in sorted(self.ingredients.items())
            },
            "mask_pixels": self.mask_pixels,
            "mask": names.mask,
            "class_specific": names.class_specific,
            "class_agnostic": names.class_agnostic,
            "difference": names.difference,
        }
        return json.dumps(document, allow_nan=False)


def scored(
    entry: ListedPicture,
    score: ViewScore,
    card: Card,
    names: MapNames | None,
    rule: VerdictRule,
    doubt: OkDoubt | None,
) -> Result:
    """The result of a picture that the network judged; `doubt` of its bundle diverts every OK."""
    thresholds = thresholds_of_card(card, doubt)
    verdict = verdict_of(rule, score, thresholds)
    reasons = tuple(one.sentence for one in reasons_of(verdict, score, thresholds, card, doubt))
    routing = routing_of(verdict, is_trusted=score.suspicion < thresholds.suspicion)
    low = Cause.LOW_TRUST.value if doubt is None else "stage"
    cause = low if routing is Routing.DIVERTED else None
    return Result(
        image=entry.image,
        part_id=entry.part_id,
        verdict=verdict,
        routing=routing,
        reasons=reasons,
        cause=cause,
        p_defect=score.p_defect,
        margin=score.margin,
        suspicion=score.suspicion,
        ingredients=score.ingredients,
        mask_pixels=int(score.mask.sum()),
        names=names,
    )


def undecided(entry: ListedPicture, refused: PictureRefused) -> Result:
    """The result of a picture that cannot be judged: it is diverted."""
    return Result(
        image=entry.image,
        part_id=entry.part_id,
        verdict=Verdict.NOT_DECIDABLE,
        routing=Routing.DIVERTED,
        reasons=(refused.detail[:2000],),
        cause=Cause.NOT_DECIDABLE.value,
        undecidable=refused.reason,
    )


class PartsInOrder:
    """Holds results back until their part is complete; `tell` gets each with its part's routing, in order."""

    def __init__(self, part_ids: Iterable[str], tell: Callable[[Result, Routing], None]) -> None:
        self._left = Counter(part_ids)
        self._tell = tell
        self._waiting: deque[Result] = deque()
        self.routings: dict[str, Routing] = {}

    def add(self, result: Result) -> None:
        """Take the next picture's result; tells those whose part is complete, in the order in which pictures came."""
        before = self.routings.get(result.part_id, result.routing)
        self.routings[result.part_id] = worst((before, result.routing))
        self._left[result.part_id] -= 1
        self._waiting.append(result)
        while self._waiting and self._left[self._waiting[0].part_id] == 0:
            told = self._waiting.popleft()
            self._tell(told, self.routings[told.part_id])
