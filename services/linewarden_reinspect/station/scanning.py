"""What a scanner read, against the visit in hand and in the queue. A mismatch is refused in words."""

from __future__ import annotations

from linewarden_reinspect.queue.types import Refused, Why

from .errors import Mismatch
from .hand import Hand

_WORDS = {
    Why.UNKNOWN: "{code} is the code of no part that waits here.",
    Why.LEASED: "{code} is in the hands of {holder} already.",
    Why.PARKED: "{code} was decided a moment ago by {holder}.",
    Why.LINE: "{code} belongs to a line that you do not work for.",
    Why.LEAD: "{code} waits for a lead.",
    Why.SKILL: "{code} asks for a skill that you are not entered with.",
    Why.JUDGED: "{code} was judged by you before; somebody else has to look at it.",
    Why.SKIPPED: "{code} was skipped by you a moment ago.",
}

_OTHER = "{code} is not the part on the screen, which is {known}. Take that one, or give it back first."


def is_named(hand: Hand, code: str) -> bool:
    """Whether the code is of this part or of its bin place; no code is of every part."""
    return code in {"", hand.slot.part_id, hand.slot.bin_slot}


def require_same(hand: Hand, code: str) -> None:
    """Raises Mismatch where another part was scanned than the one in hand."""
    if not is_named(hand, code):
        values = {"code": code, "known": hand.slot.part_id or hand.slot.bin_slot or hand.slot.visit_id}
        raise Mismatch(_OTHER.format_map(values), "other", values)


def refuse(code: str, refused: Refused, holder: str) -> Mismatch:
    """Why a scanned part is not given."""
    values = {"code": code, "holder": holder}
    return Mismatch(_WORDS[refused.why].format_map(values), refused.why.value, values)
