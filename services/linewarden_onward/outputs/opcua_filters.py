"""Filters of events as the standard means them: an event is of a type where it is of one of its subtypes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncua import ua
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import WhereClauseEvaluator

_HAS_SUBTYPE = ua.NodeId(ua.ObjectIds.HasSubtype)


class SubtypeEvaluator(WhereClauseEvaluator):  # type: ignore[misc]  # asyncua's types are not followed
    """asyncua compares types alone, and a client that asks for the standard's event would not hear ours."""

    def _eval_el(self, index: int, event: Any) -> Any:  # noqa: ANN401 - asyncua's
        element = self.elements[index]
        if element.FilterOperator != ua.FilterOperator.OfType:
            return super()._eval_el(index, event)
        return self._eval_op(element.FilterOperands[0], event) in set(self._with_supertypes(event.EventType))

    def _with_supertypes(self, kind: ua.NodeId) -> Iterator[ua.NodeId]:
        while kind is not None:
            yield kind
            above = self._aspace[kind].references
            parents = [one.NodeId for one in above if one.ReferenceTypeId == _HAS_SUBTYPE and not one.IsForward]
            kind = parents[0] if parents else None


def follow_subtypes(subscription: InternalSubscription, items: list[int]) -> None:
    """Let these monitored items of a subscription hear subtypes too."""
    service = subscription.monitored_item_srv
    for item in items:
        held = service._monitored_items.get(item)  # noqa: SLF001 - asyncua has no other way to it
        if held is not None and held.where_clause_evaluator is not None:
            former = held.where_clause_evaluator
            held.where_clause_evaluator = SubtypeEvaluator(former.logger, service.aspace, held.filter.WhereClause)
