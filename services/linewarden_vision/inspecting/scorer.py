"""What is needed of a network here, and how a batch survives a frame that breaks the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.card import Card
from linewarden_vision.errors import ScoresNotFinite
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspector import ViewScore
from linewarden_vision.pictures.decoders import Picture
from linewarden_vision.standing import OkBacking


class Scorer(Protocol):
    """A loaded bundle on a device; `linewarden_vision.inspector.Inspector` is one."""

    digest: str
    device: str

    @property
    def card(self) -> Card:
        """The card of the bundle that it scores by; the same for its whole life."""
        ...

    @property
    def standing(self) -> OkBacking:
        """How far its OK may be believed: the stage of its bundle, and the qualification behind it."""
        ...

    @property
    def precision(self) -> str:
        """Number format of the passes."""
        ...

    def prepare(self, picture: Picture) -> Any:  # noqa: ANN401 - passed back as it is
        """Network input of one picture; thread-safe; raises UnusablePicture."""
        ...

    def score(self, batch: Sequence[Any]) -> list[ViewScore]:
        """Scores of prepared pictures in their order, by one pass of the device; raises what the device raises."""
        ...


def score_batch(scorer: Scorer, prepared: Sequence[object]) -> tuple[ViewScore | PictureRefused, ...]:
    """Score a batch; if the pass fails, one picture at a time, so that only the culprit goes unjudged.

    A score for each picture in order, or a refusal where the device failed on it even alone.
    """
    try:
        return tuple(scorer.score(prepared))
    # What torch raises when a pass fails; out of memory is a RuntimeError.
    except (RuntimeError, ValueError, ArithmeticError, LookupError, MemoryError, ScoresNotFinite) as fault:
        if len(prepared) == 1:
            return (PictureRefused(Undecidable.DEVICE_FAULT, f"{type(fault).__name__}: {fault}"[:500]),)
    return tuple(score_batch(scorer, [one])[0] for one in prepared)
