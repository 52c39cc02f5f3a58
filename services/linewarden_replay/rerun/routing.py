"""How the views of a visit route it, then and now. Pure; the worst view counts.

What a re-run cannot try again stays as it was: a deadline, a lost picture, a part that came back. The coins that draw
passes for audit and rejects for review are not part of the comparison: they say nothing of the part.
"""

from __future__ import annotations

from collections.abc import Iterable

from linewarden_domain.routing import routing_of, worst
from linewarden_replay.compare import Answer
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Cause, Routing

_KEPT = frozenset({Cause.LATE, Cause.FAULT})


def routing_then(first: Disposition) -> Routing | None:
    """What the evidence said, before a coin or a known-bad withheld the visit; None where it cannot be told."""
    if Cause.KNOWN_BAD in first.causes:
        return None
    if Cause.REJECT_REVIEW in first.causes:
        return Routing.REJECTED
    return Routing.TRUSTED_PASS if first.causes == (Cause.AUDIT,) else first.routing


def routing_now(first: Disposition, views: Iterable[Answer]) -> Routing:
    """The routing by the answers of today."""
    found = [routing_of(one.verdict, is_trusted=one.is_trusted_ok) for one in views]
    if _KEPT & set(first.causes) or not found:
        found.append(Routing.DIVERTED)
    return worst(found)
