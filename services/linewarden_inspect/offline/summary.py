"""What a run found, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from linewarden_schemas.vocabulary import Routing, Verdict
from linewarden_vision.inspecting.scorer import Scorer

from .results import Result


@dataclass(slots=True)
class Tally:
    """Counts of pictures as they are answered."""

    verdicts: Counter[str] = field(default_factory=Counter)
    diverted_by: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """Count one picture's verdict and, where it diverted, its cause in words."""
        self.verdicts[result.verdict.value] += 1
        if result.routing is Routing.DIVERTED:
            detail = f": {result.undecidable.value}" if result.undecidable else ""
            self.diverted_by[f"{result.cause}{detail}"] += 1


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of pictures (verdicts, reasons of diversion) and of parts (routings), with what was used."""

    verdicts: dict[str, int]
    diverted_by: dict[str, int]
    routings: dict[str, int]
    skipped: dict[str, int]
    bundle_digest: str
    stage: str
    device: str
    precision: str
    seconds: float

    @property
    def pictures(self) -> int:
        """How many pictures were answered; skipped files are not among them."""
        return sum(self.verdicts.values())

    @property
    def pictures_per_s(self) -> float:
        """Rate over the whole run, loading of the bundle left out."""
        return self.pictures / self.seconds if self.seconds > 0 else 0.0

    def document(self) -> dict[str, Any]:
        """The summary as one JSON object: counts by name, digests, and seconds of the whole run."""
        return {
            "pictures": self.pictures,
            "parts": sum(self.routings.values()),
            "verdicts_of_pictures": self.verdicts,
            "diverted_pictures_by_reason": self.diverted_by,
            "routings_of_parts": self.routings,
            "skipped_files": self.skipped,
            "bundle_digest": self.bundle_digest,
            "stage": self.stage,
            "device": self.device,
            "precision": self.precision,
            "seconds": round(self.seconds, 3),
            "pictures_per_s": round(self.pictures_per_s, 2),
        }

    def rows(self) -> list[tuple[str, str]]:
        """The summary as pairs of name and value, for a table at the terminal."""
        return [
            ("pictures", f"{self.pictures}"),
            *((f"  {name}", f"{count}") for name, count in self.verdicts.items()),
            *((f"  diverted, {name}", f"{count}") for name, count in self.diverted_by.items()),
            ("parts", f"{sum(self.routings.values())}"),
            *((f"  {name}", f"{count}") for name, count in self.routings.items()),
            *((f"not inspected, {name}", f"{count}") for name, count in self.skipped.items() if count),
            ("bundle", f"{self.bundle_digest[:12]} ({self.stage}), {self.device} {self.precision}"),
            ("pictures per second", f"{self.pictures_per_s:.1f}"),
        ]


def summarise(
    tally: Tally, routings: Iterable[Routing], skipped: dict[str, int], scorer: Scorer, seconds: float
) -> Summary:
    """Put the counts together, every word of a vocabulary named."""
    by_routing = Counter(routings)
    return Summary(
        verdicts={verdict.value: tally.verdicts[verdict.value] for verdict in Verdict},
        diverted_by=dict(sorted(tally.diverted_by.items())),
        routings={routing.value: by_routing[routing] for routing in Routing},
        skipped={name: count for name, count in skipped.items() if count},
        bundle_digest=scorer.digest,
        stage=scorer.card.stage,
        device=scorer.device,
        precision=scorer.precision,
        seconds=seconds,
    )
