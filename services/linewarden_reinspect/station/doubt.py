"""What a person is told of a doubt after the blind answer: which view, and why in a sentence. Pure.

Audits, reject reviews and known-bads have no view that made a doubt. They get what a doubted visit gets, by the same
rule, so that nobody can tell them apart until they are final.
"""

from __future__ import annotations

from itertools import zip_longest

from linewarden_schemas.disposition import SlotFrame, SlotOpen
from linewarden_schemas.vocabulary import Cause, Verdict

_LOOK = frozenset({Cause.LOW_TRUST, Cause.AUDIT, Cause.REJECT_REVIEW, Cause.KNOWN_BAD})
"""Causes that ask for nothing but a close look."""
_OF_THE_LOOK = frozenset({"view_suspicion", "view_defect", "audit", "reject_review", "known_bad"})
"""Codes of their reasons."""


def marked(slot: SlotOpen) -> SlotFrame | None:
    """The view to look at first: the most suspicious one, or one that could not be judged; None where none is."""
    frames = [frame for frame in slot.frames if frame.sha256 is not None]
    if _LOOK.intersection(slot.causes):
        return max(frames, key=_doubt, default=None)
    return next((frame for frame in frames if frame.verdict is Verdict.NOT_DECIDABLE), None)


def sentence(slot: SlotOpen) -> tuple[str, dict[str, str]]:
    """Why the visit waits, for an operator: the key of the words and what they name."""
    if slot.missing_views:
        return "why.missing", {"views": ", ".join(slot.missing_views)}
    looked = marked(slot)
    if looked is None:
        return ("why.late" if set(slot.causes) == {Cause.LATE} else "why.fault"), {}
    return ("why.look" if _LOOK.intersection(slot.causes) else "why.undecided"), {"view": looked.view_id}


def tellable(slot: SlotOpen) -> SlotOpen:
    """The slot with those of its reasons that no drawn visit could lack: what failed, and no score."""
    if _LOOK.issuperset(slot.causes):
        return slot.model_copy(update={"reasons": (), "reasons_coded": ()})
    pairs = [
        (words, code)
        for words, code in zip_longest(slot.reasons, slot.reasons_coded[: len(slot.reasons)])
        if code is None or code.code not in _OF_THE_LOOK
    ]
    # A sentence without a code behind one that has it would take the code of another.
    coded = () if any(code is None for _, code in pairs) else tuple(code for _, code in pairs)
    return slot.model_copy(update={"reasons": tuple(words for words, _ in pairs), "reasons_coded": coded})


def _doubt(frame: SlotFrame) -> float:
    """A reject before every doubt, then by suspicion; equal ones in the order of the slot."""
    if frame.verdict is Verdict.NG:
        return 2.0 + (frame.p_defect or 0.0)
    return frame.suspicion or 0.0
