"""The inspect stage: verify and decode -> batch -> device -> publish, each overlapping the next.

Every frame record is answered once: with an inspection, with an inspection and a dead letter, or, where not even
the visit can be read, with a dead letter alone; that visit diverts by its deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

from linewarden_inspect import metrics
from linewarden_inspect.device_lane import Answer, DeviceLane
from linewarden_inspect.placement_watch import PlacementWatch
from linewarden_inspect.writing import InspectionWriter, source_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.envelope import Frame
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import Verdict
from linewarden_vision.inspecting.intake import read_frame
from linewarden_vision.inspecting.judging import decided, not_decidable
from linewarden_vision.inspecting.preparing import Ready, Shelf, make_ready
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.reading import PictureLimits


class Submission:
    """Collects the outputs of `count` records; `future` brings all of them, or the first failure."""

    def __init__(self, count: int) -> None:
        self.future: Future[Sequence[OutRecord]] = Future()
        self._outputs: list[list[OutRecord]] = [[] for _ in range(count)]
        self._left = count
        self._lock = threading.Lock()
        if count == 0:
            self.future.set_result([])

    def done(self, place: int, outputs: list[OutRecord]) -> None:
        """The outputs of the record at `place`."""
        with self._lock:
            self._outputs[place] = outputs
            self._left -= 1
            is_last = self._left == 0
        if is_last and self.future.set_running_or_notify_cancel():
            self.future.set_result([record for listed in self._outputs for record in listed])

    def watch(self, task: Future[None]) -> None:
        """Call with every task that works on it, once it ended: a failure is the whole submission's."""
        failure = CancelledError("the stage was closed") if task.cancelled() else task.exception()
        if failure is None:
            return
        with self._lock:
            if not self.future.done():
                self.future.set_exception(failure)


@dataclass(frozen=True, slots=True)
class _Job:
    submission: Submission
    place: int
    record: InRecord


class InspectStage:
    """A `linewarden_runtime.ports.StreamProcessor`; `submit` returns at once, several submissions may be open.

    Any error but a refusal fails the submission, and with it the process: it never skips a frame.
    """

    def __init__(
        self,
        shelf: Shelf,
        lane: DeviceLane,
        writer: InspectionWriter,
        dead_letters: DeadLetters,
        *,
        limits: PictureLimits,
        clock: Clock,
        threads: int,
        executor: Executor | None = None,
        placements: PlacementWatch | None = None,
    ) -> None:
        self._shelf, self._lane, self._writer, self._dead_letters = shelf, lane, writer, dead_letters
        self._limits, self._clock = limits, clock
        self._placements = placements or PlacementWatch(5)
        self._pool = executor or ThreadPoolExecutor(threads, thread_name_prefix="frames")

    def submit(self, records: Sequence[InRecord]) -> Future[Sequence[OutRecord]]:
        """Answer records; the future brings their outputs in the order of the records."""
        submission = Submission(len(records))
        self._lane.announce(len(records))
        for place, record in enumerate(records):
            job = _Job(submission, place, record)
            self._pool.submit(self._take_in, job).add_done_callback(submission.watch)
        return submission.future

    def close(self) -> None:
        """Finish what is running; what has not begun is given up."""
        self._pool.shutdown(cancel_futures=True)
        self._lane.close()

    def _take_in(self, job: _Job) -> None:
        ready = self._prepare(job)
        if ready is None:
            self._lane.withdraw()
            return
        scored = self._lane.score(ready)
        scored.add_done_callback(lambda answer: self._hand_back(job, ready, answer))

    def _prepare(self, job: _Job) -> Ready | None:
        """The frame ready for the device; None once it is answered without it."""
        record, frame = job.record, None
        try:
            frame = read_frame(record.headers, record.value, self._limits)
            return make_ready(frame, source_of(record), self._shelf, self._limits, self._clock.now_ms)
        except PictureRefused as refused:
            self._refuse(job, frame, refused)
            return None

    def _hand_back(self, job: _Job, ready: Ready, scored: Future[Answer]) -> None:
        """Leave the device's thread at once: encoding belongs to the pool."""
        try:
            task = self._pool.submit(self._answer, job, ready, scored)
        except RuntimeError as closed:  # the pool is shut down: the stage is being closed
            task = Future()
            task.set_exception(closed)
        task.add_done_callback(job.submission.watch)

    def _answer(self, job: _Job, ready: Ready, scored: Future[Answer]) -> None:
        answer = scored.result()
        if isinstance(answer, PictureRefused):
            self._refuse(job, ready.frame, answer)
            return
        inspection = decided(ready, answer, self._clock.now_ms())
        self._count(inspection)
        job.submission.done(job.place, [self._writer.inspection(inspection, ready.frame.traceparent)])

    def _refuse(self, job: _Job, frame: Frame | None, refused: PictureRefused) -> None:
        now_ms = self._clock.now_ms()
        outputs: list[OutRecord] = []
        if frame is not None:
            inspection = not_decidable(frame, source_of(job.record), refused, now_ms)
            self._count(inspection)
            outputs.append(self._writer.inspection(inspection, frame.traceparent))
        if refused.is_record_fault:
            metrics.REFUSED_RECORDS.labels(refused.reason.value).inc()
            about = {"visit_id": frame.meta.visit_id, "frame_id": frame.meta.frame_id} if frame else {}
            outputs.append(self._dead_letters.letter(job.record, refused.reason.value, refused.detail, **about))
        job.submission.done(job.place, outputs)

    def _count(self, inspection: Inspection) -> None:
        self._placements.note(inspection)
        undecidable = inspection.undecidable.value if inspection.undecidable else ""
        metrics.INSPECTIONS.labels(inspection.verdict.value, undecidable).inc()
        if inspection.verdict is Verdict.OK and inspection.suspicion is not None:
            metrics.SUSPICION.observe(inspection.suspicion)
        metrics.ANSWER_SECONDS.observe(max(0, inspection.inspected_ms - inspection.captured_ms) / 1000)
