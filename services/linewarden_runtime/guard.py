"""How a simulation reaches a broker: it reads everything, and writes into its own namespace or not at all.

Topics, groups and transactional ids are refused alike, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from linewarden_runtime.errors import LiveTopicRefused
from linewarden_runtime.ports import (
    Admin,
    Broker,
    Closing,
    Consumer,
    Delivery,
    Producer,
    TopicSpec,
    TransactionalProducer,
)
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position
from linewarden_schemas.ids import InvalidId, Namespace


def require_isolated(namespace: Namespace) -> Namespace:
    """The namespace itself; raises LiveTopicRefused where it is no `replay.*` or `shadow.*`."""
    if not namespace.is_isolated:
        raise LiveTopicRefused(f"{namespace.name!r} is a live namespace; a simulation writes to replay.<run> alone")
    return namespace


def require_live(namespace: Namespace) -> Namespace:
    """The namespace itself; raises LiveTopicRefused for one that is itself a simulation's."""
    if namespace.is_isolated:
        raise LiveTopicRefused(f"{namespace.name!r} is itself a simulation; it is a live namespace that is read")
    return namespace


class _Guarded(Closing):
    """Whatever belongs to one isolated namespace and is closed at the end of its block."""

    def __init__(self, client: Admin | Producer | TransactionalProducer, namespace: Namespace) -> None:
        self._client, self._namespace = client, require_isolated(namespace)

    def close(self) -> None:
        """Close the client underneath; twice is harmless."""
        self._client.close()


class IsolatedProducer(_Guarded):
    """A producer that sends to the topics of one `replay.*` or `shadow.*` namespace alone.

    Raises:
        LiveTopicRefused: for any other namespace, when made, and for any other topic, before anything is sent.
    """

    def __init__(self, producer: Producer, namespace: Namespace) -> None:
        super().__init__(producer, namespace)
        self._producer = producer
        self.flush = producer.flush

    def send(self, record: OutRecord) -> Delivery:
        """Send a record of the own namespace."""
        require_own(self._namespace, record.topic)
        return self._producer.send(record)


class IsolatedTransactions(_Guarded):
    """A transactional identity of the own namespace, that writes into it and commits for its groups alone."""

    def __init__(self, producer: TransactionalProducer, namespace: Namespace) -> None:
        super().__init__(producer, namespace)
        self._producer = producer
        self.init = producer.init

    def transact(
        self,
        outputs: Iterable[OutRecord],
        offsets: Mapping[Position, int] | None = None,
        group: GroupSnapshot | None = None,
    ) -> int | None:
        """Publish and commit; raises LiveTopicRefused before anything is begun."""
        # Taken out of the iterable once: what was looked at is what is sent.
        held = list(outputs)
        require_own(self._namespace, *(record.topic for record in held), *([group.group] if group else []))
        return self._producer.transact(held, offsets, group)

    def release_offsets(self, positions: Collection[Position], group: GroupSnapshot) -> None:
        """Drop pending offsets of an own group."""
        require_own(self._namespace, group.group)
        self._producer.release_offsets(positions, group)


class IsolatedAdmin(_Guarded):
    """Looks at every topic and group; makes, deletes and provisions those of the own namespace alone."""

    def __init__(self, admin: Admin, namespace: Namespace) -> None:
        super().__init__(admin, namespace)
        self._admin = admin
        # Looking is allowed, at what is live too.
        self.topics, self.describe = admin.topics, admin.describe
        self.topic_id, self.committed = admin.topic_id, admin.committed

    def create_topics(self, topics: Iterable[TopicSpec]) -> list[str]:
        """Make topics of the own namespace."""
        held = list(topics)
        require_own(self._namespace, *(one.name for one in held))
        return self._admin.create_topics(held)

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics of the own namespace."""
        held = list(names)
        require_own(self._namespace, *held)
        self._admin.delete_topics(held)

    def provision(self, group: str, topics: Iterable[str]) -> dict[Position, int]:
        """Commit first offsets of an own group, over topics of whatever namespace."""
        require_own(self._namespace, group)
        return self._admin.provision(group, topics)

    def configure(self, name: str, configs: Mapping[str, str]) -> None:
        """Set a topic of the own namespace."""
        require_own(self._namespace, name)
        self._admin.configure(name, configs)


class IsolatedBroker:
    """A broker as a simulation may use it: `linewarden_runtime.ports.Broker` for one isolated namespace.

    Raises:
        LiveTopicRefused: for a live namespace, and for every name of another that is to be written to or committed for.
    """

    def __init__(self, broker: Broker, namespace: Namespace) -> None:
        self._broker, self.namespace = broker, require_isolated(namespace)
        self.append_time = broker.append_time
        self.reader = broker.reader

    def consumer(self, *, group: str, topics: Sequence[str], **options: Any) -> Consumer:  # noqa: ANN401 - the port's
        """Join a group of the own namespace, over topics of whatever namespace."""
        require_own(self.namespace, group)
        return self._broker.consumer(group=group, topics=topics, **options)

    def producer(self, *, client: str = "producer") -> IsolatedProducer:
        """A producer into the own namespace."""
        return IsolatedProducer(self._broker.producer(client=client), self.namespace)

    def transactional_producer(self, transactional_id: str, writes: Collection[Position] = ()) -> IsolatedTransactions:
        """A transactional identity of the own namespace."""
        require_own(self.namespace, transactional_id, *(position.topic for position in writes))
        return IsolatedTransactions(self._broker.transactional_producer(transactional_id, writes), self.namespace)

    def admin(self) -> IsolatedAdmin:
        """Topics and groups, those of others to be looked at."""
        return IsolatedAdmin(self._broker.admin(), self.namespace)


def require_own(namespace: Namespace, *names: str) -> None:
    """Refuse physical names of topics, groups or identities that are not of the namespace; raises LiveTopicRefused."""
    for name in names:
        try:
            namespace.logical(name)
        except InvalidId as error:
            raise LiveTopicRefused(f"{name!r} is not of {namespace.name}, and a simulation touches no other") from error
