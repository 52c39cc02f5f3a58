"""Whether the topics are set as the catalogue says; what differs can lose records, or let something pass."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import structlog

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Admin, Broker, TopicDescription
from linewarden_schemas.ids import Namespace
from linewarden_schemas.topics import CATALOGUE, CO_PARTITIONED, FOR_EVER, Cleanup, Topic

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One setting of one topic that is not as it must be; `is_fatal` where records can be lost, or pass unseen."""

    topic: str
    setting: str
    found: str
    wanted: str
    is_fatal: bool = True

    def __str__(self) -> str:
        change = "a drained migration" if self.setting == "partitions" else "run 'linewarden topics create --update'"
        return f"topic {self.topic}: {self.setting} is {self.found}, {self.wanted} is needed; {change}"


def deviations(admin: Admin, namespace: Namespace, names: Collection[str], *, stamps: bool) -> list[Deviation]:
    """What differs in these topics (logical names); `stamps` tells whether the broker keeps append times at all.

    Settings that the broker does not tell are taken for right. Raises ConfigurationError for a topic that is missing.
    """
    found = {name: admin.describe(namespace.topic(name)) for name in names}
    counts = {name: found[name].partitions for name in names if name in CO_PARTITIONED}
    most = max(counts.values(), default=0)
    different = [
        Deviation(namespace.topic(name), "partitions", str(count), f"{most}, as of the other topics keyed by visit,")
        for name, count in counts.items()
        if count != most
    ]
    return [*different, *(one for name in names for one in _of_topic(CATALOGUE[name], found[name], stamps=stamps))]


def verify_topics(broker: Broker, namespace: Namespace, names: Collection[str]) -> None:
    """Refuse to start where a topic is set so that records can be lost, or pass unseen; warn of the rest.

    Raises:
        ConfigurationError: naming topic, setting, what was found, what is wanted, and the command that changes it.
    """
    with broker.admin() as admin:
        if not any(admin.describe(namespace.topic(name)).configs for name in list(names)[:1]):
            _log.info("this broker does not tell the settings of topics, so they are not verified")
        found = deviations(admin, namespace, names, stamps=broker.append_time)
    for one in found:
        if not one.is_fatal:
            _log.warning("a topic is not set as the catalogue says", detail=str(one))
    fatal = [str(one) for one in found if one.is_fatal]
    if fatal:
        more = f" (and {len(fatal) - 1} more: 'linewarden doctor')" if len(fatal) > 1 else ""
        raise ConfigurationError(fatal[0] + more)


def _of_topic(topic: Topic, there: TopicDescription, *, stamps: bool) -> Iterator[Deviation]:
    wanted = topic.config()
    told = {name: value for name, value in there.configs.items() if name in wanted}
    for name in ("cleanup.policy", *(["message.timestamp.type"] if stamps and topic.append_time else [])):
        if told.get(name, wanted[name]) != wanted[name]:
            yield Deviation(there.name, name, told[name], wanted[name])
    largest = "max.message.bytes"
    if int(told.get(largest, wanted[largest])) < int(wanted[largest]):
        yield Deviation(there.name, largest, told[largest], wanted[largest])
    if topic.cleanup is Cleanup.DELETE:
        kept = int(told.get("retention.ms", topic.retention_ms))
        is_shorter = kept != FOR_EVER and (topic.retention_ms == FOR_EVER or kept < topic.retention_ms)
        if is_shorter:
            is_fatal = topic.retention_ms == FOR_EVER
            yield Deviation(there.name, "retention.ms", str(kept), str(topic.retention_ms), is_fatal)
    else:
        segment = "segment.bytes"
        if int(told.get(segment, wanted[segment])) > int(wanted[segment]):
            yield Deviation(there.name, segment, told[segment], wanted[segment], is_fatal=False)
