"""How answers route: one by one, and the worst of them for the whole."""

from __future__ import annotations

from collections.abc import Iterable

from linewarden_schemas.vocabulary import Routing, Verdict


def routing_of(verdict: Verdict | None, *, is_trusted: bool) -> Routing:
    """The routing of one answer: an NG is rejected, a trusted OK passes, everything else is diverted.

    >>> routing_of(Verdict.OK, is_trusted=False).value, routing_of(None, is_trusted=True).value
    ('diverted', 'diverted')
    """
    if verdict is Verdict.NG:
        return Routing.REJECTED
    return Routing.TRUSTED_PASS if verdict is Verdict.OK and is_trusted else Routing.DIVERTED


def worst(routings: Iterable[Routing]) -> Routing:
    """The routing of a whole; raises ValueError for none at all.

    >>> worst([Routing.TRUSTED_PASS, Routing.REJECTED, Routing.DIVERTED]).value
    'rejected'
    """
    return max(routings, key=lambda one: one.severity)
