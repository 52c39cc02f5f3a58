"""Batches on their way through a stage, in the order they were read."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from linewarden_runtime.errors import Poison, SlowDown
from linewarden_runtime.ports import StreamProcessor
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord


@dataclass(slots=True, eq=False)
class Batch:
    """Records of one poll with the membership under which they were read; done once it has outputs."""

    records: Sequence[InRecord]
    group: GroupSnapshot
    future: Future[Sequence[OutRecord]] | None = None
    outputs: Sequence[OutRecord] | None = None
    retry_at: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of its records, as in-flight bounds count them."""
        return sum(record.size for record in self.records)


class Flight:
    """All batches in flight; owned by the loop's thread, woken by the stage's."""

    def __init__(
        self,
        stage: StreamProcessor,
        dead_letter: Callable[[InRecord, Poison], OutRecord],
        wake: Callable[[], None],
        max_batches: int,
        max_bytes: int,
    ) -> None:
        self._stage = stage
        self._dead_letter = dead_letter
        self._wake = wake
        self._max_batches, self._max_bytes = max_batches, max_bytes
        self._batches: deque[Batch] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read for now."""
        return len(self._batches) >= self._max_batches or self.bytes >= self._max_bytes

    def add(self, records: Sequence[InRecord], group: GroupSnapshot) -> None:
        """Take records on and hand them to the stage."""
        batch = Batch(records, group)
        self._batches.append(batch)
        self.bytes += batch.size
        self._submit(batch)

    def _submit(self, batch: Batch) -> None:
        try:
            batch.future = self._stage.submit(batch.records)
        except (SlowDown, Poison) as policy:
            # Raised at once or brought by the future, a policy is answered in one place: `settle`.
            batch.future = Future()
            batch.future.set_exception(policy)
        batch.future.add_done_callback(lambda _: self._wake())

    def settle(self, now: float) -> float | None:
        """Take in what the stage finished, submit again what is due; seconds asked for by a SlowDown.

        Whatever else a stage raised is raised here, and ends the process.
        """
        asked: float | None = None
        # Over a copy: a poison puts parts into the place of its batch.
        for batch in list(self._batches):
            if batch.future is None and batch.outputs is None and now >= batch.retry_at:
                self._submit(batch)
            if batch.future is None or not batch.future.done():
                continue
            error = batch.future.exception()
            if isinstance(error, SlowDown):
                batch.future, batch.retry_at = None, now + error.retry_after_s
                # The batch keeps its place: those behind it may be done, and are published after it all the same.
                asked = max(asked or 0.0, error.retry_after_s)
            elif isinstance(error, Poison):
                self.isolate(batch, error)
            elif error is not None:
                raise error
            else:
                batch.outputs, batch.future = batch.future.result(), None
        return asked

    def isolate(self, batch: Batch, poison: Poison) -> None:
        """Put parts in the batch's place: the culprit done with its dead letter, the others submitted again."""
        # A stage need not name the record; of a batch of one it is known anyway.
        culprit = poison.record if poison.record in batch.records else None
        if culprit is None and len(batch.records) == 1:
            culprit = batch.records[0]
        if culprit is None:
            # Each by itself: the culprit comes back as the only one of its batch, and is known then.
            parts = [Batch([record], batch.group) for record in batch.records]
        else:
            cut = list(batch.records).index(culprit)
            parts = [Batch([culprit], batch.group)]
            parts[0].outputs = [self._dead_letter(culprit, poison)]
            if cut > 0:
                parts.insert(0, Batch(batch.records[:cut], batch.group))
            if cut + 1 < len(batch.records):
                parts.append(Batch(batch.records[cut + 1 :], batch.group))
        place = self._batches.index(batch)
        self._batches.remove(batch)
        for number, part in enumerate(parts):
            self._batches.insert(place + number, part)
            if part.outputs is None:
                self._submit(part)

    def ready(self, max_records: int) -> list[Batch]:
        """List the finished batches at the head that may share a transaction: in order, of one generation."""
        found: list[Batch] = []
        count = 0
        for batch in self._batches:
            first = found[0] if found else batch
            count += len(batch.records)
            # Offsets are committed under one generation, which the broker checks; of another one it would refuse all.
            if batch.outputs is None or not batch.group.same_generation(first.group):
                break
            # One that is above the bound by itself goes alone, else nothing would ever follow it.
            if found and count > max_records:
                break
            found.append(batch)
        return found

    def land(self, batches: Sequence[Batch]) -> None:
        """Forget batches that were committed; they are the head."""
        for _ in batches:
            self.bytes -= self._batches.popleft().size

    def drop(self) -> int:
        """Give everything up, to be read again by somebody; how many records that were."""
        dropped = 0
        for batch in self._batches:
            dropped += len(batch.records)
            if batch.future is not None:
                # What has begun runs on and is not looked at: a stage is pure, or may be asked twice.
                batch.future.cancel()
        self._batches.clear()
        self.bytes = 0
        return dropped
