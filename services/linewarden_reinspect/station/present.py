"""What the pages get to see of visits, queue and evidence; plain data, ready for JSON."""

from __future__ import annotations

from typing import Any

from linewarden_reinspect.queue.types import NamedSlot, SlotStatus, Summary
from linewarden_schemas.disposition import SlotFrame
from linewarden_schemas.inspection import Evidence
from linewarden_schemas.vocabulary import Cause

from .sessions import Hand
from .words import CAUSES, SHORT, VERDICTS

LAYERS = ("mask", "specific", "agnostic")


def visit(hand: Hand, now_ms: int) -> dict[str, Any]:
    """A visit in hand. Times are epoch ms of the server; `now_ms` lets the page correct its own clock."""
    slot = hand.slot
    return {
        "slot_id": slot.slot_id,
        "visit_id": slot.visit_id,
        "token": hand.token,
        "part_id": slot.part_id,
        "line_id": slot.line_id,
        "product_id": slot.product_id,
        "recipe": f"{slot.recipe.recipe_id}@{slot.recipe.version}",
        "causes": [{"word": cause.value, "short": SHORT[cause], "text": CAUSES[cause]} for cause in slot.causes],
        "reasons": list(dict.fromkeys(slot.reasons)),
        "risk": slot.risk,
        "opened_ms": slot.opened_ms,
        "due_ms": slot.due_ms,
        "until_ms": hand.until_ms,
        "now_ms": now_ms,
        "missing_views": list(slot.missing_views),
        "frames": [_frame(frame) for frame in sorted(slot.frames, key=_most_doubtful_first)],
        "is_simulated": slot.is_simulated,
    }


def _most_doubtful_first(frame: SlotFrame) -> tuple[bool, float, str]:
    return (not frame.doubtful, -(frame.suspicion or 0.0), frame.view_id)


def _frame(frame: SlotFrame) -> dict[str, Any]:
    return {
        "frame_id": frame.frame_id,
        "view_id": frame.view_id,
        "doubtful": frame.doubtful,
        "verdict": None if frame.verdict is None else frame.verdict.value,
        "verdict_text": "not inspected" if frame.verdict is None else VERDICTS[frame.verdict],
        "p_defect": frame.p_defect,
        "suspicion": frame.suspicion,
        "reasons": list(dict.fromkeys(frame.reasons)),
    }


def evidence(frame: SlotFrame, kept: Evidence | None) -> dict[str, Any]:
    """Whether a frame's picture can be shown: `waiting`, `here` or `missing` (with the reason)."""
    if kept is None:
        return {"frame_id": frame.frame_id, "state": "waiting", "layers": [], "why": None}
    why = unusable(frame, kept)
    layers = list(LAYERS) if kept.maps is not None else []
    return {"frame_id": frame.frame_id, "state": "missing" if why else "here", "layers": layers, "why": why}


def unusable(frame: SlotFrame, kept: Evidence) -> str | None:
    """Why a kept picture may not be judged by; None where it may. What was captured is what is judged."""
    if kept.picture is None:
        return kept.missing or "there is no picture"
    if frame.sha256 is not None and kept.sha256 != frame.sha256:
        return "the kept picture is not the captured one (digest differs)"
    return None


def queue(summary: Summary) -> dict[str, Any]:
    """What waits, by line, and who holds what."""
    return {
        "now_ms": summary.now_ms,
        "live": summary.live,
        "lines": [
            {
                "line_id": line,
                "ready": count.ready,
                "leased": count.leased,
                "parked": count.parked,
                "dead": count.dead,
                "oldest_ms": count.oldest_ms,
                "next_due_ms": count.next_due_ms,
            }
            for line, count in sorted(summary.lines.items())
        ],
        "slots": [_named(slot) for slot in summary.slots if slot.state is not SlotStatus.PARKED],
    }


def _named(slot: NamedSlot) -> dict[str, Any]:
    return {
        "slot_id": slot.slot_id,
        "line_id": slot.line_id,
        "state": slot.state.value,
        "due_ms": slot.due_ms,
        "holder": slot.holder,
        "until_ms": slot.until_ms,
        "cause": SHORT[Cause(slot.cause)],
        "opened_ms": slot.opened_ms,
    }
