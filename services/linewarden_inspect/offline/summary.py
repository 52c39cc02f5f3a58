"""What a run found, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from linewarden_inspect.offline.results import Result
from linewarden_schemas.vocabulary import Routing, Verdict
from linewarden_vision.inspecting.scorer import Scorer


@dataclass(slots=True)
class FolderSummary:
    """Counts of pictures (verdicts, reasons of diversion) as they are answered, and of parts, with what was used."""

    scorer: Scorer
    skipped: dict[str, int]
    verdicts: Counter[str] = field(default_factory=Counter)
    diverted_by: Counter[str] = field(default_factory=Counter)
    routings: Counter[Routing] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        """Count one picture's verdict and, where it diverted, its cause in words."""
        self.verdicts[result.verdict.value] += 1
        if result.routing is Routing.DIVERTED:
            detail = f": {result.undecidable.value}" if result.undecidable else ""
            self.diverted_by[f"{result.cause}{detail}"] += 1

    @property
    def pictures(self) -> int:
        """How many pictures were answered; skipped files are not among them."""
        return self.verdicts.total()

    @property
    def pictures_per_s(self) -> float:
        """Rate over the whole run, loading of the bundle left out."""
        return self.pictures / self.seconds if self.seconds > 0 else 0.0

    def document(self) -> dict[str, Any]:
        """The summary as one JSON object: counts by name, digests, and seconds of the whole run."""
        return {
            "pictures": self.pictures,
            "parts": self.routings.total(),
            "verdicts_of_pictures": {verdict.value: self.verdicts[verdict.value] for verdict in Verdict},
            "diverted_pictures_by_reason": dict(sorted(self.diverted_by.items())),
            "routings_of_parts": {routing.value: self.routings[routing] for routing in Routing},
            "skipped_files": {name: count for name, count in self.skipped.items() if count},
            "bundle_digest": self.scorer.digest,
            "stage": self.scorer.card.stage,
            "device": self.scorer.device,
            "precision": self.scorer.precision,
            "seconds": round(self.seconds, 3),
            "pictures_per_s": round(self.pictures_per_s, 2),
        }

    def rows(self) -> list[tuple[str, str]]:
        """The summary as pairs of name and value, for a table at the terminal."""
        told, scorer = self.document(), self.scorer
        return [
            ("pictures", f"{self.pictures}"),
            *((f"  {name}", f"{count}") for name, count in told["verdicts_of_pictures"].items()),
            *((f"  diverted, {name}", f"{count}") for name, count in told["diverted_pictures_by_reason"].items()),
            ("parts", f"{told['parts']}"),
            *((f"  {name}", f"{count}") for name, count in told["routings_of_parts"].items()),
            *((f"not inspected, {name}", f"{count}") for name, count in told["skipped_files"].items()),
            ("bundle", f"{scorer.digest[:12]} ({scorer.card.stage}), {scorer.device} {scorer.precision}"),
            ("pictures per second", f"{self.pictures_per_s:.1f}"),
        ]
