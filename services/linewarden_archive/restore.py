"""An archive back into topics, in a namespace of its own: every key, header and value as it was, in its partition."""

from __future__ import annotations

from collections.abc import Collection

from linewarden_archive.archive import Archive
from linewarden_archive.entries import Looked
from linewarden_runtime.books import positions_of
from linewarden_runtime.errors import ConfigurationError, LiveTopicRefused
from linewarden_runtime.guard import IsolatedBroker
from linewarden_runtime.ports import Broker, TopicSpec
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.topics import CATALOGUE


def restore(
    broker: Broker,
    archive: Archive,
    own: Namespace,
    topics: Collection[str],
    looked: Looked = lambda _segment: None,
) -> int:
    """Write the records of these logical topics into `own`; how many.

    What was deleted lawfully is left out. Retention of the new topics counts from now.

    Raises:
        LiveTopicRefused: for a namespace that is not `replay.*`, before anything is made.
        ConfigurationError: where one of the topics holds anything already, or is not in the archive.
        ArchiveDamaged: at the first segment that was touched; what came before it is restored.
    """
    if not own.name.startswith("replay."):
        raise LiveTopicRefused(f"{own.name!r} is no namespace of a replay; restore to replay.<name> alone")
    unknown = sorted(set(topics) - archive.topics.keys())
    if unknown:
        raise ConfigurationError(f"{archive.root} holds no {', '.join(unknown)}")
    guarded, written = IsolatedBroker(broker, own), 0
    with guarded.admin() as admin:
        admin.create_topics(
            TopicSpec(own.topic(name), archive.topics[name].partitions, CATALOGUE[name].config()) for name in topics
        )
    for name in topics:
        positions = positions_of(guarded, own.topic(name))
        with guarded.reader(dict.fromkeys(positions, 0)) as reader:
            if any(reader.end_offsets(positions).values()):
                raise ConfigurationError(f"{own.topic(name)} holds records already; restore under another name")
    with guarded.producer(client="restore") as producer:
        for name in topics:
            for segment in archive.segments(name):
                sent = [
                    producer.send(OutRecord(own.topic(name), one.key, one.value, one.headers, one.partition))
                    for one in archive.read(segment)
                ]
                for delivery in sent:
                    delivery.result(30.0)
                written += len(sent)
                looked(segment)
    return written
