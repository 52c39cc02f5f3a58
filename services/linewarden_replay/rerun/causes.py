"""Which change makes a difference: told by trying one change at a time. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from linewarden_replay.compare import Answer, Cause, Kind, Tolerances, kind_of
from linewarden_schemas.vocabulary import Undecidable

_NOT_AT_HAND = frozenset({Undecidable.UNKNOWN_BUNDLE, Undecidable.UNKNOWN_RECIPE})
_ORDER = list(Kind)


def without_change(recorded: Answer, replayed: Answer) -> tuple[Cause, ...]:
    """The cause where bundle and recipe are those of then."""
    same_code = recorded.made.code == replayed.made.code
    return (Cause.DEVICE if same_code and not recorded.made.same_device(replayed.made) else Cause.CODE,)


def attribute(
    kind: Kind, recorded: Answer, base: Answer, alone: Mapping[Cause, Answer], tolerances: Tolerances
) -> tuple[Cause, ...]:
    """The changes each of which alone makes a difference as weighty as `kind`.

    `base` is the answer of today's code with bundle and recipe of then; `alone` the answers where only one of the two
    is changed from that.
    """
    if base.undecidable in _NOT_AT_HAND and base.undecidable is not recorded.undecidable:
        return (Cause.NOT_TRIED,)
    found: list[Cause] = []
    if _differ(recorded, base, kind, tolerances):
        found += without_change(recorded, base)
    found += [cause for cause, answer in alone.items() if _differ(base, answer, kind, tolerances)]
    return tuple(found) or (Cause.TOGETHER,)


def _differ(one: Answer, other: Answer, kind: Kind, tolerances: Tolerances) -> bool:
    """Whether two answers differ in something at least as weighty."""
    if kind is Kind.MAPS and one.maps != other.maps:
        return True
    found = kind_of(one, other, tolerances)
    return found is not None and _ORDER.index(found) <= _ORDER.index(kind)
