"""Why a frame cannot be judged."""

from __future__ import annotations

from linewarden_domain.words import Said, said
from linewarden_schemas.vocabulary import Undecidable


class PictureRefused(Exception):
    """A frame that is answered NOT_DECIDABLE; `reason` is for counting, `said` for people.

    What a decoder, a bundle or a device says of itself has no code of its own.

    `in_passing`: it lies in the moment and not in the record, whatever the reason.
    """

    def __init__(self, reason: Undecidable, detail: Said | str, *, in_passing: bool = False) -> None:
        super().__init__(str(detail))
        self.reason = reason
        self.said = said("undecidable", detail=detail) if isinstance(detail, str) else detail
        self.detail = str(detail)
        self._in_passing = in_passing

    @property
    def is_record_fault(self) -> bool:
        """Whether the reason lies in the record itself: somebody should look at it, so it becomes a dead letter too."""
        if self._in_passing:
            return False
        return self.reason in {
            Undecidable.BAD_METADATA,
            Undecidable.TOO_LARGE,
            Undecidable.DIGEST_MISMATCH,
            Undecidable.NOT_A_PICTURE,
            Undecidable.UNREADABLE,
            Undecidable.UNKNOWN_RECIPE,
        }
