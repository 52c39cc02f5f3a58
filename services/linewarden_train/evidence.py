"""What a stage asks for before a bundle reaches it, and what the evidence is worth in one line.

shadow: an evaluation on groups that the bundle never saw. assisted: also a shadow run of stated length beside the live
line. released: a qualification that holds. What is lacking is told in words; who decides is somebody else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from linewarden_train.evaluation.results import Evaluation
from linewarden_vision.bundle import Bundle
from linewarden_vision.card import Stage
from linewarden_vision.promotions import PromotionEvidence
from linewarden_vision.qualification import Qualification


@dataclass(frozen=True, slots=True)
class StageNeeds:
    """How long a shadow has to have run, and over how many frames, before parts pass on its trust."""

    shadow_hours: float = 8.0
    shadow_frames: int = 1000


@dataclass(slots=True)
class PromotionCase:
    """Everything that was handed in for one step; each file speaks of this bundle, or is refused."""

    bundle: Bundle
    today: str
    evaluation: Evaluation | None = None
    qualification: Qualification | None = None
    shadow: dict[str, Any] | None = None
    files: list[PromotionEvidence] = field(default_factory=list)

    def add(self, name: str, text: bytes) -> None:
        """Take a file in.

        Raises:
            ValueError: where it is no evidence, speaks of another bundle, or does not hold.
        """
        digest = hashlib.sha256(text).hexdigest()
        try:
            told = json.loads(text)
            kind: Literal["evaluation", "qualification", "shadow"] = "qualification"
            if told.get("kind") == "evaluation":
                kind = "evaluation"
                found = Evaluation.model_validate_json(text)
                if found.source is None or found.source.content_digest != self.bundle.content:
                    raise ValueError(f"{name} evaluates other content than this bundle's: evaluate this bundle")
                self.evaluation, n = found, found.n
            elif "would_hold" in told:
                kind = "shadow"
                if told["bundle"] != self.bundle.digest:
                    raise ValueError(f"{name} is a shadow of another bundle: run linewarden shadow with this one")
                self.shadow, n = told, int(told["frames"])
            else:
                record = Qualification.model_validate_json(text)
                void = record.void_because(self.bundle.content)
                if void is not None or record.is_expired(self.today):
                    raise ValueError(f"{name} does not hold for this bundle: {void or 'it is expired'}")
                self.qualification, n = record, record.n
        except (
            ValidationError,
            json.JSONDecodeError,
            UnicodeDecodeError,
            AttributeError,
            KeyError,
            TypeError,
        ) as error:
            raise ValueError(f"{name} is neither an evaluation nor a qualification nor a shadow's report") from error
        if n < 1:
            raise ValueError(f"{name} holds nothing to go by: not one defective group or frame")
        self.files.append(PromotionEvidence(kind=kind, sha256=digest, n=n))

    def lacking(self, stage: Stage, needs: StageNeeds) -> list[str]:
        """What the stage asks for and nobody handed in, in words."""
        found = []
        if stage in {"shadow", "assisted"}:
            found += self._of_evaluation()
        if stage == "assisted":
            found += self._of_shadow(needs)
        if stage == "released" and self.qualification is None:
            found.append("a qualification that holds: linewarden qualify")
        return found

    def _of_evaluation(self) -> list[str]:
        if self.evaluation is None:
            return ["an evaluation on groups it never saw: linewarden evaluate"]
        if self.evaluation.shared_groups is None:
            return ["an evaluation on groups it never saw: nobody can tell which groups made this bundle"]
        shared = self.evaluation.shared_groups
        return [f"an evaluation on groups it never saw: {shared} groups also made the bundle"] if shared else []

    def _of_shadow(self, needs: StageNeeds) -> list[str]:
        asked = f"a shadow run of {needs.shadow_hours:g} h and {needs.shadow_frames} frames"
        if self.shadow is None:
            return [f"{asked}: linewarden shadow --json"]
        hours, frames = float(self.shadow.get("hours") or 0.0), int(self.shadow["frames"])
        if hours < needs.shadow_hours or frames < needs.shadow_frames:
            return [f"{asked}: this one ran {hours:.2g} h over {frames} frames"]
        return []

    def worth(self) -> str:
        """What is known of the bundle, in one line."""
        told = [
            None if self.evaluation is None else worth_of(self.evaluation),
            None if self.shadow is None else _shadowed(self.shadow),
            None if self.qualification is None else _promised(self.qualification),
        ]
        return "; ".join(filter(None, told)) or "nothing is known of it"


def worth_of(found: Evaluation) -> str:
    """An evaluation in one line: misses, what still passes with trust, false alarms, with the groups behind them."""
    rates, point = found.findings.rates, found.operating
    told = [f"misses {_share(rates.miss_rate_of_defects)} of {rates.defective.n_groups} defective groups"]
    if point is not None:
        told.append(f"{_share(point.trusted_pass_rate_of_defects)} pass with trust")
        told.append(f"{_share(point.diverted_share_of_good)} of good ones divert")
    told.append(f"{_share(rates.overkill_rate_of_good)} of {rates.good.n_groups} good groups are called NG")
    return ", ".join(told)


def strongest(files: Sequence[PromotionEvidence], stage: Stage) -> PromotionEvidence:
    """The file that the step is recorded with: the one that its stage stands for, else the first."""
    wanted = {"shadow": "evaluation", "assisted": "shadow", "released": "qualification"}[stage]
    return next((one for one in files if one.kind == wanted), files[0])


def _shadowed(told: dict[str, Any]) -> str:
    hours = float(told.get("hours") or 0.0)
    return (
        f"beside the line for {hours:.2g} h, {told['frames']} frames: would hold {told['would_hold']} passes and pass "
        f"{told['would_pass']} that were held"
    )


def _promised(record: Qualification) -> str:
    whole = record.statements[0]
    return (
        f"qualified to {record.expires}: at most {whole.max_pass_rate:.1%} of defects pass with trust "
        f"(n = {record.n}, {record.joint_confidence:.0%})"
    )


def _share(value: float | None) -> str:
    return "an unknown share" if value is None else f"{value:.1%}"
