"""One camera's process: intake on the main thread; fsync, publishing and the books each on their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace

import structlog

from linewarden_ingest.camera_watch import CAMERA_DEAD, CameraWatch
from linewarden_ingest.cameras.conditions import ConditionJudge
from linewarden_ingest.cameras.interface import Camera, CameraFault
from linewarden_ingest.cameras.joined import open_camera
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.captures import CameraPlace, InForce
from linewarden_ingest.intake import Intake
from linewarden_ingest.metrics import TORN_BYTES, Losses
from linewarden_ingest.node_clock import NodeClock
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.publisher import Publisher
from linewarden_ingest.settings import IngestOptions
from linewarden_ingest.spool.faults import SpoolBroken
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_ingest.ticket import Ticket, place_of
from linewarden_ingest.triggers.feed import TriggerFeed
from linewarden_runtime.background import Background
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError, Fatal
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.ports import Producer
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import ChannelSignal
from linewarden_schemas.recipe import Recipe, TimeBudget

_STEP_S = 0.1
_log = structlog.get_logger(__name__)


class CameraDead(Fatal):
    """The camera gave no more pictures; a new process opens it anew."""

    exit_code = CAMERA_DEAD


class Publishing(Background):
    """The publisher's thread. Its failure asks the process to stop, and `drain` raises it."""

    def __init__(self, publisher: Publisher, clock: Clock, stop: Stop) -> None:
        super().__init__("publisher", self._publish, stop)
        self._publisher, self._clock = publisher, clock
        self._draining = threading.Event()
        self._ended = threading.Event()

    def drain(self, at_most_s: float, *, at_once: bool = False) -> None:
        """Wait until everything is acknowledged; once a stop is asked for, or `at_once`, at most `at_most_s`.

        What is left stays in the spool. Raises what the publisher raised.
        """
        self._draining.set()
        left_s = at_most_s
        while left_s > 0 and not self._clock.wait(self._ended, _STEP_S):
            if at_once or self._stop.is_set():
                left_s -= _STEP_S
        self.until.set("drained")
        self.result()

    def _publish(self, until: Stop) -> None:
        try:
            while not until.is_set():
                self._publisher.step(_STEP_S)
                if self._draining.is_set() and self._publisher.is_drained:
                    break
            self._publisher.beat(5.0)
        finally:
            self._publisher.close()
            self._ended.set()


def commit(spool: Spool, until: threading.Event) -> None:
    """Sync the spool until asked to stop, or to the first fsync that fails: it then refuses every further record.

    While one fsync is on its way, records pile up for the next: group commit.
    """
    with suppress(SpoolBroken):  # no second try: what the first fsync lost is reported durable by the next
        while not until.is_set():
            if spool.wait_unsynced(0.2):
                spool.sync()


class Worker:
    """Takes and publishes one camera's pictures until its source ends or somebody asks to stop.

    `feed` is what the station's side channel tells.
    """

    def __init__(
        self,
        options: IngestOptions,
        camera: CameraOptions,
        new_producer: Callable[[], Producer],
        namespace: Namespace,
        *,
        partitions: int,
        board: PinBoard,
        clock: Clock,
        feed: TriggerFeed | None = None,
    ) -> None:
        self._options, self._camera, self._namespace = options, camera, namespace
        self._feed = TriggerFeed() if feed is None else feed
        self._new_producer = new_producer
        self._partitions, self._board, self._clock = partitions, board, clock
        self._place = CameraPlace(options.line_id, options.station_id, camera.camera_id, camera.view_id)
        self._losses = Losses(camera.camera_id)
        self._node = NodeClock(clock, camera.camera_id, self._max_skew_ms)

    def run(self, stop: Stop, run_ms: int) -> None:
        """Run to the end of the source, everything acknowledged; after a stop, drain for a bounded time.

        `run_ms` (epoch ms) names the run, the same for all cameras, and is when shot 0 is due.

        Raises:
            ConfigurationError: where no recipe is active, or spool, camera and recipe do not fit together.
            CameraDead: after what was taken is published or the time to drain is over.
            SpoolBroken: where the disk failed.

        Where the camera hangs for longer than its `read_limit_s`, the process ends without coming back.
        """
        recipe = self._board.recipe(self._clock.now_ms())
        if recipe is not None:
            require_view(recipe, self._place)
        options = self._options.spool
        limits = SpoolLimits(options.capacity_bytes, options.segment_bytes)
        with ExitStack() as stack:
            spool = stack.enter_context(Spool(options.folder / self._camera.camera_id, limits, self._clock))
            self._report(spool)
            stack.enter_context(Background("spool-commit", lambda until: commit(spool, until.event), stop))
            stack.enter_context(Background("books", lambda until: self._board.follow(self._clock, until.event), stop))
            watch = stack.enter_context(closing(self._watch(spool)))
            publishing = stack.enter_context(Publishing(self._publisher(spool, watch), self._clock, stop))
            dead = self._take_all(spool, watch, stop, run_ms)
            spool.sync()
            publishing.drain(self._options.drain_s, at_once=dead is not None)
        if dead is not None:
            raise CameraDead(f"{self._camera.camera_id}: {dead}") from dead

    def _take_all(self, spool: Spool, watch: CameraWatch, stop: Stop, run_ms: int) -> CameraFault | None:
        if spool.finished_run == run_ms:
            return None
        first = resume_at(spool, run_ms, begins_anew=self._camera.begins_anew)
        torn = first - 1 if first and spool.recovered.is_torn else None
        folder = self._options.spool.folder / self._camera.camera_id
        run = CameraRun(self._place, self._clock, stop.event, run_ms, first, torn, folder)
        try:
            with self._opened(run, watch) as camera:
                intake = self._intake(camera, spool, watch, stop, run_ms)
                watch.last_words = intake.give_up
                if intake.run():
                    spool.finish(run_ms)
        except CameraFault as fault:
            watch.lost()
            return fault
        return None

    @contextmanager
    def _opened(self, run: CameraRun, watch: CameraWatch) -> Iterator[Camera]:
        with watch.limited("opening"):
            camera = open_camera(self._camera, run, self._feed)
        try:
            yield camera
        finally:
            with watch.limited("closing"):
                camera.close()

    def _watch(self, spool: Spool) -> CameraWatch:
        camera = self._camera
        judge = ConditionJudge(camera.limits, is_live=camera.is_live, last_sha256=last_picture(spool))
        return CameraWatch(camera.camera_id, judge, self._clock, camera.read_limit_s)

    def _intake(self, camera: Camera, spool: Spool, watch: CameraWatch, stop: Stop, run_ms: int) -> Intake:
        options = self._options
        return Intake(
            camera,
            spool,
            self._board.pins,
            place=self._place,
            encoding=self._camera.raw_encoding,
            max_picture_bytes=options.max_picture_bytes,
            overload=options.spool.overload,
            losses=self._losses,
            run_ms=run_ms,
            stop=stop.event,
            watch=watch,
            node=self._node,
        )

    def _in_force(self) -> InForce:
        found, order = self._board.in_force(self._clock.now_ms()), self._feed.order
        return found if order is None else replace(found, signal=ChannelSignal(word=order.word, at_ms=order.at_ms))

    def _max_skew_ms(self) -> int:
        """How wrong the node's clock may be by the recipe in force."""
        try:
            recipe = self._board.recipe(self._clock.now_ms())
        except ConfigurationError:
            recipe = None
        return (recipe.time if recipe else TimeBudget()).max_skew_ms

    def _report(self, spool: Spool) -> None:
        torn = spool.recovered.torn_bytes
        TORN_BYTES.labels(camera=self._camera.camera_id).inc(torn)
        tell = _log.warning if torn else _log.info
        tell(
            "spool opened",
            camera_id=self._camera.camera_id,
            epoch=spool.epoch,
            next_sequence=spool.next_sequence,
            unacknowledged=spool.next_sequence - spool.acked_next,
            torn_bytes=torn,
        )

    def _publisher(self, spool: Spool, watch: CameraWatch) -> Publisher:
        options = self._options
        return Publisher(
            spool,
            self._new_producer,
            Outbound(self._namespace, self._place, spool.epoch, self._partitions),
            place=self._place,
            losses=self._losses,
            clock=self._clock,
            watch=watch,
            node=self._node,
            in_force=self._in_force,
            unacked_bytes=options.unacked_bytes,
            unacked_age_s=options.unacked_age_s,
            heartbeat_s=options.heartbeat_s,
        )


def require_view(recipe: Recipe, place: CameraPlace) -> None:
    """Refuse a camera whose view the active recipe does not expect.

    Raises:
        ConfigurationError: naming the views that it expects.
    """
    expected = [view.view_id for view in recipe.views]
    if place.view_id not in expected:
        raise ConfigurationError(
            f"camera {place.camera_id} takes view {place.view_id}, but recipe {recipe.recipe_id}@{recipe.version} "
            f"expects {', '.join(expected)}; change the camera's view_id or activate another recipe"
        )


def last_picture(spool: Spool) -> str | None:
    """The digest of the picture of the newest record that lies in the spool; None where it tells none."""
    header = spool.recovered.last_header
    if header is None:
        return None
    try:
        return Ticket.from_bytes(header).capture.sha256
    except ValueError:  # another version wrote it
        return None


def resume_at(spool: Spool, run_ms: int, *, begins_anew: bool) -> int:
    """The first shot of the source that is not spooled yet; 0 for one that came to its end or begins each run anew."""
    header = spool.recovered.last_header
    if header is None:
        return 0
    try:
        index, last_run_ms = place_of(header)
    except ValueError as error:
        _log.error("the source begins anew; another version wrote where it stood", error=str(error))
        return 0
    if last_run_ms != run_ms and (begins_anew or spool.finished_run == last_run_ms):
        return 0
    return index + 1
