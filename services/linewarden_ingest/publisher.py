"""From the spool to the topics `frames` and `captures`, and the camera's heartbeat.

At least once: whatever is not acknowledged is sent again with the same ids, by this process or the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from linewarden_ingest.camera_watch import CameraWatch
from linewarden_ingest.captures import CameraPlace, InForce, without_picture
from linewarden_ingest.ledger import Failure, InFlight, Ledger
from linewarden_ingest.metrics import GAPS, PUBLISHED, Losses
from linewarden_ingest.node_clock import NodeClock
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.spool.faults import SpoolFull
from linewarden_ingest.spool.format import Kind
from linewarden_ingest.spool.reader import Gap, Record
from linewarden_ingest.spool.spool import Spool
from linewarden_ingest.ticket import Ticket
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, DeliveryFailed, TooLarge
from linewarden_runtime.metrics import PRODUCERS_REPLACED, UNACKED_AGE_SECONDS, UNACKED_BYTES
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord
from linewarden_schemas.capture import Capture
from linewarden_schemas.vocabulary import Loss

_BURST = 64
"""Records sent before acknowledgements are looked at again."""

_log = structlog.get_logger(__name__)


class Publisher:
    """One camera's publisher; belongs to one thread. `new_producer` makes a producer to replace a broken one.

    At most `unacked_bytes` are on their way; a record without acknowledgement for `unacked_age_s` costs the producer.
    """

    def __init__(
        self,
        spool: Spool,
        new_producer: Callable[[], Producer],
        outbound: Outbound,
        *,
        place: CameraPlace,
        losses: Losses,
        clock: Clock,
        watch: CameraWatch | None = None,
        node: NodeClock | None = None,
        in_force: Callable[[], InForce] = InForce,
        unacked_bytes: int = 32 << 20,
        unacked_age_s: float = 60.0,
        heartbeat_s: float = 5.0,
        retry_s: float = 1.0,
    ) -> None:
        self._spool, self._new_producer, self._outbound = spool, new_producer, outbound
        self._place, self._losses, self._clock = place, losses, clock
        self._most_unacked_bytes, self._unacked_age_s = unacked_bytes, unacked_age_s
        self._heartbeat_s, self._retry_s = heartbeat_s, retry_s
        self._node, self._watch = node or NodeClock(clock, place.camera_id), watch
        self._in_force = in_force
        self._wake = threading.Event()
        self._reader = spool.reader(self._wake.set)
        # From the pointer on: what the process before sent and did not see acknowledged goes again.
        self._ledger = Ledger(clock, spool.acked_next, self._wake.set)
        self._published = PUBLISHED.labels(camera=place.camera_id)
        self._unacked_bytes = UNACKED_BYTES.labels(sender=place.camera_id)
        self._unacked_age = UNACKED_AGE_SECONDS.labels(sender=place.camera_id)
        self._producer: Producer | None = None
        self._beat_at = clock.monotonic()
        self._stop = threading.Event()

    @property
    def is_drained(self) -> bool:
        """Whether everything durable is acknowledged."""
        return self._ledger.is_empty and self._reader.next_sequence >= self._spool.durable_next

    def step(self, timeout_s: float) -> None:
        """Settle what came back, then send what is durable, or wait at most about `timeout_s` for either."""
        producer = self._producer or self._open(timeout_s)
        if producer is None:
            return
        self._wake.clear()  # before anything is looked at, so that nothing that comes meanwhile is slept over
        self._settle(producer)
        self._beat_when_due(producer)
        # It was replaced on the way; what it had sent is read again with the next step.
        if self._producer is not producer:
            return
        # The client gives no batch up by itself (D0), and one that is stuck for good would hold all behind it.
        if self._ledger.oldest_age_s > self._unacked_age_s:
            self._replace(f"no acknowledgement for {self._unacked_age_s:.0f} s")
        elif not self._send_some(producer):
            self._clock.wait(self._wake, timeout_s)
            self._settle_acks()

    def beat(self, timeout_s: float) -> None:
        """Publish the last heartbeat and wait for it; an outage only costs the heartbeat."""
        if self._producer is None:
            return
        try:
            self._beat(self._producer)
            self._producer.flush(timeout_s)
        except (DeliveryFailed, BrokerUnavailable) as error:
            _log.warning("the last heartbeat was not delivered", camera_id=self._place.camera_id, error=str(error))

    def close(self) -> None:
        """Close producer and reader; what is not acknowledged stays in the spool."""
        self._settle_acks()
        # After the last acknowledgements, so that as little as possible is sent twice by the next process.
        self._reader.close()
        if self._producer is not None:
            self._producer.close()

    def _open(self, timeout_s: float) -> Producer | None:
        try:
            self._producer = self._new_producer()
        except BrokerUnavailable as error:
            _log.warning("no broker; pictures stay in the spool", camera_id=self._place.camera_id, error=str(error))
            self._clock.wait(self._stop, max(timeout_s, self._retry_s))
        return self._producer

    def _settle(self, producer: Producer) -> None:
        try:
            for failure in self._ledger.failures():
                self._settle_failure(producer, failure)
        except DeliveryFailed as error:
            self._replace(str(error))
            return
        self._settle_acks()

    def _settle_failure(self, producer: Producer, failure: Failure) -> None:
        """Answer a record that is too large in another way; for any other failure raise it."""
        entry, ticket = failure.entry, failure.ticket
        if not isinstance(failure.error, TooLarge) or entry is None or ticket is None:
            raise DeliveryFailed(str(failure.error)) from failure.error
        if failure.is_frame:
            self._publish_oversize(producer, entry, ticket, failure.error)
        else:
            self._give_up_capture(entry, failure.error)

    def _settle_acks(self) -> None:
        before = self._spool.acked_next
        after = self._ledger.advance()
        # Without a gap alone: the pointer is one number, and what is behind it is freed.
        if after > before:
            self._spool.acknowledge(after)
            self._published.inc(after - before)
        self._unacked_bytes.set(self._ledger.unacked_bytes)
        self._unacked_age.set(self._ledger.oldest_age_s)

    def _send_some(self, producer: Producer) -> int:
        """Send what is durable, a burst at most and within the bound on bytes; how many records that were."""
        sent = 0
        # The client bounds no memory for what is not sent yet (D5).
        while sent < _BURST and self._ledger.unacked_bytes < self._most_unacked_bytes:
            item = self._reader.next()
            if item is None:
                break
            sent += 1
            if isinstance(item, Gap):
                self._tell_gap(item)
                continue
            try:
                self._send(producer, item)
            except DeliveryFailed as error:
                self._replace(str(error))
                break
        return sent

    def _tell_gap(self, gap: Gap) -> None:
        GAPS.labels(camera=self._place.camera_id).inc(gap.count)
        _log.error("spool damaged", camera_id=self._place.camera_id, first=gap.first, last=gap.last)
        # Entered without anything to wait for, so that the pointer can pass the gap.
        self._ledger.enter(gap.last)

    def _send(self, producer: Producer, record: Record) -> None:
        ticket = record.note if isinstance(record.note, Ticket) else self._ticket(record)
        if ticket is None:
            self._tell_gap(Gap(record.sequence, record.sequence))
            return
        entry = self._ledger.enter(record.sequence, len(record.payload or b""), ticket)
        loss = self._loss_of(record, ticket)
        if loss is None and record.payload is not None:
            loss = self._send_frame(producer, ticket, record.payload, entry)
        # The capture last: it can still say that the picture was refused.
        capture = ticket.capture if loss is None else without_picture(ticket.capture, loss)
        self._send_part(producer, self._outbound.capture(capture), entry)

    def _send_frame(self, producer: Producer, ticket: Ticket, picture: bytes, entry: InFlight) -> Loss | None:
        frame = self._outbound.frame(ticket, picture)
        settled = self._ledger.expect(entry, is_frame=True)
        try:
            delivery = producer.send(frame)
            if delivery.done():  # refused before it went anywhere, so the capture can carry the loss
                delivery.result(0.0)
        except TooLarge as error:
            self._ledger.give_up(entry)
            self._note_oversize(ticket, error)
            return Loss.OVERSIZE
        delivery.add_done_callback(settled)
        return None

    def _send_part(self, producer: Producer, record: OutRecord, entry: InFlight | None) -> None:
        settled = self._ledger.expect(entry)
        # Of captures and heartbeats alone: the shortest trip tells the broker's time best, and a frame's is long.
        trip = self._node.sending()
        try:
            delivery = producer.send(record)
        except TooLarge as error:
            # A heartbeat has no sequence that could be given up.
            if entry is None:
                raise
            self._give_up_capture(entry, error)
            return

        def compared(failure: Exception | None) -> None:
            if failure is None:
                self._node.answered(trip, delivery)
            settled(failure)

        delivery.add_done_callback(compared)

    def _give_up_capture(self, entry: InFlight, error: Exception) -> None:
        """A capture that no broker will take leaves its sequence out, which the audit sees."""
        self._ledger.give_up(entry)
        GAPS.labels(camera=self._place.camera_id).inc()
        _log.error(
            "the broker refuses a capture for its size and its visit is lost; raise max.message.bytes of 'captures'",
            camera_id=self._place.camera_id,
            sequence=entry.sequence,
            frame_id=None if entry.ticket is None else entry.ticket.capture.frame_id,
            error=str(error),
        )

    def _ticket(self, record: Record) -> Ticket | None:
        """The ticket as it lies in the spool, without what this version does not understand; None where nothing is."""
        try:
            return Ticket.from_bytes(record.header)
        except ValueError as error:
            _log.error(
                "a spooled capture is not understood and its visit diverts; it was written by another version",
                camera_id=self._place.camera_id,
                sequence=record.sequence,
                error=str(error),
            )
        try:
            return Ticket.salvaged(record.header, Loss.UNREADABLE)
        except ValueError:
            return None

    def _loss_of(self, record: Record, ticket: Ticket) -> Loss | None:
        if ticket.capture.lost is not None:
            loss = ticket.capture.lost
            if record.payload is not None:  # else it was counted when it was spooled
                self._losses.add(loss)
            return loss
        if record.is_corrupt or record.kind is Kind.TORN:
            self._losses.add(Loss.SPOOL_CORRUPT)
            _log.error("a spooled picture is damaged", **_named(ticket.capture), sequence=record.sequence)
            return Loss.SPOOL_CORRUPT
        if record.kind is Kind.UNKNOWN or ticket.content_type is None:
            self._losses.add(Loss.UNREADABLE)
            _log.error("a spooled picture is of a kind unknown here", **_named(ticket.capture))
            return Loss.UNREADABLE
        return Loss.DROPPED_OLDEST if record.kind is Kind.DROPPED else None

    def _publish_oversize(self, producer: Producer, entry: InFlight, ticket: Ticket, error: Exception) -> None:
        """The broker refused a frame whose capture is on its way: a second capture of the same id tells why."""
        self._note_oversize(ticket, error)
        self._send_part(producer, self._outbound.capture(without_picture(ticket.capture, Loss.OVERSIZE)), entry)
        self._ledger.give_up(entry)

    def _note_oversize(self, ticket: Ticket, error: Exception) -> None:
        self._losses.add(Loss.OVERSIZE)
        _log.error(
            "the broker refuses the picture for its size and its visit diverts; raise max.message.bytes of 'frames'",
            **_named(ticket.capture),
            error=str(error),
        )

    def _beat_when_due(self, producer: Producer) -> None:
        due = self._clock.monotonic() - self._beat_at >= self._heartbeat_s
        if due and self._producer is producer:
            try:
                self._beat(producer)
            except DeliveryFailed as error:
                self._replace(str(error))

    def _beat(self, producer: Producer) -> None:
        self._beat_at = self._clock.monotonic()
        # What is not durable may be lost with the machine, and a tail that was told would look lost.
        last = self._spool.durable_next - 1
        try:
            self._spool.announce(last)
        except SpoolFull as full:  # what is told must be remembered
            _log.warning("no heartbeat; the spool has no room", camera_id=self._place.camera_id, error=str(full))
            return
        losses, error_ms, watch = self._losses.by_cause(), self._node.error_ms(), self._watch
        heartbeat = self._outbound.heartbeat(
            last,
            losses,
            self._clock.now_ms(),
            error_ms,
            conditions=watch.untold() if watch else (),
            last_read_ms=watch.last_read_ms if watch else None,
            in_force=self._in_force(),
        )
        self._send_part(producer, heartbeat, None)

    def _replace(self, why: str) -> None:
        """Throw the producer away and send again, with the same ids, what it did not get acknowledged."""
        PRODUCERS_REPLACED.labels(sender=self._place.camera_id).inc()
        _log.warning("producer replaced", camera_id=self._place.camera_id, why=why)
        if self._producer is not None:
            self._producer.close()
            self._producer = None
        self._settle_acks()
        # What came back until the very end is not sent again.
        self._reader.seek(self._ledger.forget())


def _named(capture: Capture) -> dict[str, str]:
    """What a line of the log says of which picture it speaks."""
    return {"camera_id": capture.camera_id, "visit_id": capture.visit_id, "frame_id": capture.frame_id}
