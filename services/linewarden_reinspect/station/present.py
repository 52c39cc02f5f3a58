"""What the pages get to see of visits, queue and evidence; plain data, ready for JSON.

Before the first answer a visit is its pictures alone: nothing that the machine thinks of it, nor why it waits, nor
anything that follows from it (risk, due time, order of the views) is in the answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from linewarden_domain.limit_samples import SampleFigures
from linewarden_reinspect.queue.types import QueueSummary, SlotStatus
from linewarden_reinspect.station import doubt
from linewarden_reinspect.station.references import ReferencePicture
from linewarden_reinspect.station.sessions import Hand
from linewarden_reinspect.station.texts import DEFAULT, reason_in_words, told
from linewarden_schemas.disposition import Handover, SlotFrame, SlotOpen
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Evidence
from linewarden_schemas.reason import Reason
from linewarden_schemas.recipe import Recipe, ReviewRules
from linewarden_schemas.vocabulary import Judgement, Skill

MOST_SHOWN = 3
"""Defects of a limit sample whose figures are shown; all are counted."""
LAYERS = ("mask", "specific", "agnostic")


def visit(
    hand: Hand,
    now_ms: int,
    recipe: Recipe | None = None,
    language: str = DEFAULT,
    name_of: Callable[[str], str] = str,
) -> dict[str, Any]:
    """A visit in hand. Times are epoch ms of the server; `now_ms` lets the page correct its own clock.

    `handed` names who handed it on, and when; why, and their note, come with `told`.
    `told` is there after the first answer alone, with the frame that is `marked` and the reason in the language.
    """
    slot = hand.slot
    rules = ReviewRules() if recipe is None else recipe.review
    # As the recipe names the views, whatever the machine thinks of them.
    order = {} if recipe is None else {view.view_id: place for place, view in enumerate(recipe.views)}
    frames = sorted(slot.frames, key=lambda frame: (order.get(frame.view_id, len(order)), frame.frame_id))
    plain: dict[str, Any] = {
        "slot_id": slot.slot_id,
        "visit_id": slot.visit_id,
        "token": hand.token,
        "part_id": slot.part_id,
        "line_id": slot.line_id,
        "product_id": slot.product_id,
        "recipe": slot.recipe.name,
        "recipe_digest": slot.recipe.digest,
        "until_ms": hand.until_ms,
        "now_ms": now_ms,
        "undo_window_ms": rules.undo_window_ms,
        "missing_views": list(slot.missing_views),
        "frames": [{"frame_id": frame.frame_id, "view_id": frame.view_id} for frame in frames],
        "handed": None if slot.handover is None else _handed(slot.handover, name_of),
        "can_send_back": slot.skill is Skill.LEAD and slot.handover is not None,
        "told": None,
    }
    return plain if not hand.is_told else plain | {"told": _told(hand, language)}


def _handed(handover: Handover, name_of: Callable[[str], str]) -> dict[str, Any]:
    return {"by": name_of(handover.actor), "role": handover.role.value, "at_ms": handover.at_ms}


def _told(hand: Hand, language: str) -> dict[str, Any]:
    """Where to look and why, alike for what was doubted and what was drawn: verdicts and scores come with `last`."""
    slot = hand.slot
    marked = doubt.marked(slot)
    key, values = doubt.sentence(slot)
    return {
        "blind": not hand.knows_already,
        "first": None if hand.first is None else hand.first.judgement.value,
        "marked": None if marked is None else marked.frame_id,
        "sentence": told(language, key, values),
        "in_words": _in_words(doubt.tellable(slot), language),
        "handover": None if slot.handover is None else {"reason": slot.handover.reason, "note": slot.handover.note},
        "risk": slot.risk,
        "opened_ms": slot.opened_ms,
        "due_ms": slot.due_ms,
        "is_simulated": slot.is_simulated,
    }


def last(hand: Hand, judgement: Judgement, language: str, *, final: bool) -> dict[str, Any]:
    """What a person judged last; what the machine thought of it only where that is `final`."""
    slot = hand.slot
    figures = {
        "causes": [cause.value for cause in slot.causes],
        "in_words": _in_words(slot, language),
        "views": [
            {
                "view_id": frame.view_id,
                "verdict": None if frame.verdict is None else frame.verdict.value,
                "p_defect": frame.p_defect,
                "suspicion": frame.suspicion,
                "in_words": _in_words(frame, language),
            }
            for frame in slot.frames
        ],
    }
    return {
        "visit_id": slot.visit_id,
        "part": slot.part_id or slot.visit_id,
        "judgement": judgement.value,
        "final": final,
        "figures": figures if final else None,
    }


def _in_words(said: SlotOpen | SlotFrame, language: str) -> list[str]:
    """Each reason in the language by its code; one without, or that is not known here, as its sentence came."""
    pairs = zip_longest(said.reasons, said.reasons_coded[: len(said.reasons)])
    return list(dict.fromkeys(worded(sentence, one, language) for sentence, one in pairs))


def worded(sentence: str, reason: Reason | None, language: str) -> str:
    """A reason in a language: by its code where that says what the sentence says, which may be cut short.

    Who knows no codes keeps old ones.
    """
    english = None if reason is None else reason_in_words(reason, DEFAULT)
    if reason is None or english is None or not english.startswith(sentence):
        return sentence
    return reason_in_words(reason, language) or sentence


def reference(one: ReferencePicture, today: dt.date, recipe: Recipe | None = None) -> dict[str, Any]:
    """A picture to compare with; `expired` where nobody vouches for a limit sample any more.

    `figures` are what inspections by the recipe give of a limit sample, `stale` where they would give others.
    """
    approval = one.approval
    return {
        "name": one.name,
        "kind": one.kind,
        "view_id": one.view_id,
        "defect_class": one.defect_class,
        "side": one.side,
        "approved_by": None if approval is None else approval.approved_by,
        "expires": None if approval is None else approval.expires.isoformat(),
        "expired": approval is not None and approval.expires < today,
        "figures": None if one.figures is None or recipe is None else _figures(one.figures, one, recipe),
    }


def _figures(figures: SampleFigures, one: ReferencePicture, recipe: Recipe) -> dict[str, Any]:
    counted = [defect for defect in figures.defects if not defect.is_ignored]
    return {
        "count": figures.count,
        "stale": not figures.is_of(recipe, digest(one.picture)),
        "defects": [
            {
                "length_mm": defect.length_mm,
                "length_error_mm": defect.length_error_mm,
                "area_mm2": defect.area_mm2,
                "area_error_mm2": defect.area_error_mm2,
                "defect_class": defect.defect_class,
                "zones": list(defect.zones),
                "is_within": defect.is_within,
            }
            for defect in counted[:MOST_SHOWN]
        ],
    }


def evidence(frame: SlotFrame, kept: Evidence | None, *, told: bool) -> dict[str, Any]:
    """Whether a frame's picture can be shown: `waiting`, `here` or `missing` (with the reason).

    Layers are named only where `told`: which maps there are says what became of the frame.
    """
    if kept is None:
        return {"frame_id": frame.frame_id, "state": "waiting", "layers": [], "why": None}
    why = unusable(frame, kept)
    layers = list(LAYERS) if told and kept.maps is not None else []
    return {"frame_id": frame.frame_id, "state": "missing" if why else "here", "layers": layers, "why": why}


def unusable(frame: SlotFrame, kept: Evidence) -> str | None:
    """Why a kept picture may not be judged by; None where it may. What was captured is what is judged."""
    if kept.picture is None:
        return kept.missing or "there is no picture"
    if frame.sha256 is not None and kept.sha256 != frame.sha256:
        return "the kept picture is not the captured one (digest differs)"
    return None


def queue(
    summary: QueueSummary, name_of: Callable[[str], str] = str, *, lead: bool = False, may_take: bool = True
) -> dict[str, Any]:
    """What waits, by line, and who holds what; `name_of` tells whose pseudonym it is.

    `lead`: for somebody who takes a lead's; whoever may take nothing counts all.
    """
    return {
        "now_ms": summary.now_ms,
        "live": summary.live,
        "lead": lead,
        "may_take": may_take,
        "demands": [
            {
                "line_id": one.line_id,
                "recipe_id": one.recipe_id,
                "ask": one.ask.value,
                "text": one.words(summary.now_ms),
            }
            for one in summary.demands
        ],
        "lines": [
            {
                "line_id": line,
                "waiting": count.ready + (count.dead if lead or not may_take else 0),
                "ready": count.ready,
                "leased": count.leased,
                "parked": count.parked,
                "dead": count.dead,
                "overdue": count.overdue,
                "oldest_ms": count.oldest_ms,
            }
            for line, count in sorted(summary.lines.items())
        ],
        "slots": [
            {
                "slot_id": slot.slot_id,
                "part_id": slot.part_id,
                "line_id": slot.line_id,
                "state": slot.state.value,
                "for_lead": slot.skill == "lead" or slot.state is SlotStatus.DEAD,
                "sender": name_of(slot.sender) if slot.sender else "",
                "handed_ms": slot.handed_ms,
                "holder": name_of(slot.holder),
                "until_ms": slot.until_ms,
                "opened_ms": slot.opened_ms,
                "overdue": slot.overdue,
                "why": slot.why,
            }
            for slot in summary.slots
            if slot.state is not SlotStatus.PARKED
        ],
    }
