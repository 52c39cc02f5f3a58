"""Which number a block of a GenICam camera has, and which are missing before it; pure."""

from __future__ import annotations

MOST_MISSING = 1000
"""As many may be missing in a row; more is another count."""
LAST_SHORT_ID = 0xFFFF
"""The last block id of GigE Vision 1; 1 follows, since 0 is none."""


class UncountableBlock(ValueError):
    """A block id that goes back, stands still, or jumps too far: the camera counts anew, or is not to be followed."""


class BlockIds:
    """Follows the ids of blocks that come in their order; some have none, as their first packet is lost.

    Numbers are the ids, but go on where ids of 16 bits begin anew. `nameless` came since the last block with an id.
    """

    def __init__(self) -> None:
        self.nameless = 0
        self._last_id: int | None = None
        self._number = 0

    def place(self, block_id: int | None) -> range | None:
        """The numbers up to this block's own, those before it are missing; None while no number is known.

        Raises:
            UncountableBlock: where no number can be told.
        """
        if block_id is None:
            self.nameless += 1
            if self._last_id is None:
                return None
            self._number += 1
            return range(self._number, self._number + 1)
        before = self._number
        if self._last_id is None:
            step, self._number = self.nameless + 1, block_id
        else:
            step = steps(self._last_id, block_id) - self.nameless
            self._number = before + step
        if not 1 <= step <= MOST_MISSING + 1:
            raise UncountableBlock(f"block id {block_id} after {self._last_id}: it counts anew, or cannot be followed")
        self._last_id, self.nameless = block_id, 0
        return range(self._number - step + 1, self._number + 1)


def steps(before: int, after: int) -> int:
    """How many block ids after `before` the id `after` comes; ids of 16 bits begin anew with 1."""
    anew = after < before <= LAST_SHORT_ID
    return after - before + (LAST_SHORT_ID if anew else 0)
