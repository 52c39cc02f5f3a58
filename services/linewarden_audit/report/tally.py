"""What an audit counts of each visit. Pure; of a visit nothing is kept but its counts."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from linewarden_domain.rates import Rate, rate
from linewarden_history.reports.story import VisitHistory
from linewarden_history.reports.tally import ProductionTally
from linewarden_schemas.decision import Decision
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import Act, Cause, Judgement, LineMode, Routing

_ANSWERS = (Judgement.OK, Judgement.NG)


@dataclass(slots=True)
class AuditTally(ProductionTally):
    """Counts of a range. Rates are over production; simulated visits count only where `simulated` says so."""

    simulated: bool = False
    by_state: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    people: set[str] = field(default_factory=set)
    thresholds: Counter[str] = field(default_factory=Counter)
    versions: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Frames by recipe version, bundle, code version, device and precision."""

    def add(self, story: VisitHistory) -> None:
        """Count one visit: what the machine said, what people said, and as production where it is."""
        if story.is_simulated and not self.simulated:
            self.left_out["simulated"] += 1
            return
        for inspection in story.inspections.values():
            self._machine(inspection)
        self._people(story)
        if story.is_known_bad:
            self._known_bad(story)
            return
        state = story.state
        self.by_state[state.mode.value if state else "not told"] += 1
        if state is None or state.mode is not LineMode.PRODUCTION:
            self.left_out["not production"] += 1
            return
        self._production(story)

    def rates(self) -> list[Rate]:
        """All rates, with their denominators in their names."""
        counts = self.counts
        return [
            rate("trusted_pass_rate_of_visits", self.routings[Routing.TRUSTED_PASS.value], counts["routed"]),
            rate("reject_rate_of_visits", counts["machine_rejected"], counts["routed"]),
            rate("diversion_rate_of_passes", counts["diverted_passes"], counts["network_passes"]),
            rate("defective_rate_of_audited_passes", counts["audited_bad"], counts["audited"]),
            rate("defective_rate_of_low_trust_diversions", counts["low_trust_bad"], counts["low_trust_answered"]),
            rate("overkill_rate_of_reviewed_rejects", counts["overruled_rejects"], counts["reviewed_rejects"]),
            rate("changed_rate_of_blind_judgements", counts["changed"], counts["blind"]),
        ]

    def _production(self, story: VisitHistory) -> None:
        self.count(story)
        counts, answered = self.counts, story.found_good or story.found_bad
        counts["routed"] += story.first is not None
        for cause, name, bad in (
            (Cause.AUDIT, "audited", "audited_bad"),
            (Cause.LOW_TRUST, "low_trust_answered", "low_trust_bad"),
        ):
            counts[name] += cause in story.causes and answered
            counts[bad] += cause in story.causes and story.found_bad

    def _machine(self, one: Inspection) -> None:
        recipe = recipe_key(one.recipe.recipe_id, one.recipe.version, one.recipe.digest)
        where = f"{one.device or 'none'}, {one.precision or 'none'}"
        self.versions[recipe, one.bundle_digest or "none", one.code_version, where] += 1
        if one.thresholds is not None:
            told = {"recipe": recipe, "bundle": one.bundle_digest} | one.thresholds.model_dump(mode="json")
            self.thresholds[json.dumps(told, sort_keys=True)] += 1

    def _people(self, story: VisitHistory) -> None:
        judged = counting(story)
        self.people.update(one.actor for one in judged.values())
        self.counts["judgements"] += len(judged)
        for one in judged.values():
            self.counts["blind"] += bool(one.blind)
            self.counts["changed"] += bool(one.blind) and one.first_judgement is not one.judgement
        both = [judged[number] for number in (0, 1) if number in judged]
        if len(both) == 2 and both[0].actor != both[1].actor and all(one.judgement in _ANSWERS for one in both):
            self.pairs[str(both[0].judgement), str(both[1].judgement)] += 1

    def _known_bad(self, story: VisitHistory) -> None:
        self.counts["known_bads"] += 1
        answers = [one.judgement for one in counting(story).values() if one.judgement in _ANSWERS]
        self.counts["known_bads_answered"] += bool(answers)
        self.counts["known_bads_caught"] += Judgement.NG in answers

    def threshold_rows(self) -> list[dict[str, Any]]:
        """Thresholds that judged frames, with where they come from."""
        return [json.loads(text) | {"frames": count} for text, count in sorted(self.thresholds.items())]


def counting(story: VisitHistory) -> dict[int, Decision]:
    """The judgement of each round that counts: the newest generation's, first in the log, not undone."""
    undone = {one.undoes for one in story.decisions.values() if one.act is Act.UNDO}
    found: dict[int, tuple[int, Decision]] = {}
    for one in story.decisions.values():
        place = re.search(r"\.r(\d+)\.g(\d+)$", one.slot_id)
        if place is None or one.act is not Act.JUDGE or one.decision_id in undone:
            continue
        number, generation = int(place[1]), int(place[2])
        if number not in found or found[number][0] < generation:
            found[number] = (generation, one)
    return {number: one for number, (_, one) in sorted(found.items())}
