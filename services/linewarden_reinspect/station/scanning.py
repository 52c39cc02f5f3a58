"""What a scanner read, against the visit in hand and in the queue. A mismatch is refused in words."""

from __future__ import annotations

from linewarden_reinspect.queue.types import Refused

from .errors import Mismatch
from .hand import Hand


def is_named(hand: Hand, code: str) -> bool:
    """Whether the code is of this part or of its bin place; no code is of every part."""
    return code in {"", hand.slot.part_id, hand.slot.bin_slot}


def require_same(hand: Hand, code: str) -> None:
    """Raises Mismatch where another part was scanned than the one in hand."""
    if not is_named(hand, code):
        raise Mismatch("other", code=code, known=hand.slot.part_id or hand.slot.bin_slot or hand.slot.visit_id)


def refuse(code: str, refused: Refused, holder: str) -> Mismatch:
    """Why a scanned part is not given."""
    return Mismatch(refused.why.value, code=code, holder=holder)
