"""From decisions that counted to labels of frames; pure. What cannot be a label is left out, with its cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Cause, Judgement, Outcome


class LeftOut(StrEnum):
    """Why a visit, or a frame of it, gives no label."""

    NOT_FINAL = "not final yet"
    NOBODY_DECIDED = "no person decided"
    KNOWN_BAD = "seeded known-bad"
    SIMULATED = "simulated"
    DECISION_MISSING = "a decision that counted is not in the topic"
    OTHER_VIEW = "rejected, and nothing was marked on this view"
    NOT_LOOKED_AT = "not covered by the decision"
    NO_PICTURE = "no picture is kept"
    PICTURE_UNREADABLE = "the picture cannot be read"
    MASK_UNUSABLE = "the drawn mask is not of the picture's size"


@dataclass(frozen=True, slots=True)
class JudgedVisit:
    """What the log tells of one visit: its first and its latest disposition, and the decisions of the latest."""

    first: Disposition
    latest: Disposition
    decisions: tuple[Decision, ...]

    @property
    def group(self) -> str:
        """The part, where it has a serial; else the visit, or the one that it came back from. Never split a group."""
        return self.first.part_id or self.first.returned_from or self.first.visit_id


@dataclass(frozen=True, slots=True)
class FrameLabel:
    """What people said of one frame. ``mask_png``: drawn by one of them; None where nobody drew."""

    frame_id: str
    view_id: str
    group: str
    defective: bool
    defect_class: str | None
    mask_png: bytes | None
    told: JudgedVisit

    @property
    def blind(self) -> bool:
        """Whether the judgement was given, and kept, on the plain picture by everyone who counted."""
        return all(one.blind and one.first_judgement is one.judgement for one in self.told.decisions)


def label_visit(told: JudgedVisit, *, simulated: bool = False) -> tuple[list[FrameLabel], Counter[LeftOut]]:
    """Label the frames that the counting decisions cover, and count what gives no label.

    Route names in the latest disposition the decisions that counted: undone and overruled ones are not among them. An
    accepted visit makes good frames. Of a rejected one the marked frames are defective; without a mark its only
    frame is, and of several frames none can be labelled.
    """
    reason = _refused(told, simulated)
    frames = [view for view in told.latest.views if view.frame_id is not None]
    if reason is not None:
        return [], Counter({reason: max(1, len(frames))})
    good = told.latest.outcome is Outcome.ACCEPT
    agreed = [one for one in told.decisions if (one.judgement is Judgement.OK) == good]
    covered = {frame for one in agreed for frame in one.covers}
    marks = {mark.frame_id: mark.mask_png for one in agreed for mark in one.marks}
    named = [one.defect_class for one in agreed if one.defect_class is not None]
    kind = None if good else (named or ["defect"])[-1]
    labels: list[FrameLabel] = []
    left: Counter[LeftOut] = Counter()
    for view in frames:
        frame = str(view.frame_id)
        if frame not in covered:
            left[LeftOut.NOT_LOOKED_AT] += 1
        elif not good and frame not in marks and (marks or len(frames) > 1):
            left[LeftOut.OTHER_VIEW] += 1
        else:
            labels.append(FrameLabel(frame, view.view_id, told.group, not good, kind, marks.get(frame), told))
    return labels, left


def _refused(told: JudgedVisit, simulated: bool) -> LeftOut | None:
    latest = told.latest
    named = {one.decision_id for one in told.decisions}
    checks = (
        (latest.is_simulated and not simulated, LeftOut.SIMULATED),
        (Cause.KNOWN_BAD in {*told.first.causes, *latest.causes}, LeftOut.KNOWN_BAD),
        (not latest.decision_ids, LeftOut.NOBODY_DECIDED if latest.final else LeftOut.NOT_FINAL),
        (not latest.final or latest.outcome is None, LeftOut.NOT_FINAL),
        (not named >= set(latest.decision_ids), LeftOut.DECISION_MISSING),
    )
    return next((cause for holds, cause in checks if holds), None)
