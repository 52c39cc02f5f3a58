"""A member of a consumer group."""

import logging
from collections.abc import Collection, Mapping, Sequence

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.structs import MemberState

from linewarden_runtime.errors import CommitRefused, OffsetMissing
from linewarden_runtime.kafka.faults import translated
from linewarden_runtime.kafka.reader import KafkaReader
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Start
from linewarden_runtime.records import GroupSnapshot, InRecord, Position

_log = logging.getLogger(__name__)


class KafkaGroupConsumer(KafkaReader):
    """A member of a group, as `linewarden_runtime.ports.Consumer` promises."""

    def __init__(self, client: KafkaConsumer, settings: KafkaSettings, group: str, start: Start) -> None:
        super().__init__(client, settings)
        self._group = group
        self._start = start

    @classmethod
    def join(
        cls,
        settings: KafkaSettings,
        *,
        group: str,
        topics: Sequence[str],
        instance: str | None,
        start: Start,
        max_records: int,
    ) -> "KafkaGroupConsumer":
        """Open a member; it takes part from its first poll on. Raises ConfigurationError on unknown topics."""
        with translated():
            client = KafkaConsumer(
                **settings.consumer(group, instance),
                max_poll_records=max_records,
                # Range keeps the same partition numbers of joined topics together; the sticky ones do not.
                partition_assignment_strategy=[RangePartitionAssignor],
            )
        consumer = cls(client, settings, group, start)
        try:
            # Asked before the subscription: a topic that is missing would be waited for in silence.
            for topic in topics:
                consumer.partitions(topic)
        except BaseException:
            consumer.close()
            raise
        client.subscribe(topics=list(topics))
        return consumer

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[InRecord]:
        """Take part in the group and read; partitions without committed offset get their start first."""
        self._finish_join()
        try:
            return super().poll(timeout_s, max_records)
        except kafka_errors.NoOffsetForPartitionError:
            self._choose_start()
            return []

    def _finish_join(self) -> None:
        """Ask for a join that the client has forgotten to ask for; without it a member stays out for ever.

        A join that began because of changed metadata is not asked for any more once its leader has assigned. If
        its answer then comes between two polls nobody takes it: no heartbeat, no membership. The same holds for
        a member that believes in its membership while its heartbeats have stopped for a whole session.
        """
        coordinator = self._client._coordinator  # noqa: SLF001 - the client offers no way to ask for a join
        if coordinator is None:
            return
        is_joining = coordinator.state is MemberState.REBALANCING
        is_silent = (
            coordinator.state is MemberState.STABLE
            and not coordinator.coordinator_unknown()
            and coordinator.heartbeat.session_timeout_expired()
        )
        if is_silent:
            _log.warning("group %s: no heartbeat for a whole session; the member joins again", self._group)
        if is_joining or is_silent:
            coordinator.request_rejoin()

    def _choose_start(self) -> None:
        committed = self.committed(self.assignment())
        missing = [position for position, offset in committed.items() if offset is None]
        if self._start is Start.REFUSE and missing:
            topics = " ".join(sorted({position.topic for position in missing}))
            raise OffsetMissing(
                f"group {self._group} has no offset for {missing}; "
                f"stop its members and run 'linewarden topics provision {self._group} {topics}'"
            )
        earliest = self._start is Start.EARLIEST
        # Committed at once: who died before its first commit would choose again, and LATEST would pass over what came.
        chosen = self.beginning_offsets(missing) if earliest else self.end_offsets(missing)
        _log.warning("group %s starts at %s", self._group, {f"{p.topic}[{p.partition}]": o for p, o in chosen.items()})
        try:
            self.commit(chosen)
        except CommitRefused:
            return  # a rebalance came first; the next poll raises again for whoever owns them then
        for position, offset in chosen.items():
            self.seek(position, offset)

    def group(self) -> GroupSnapshot:
        """Membership now; generation -1 and no member after an eviction."""
        raw = self._client.group_metadata()
        return GroupSnapshot(
            raw.group_id,
            raw.member_id,
            raw.generation_id,
            raw.group_instance_id,
            raw.state == MemberState.STABLE,
            raw,
        )

    def committed(self, positions: Collection[Position]) -> dict[Position, int | None]:
        """Fetch the group's stable offsets."""
        with translated():
            return {
                position: self._client.committed(TopicPartition(*position), timeout_ms=self._timeout_ms)
                for position in positions
            }

    def commit(self, offsets: Mapping[Position, int]) -> None:
        """Commit exactly these offsets: poll has moved past its whole batch, so a bare commit would lose."""
        named = {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}
        with translated():
            self._client.commit(named, timeout_ms=self._timeout_ms)
