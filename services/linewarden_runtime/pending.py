"""Committed offsets that a broker keeps back, because a transaction that sent them never ended for it."""

from collections.abc import Collection

import structlog

from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.metrics import OFFSETS_RELEASED
from linewarden_runtime.ports import Consumer, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, Position

_log = structlog.get_logger(__name__)


def stable_offsets(
    consumer: Consumer, positions: Collection[Position], producer: TransactionalProducer, group: GroupSnapshot
) -> dict[Position, int | None]:
    """Fetch the group's offsets; where they are kept back, drop what the producer's identity left pending.

    The producer must be initialised: its predecessor is fenced then and its transaction ended, so nothing that
    is pending can still commit. If it had committed, its records are read once more. Raises BrokerUnavailable
    when that does not help, and what `release_offsets` raises.
    """
    try:
        return consumer.committed(positions)
    except BrokerUnavailable as failure:
        _log.warning("offsets are kept back; dropping what is pending", group=group.group, failure=str(failure))
        # Once: where it does not help it is no transaction of this identity that keeps them back.
        producer.release_offsets(positions, group)
        OFFSETS_RELEASED.labels(group=group.group).inc()
        return consumer.committed(positions)
