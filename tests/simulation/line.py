"""A whole line in one process: the production classes, put together as their bootstraps do, on simulated clients."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import redis

from linewarden_ingest.camera_watch import CameraWatch
from linewarden_ingest.cameras.conditions import CameraLimits, ConditionJudge
from linewarden_ingest.cameras.interface import EncodedPicture, PartInfo, Shot, Trigger
from linewarden_ingest.cameras.pictures import Encoding
from linewarden_ingest.captures import CameraPlace
from linewarden_ingest.intake import Intake
from linewarden_ingest.metrics import Losses
from linewarden_ingest.node_clock import NodeClock
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.publisher import Publisher
from linewarden_ingest.settings import Overload
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_ingest.worker import last_picture, resume_at
from linewarden_inspect.device_lane import DeviceLane
from linewarden_inspect.keeper.bootstrap import forget, save
from linewarden_inspect.settings import KeeperSettings
from linewarden_inspect.stage import InspectStage
from linewarden_inspect.writing import SERVICE, InspectionWriter
from linewarden_reinspect.evidence.store import EvidenceStore
from linewarden_reinspect.projector.projector import Projector, ProjectorPace
from linewarden_reinspect.projector.service import ProjectorService
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Terms
from linewarden_reinspect.station.bus import StationBus
from linewarden_reinspect.station.desk import ReviewDesk
from linewarden_reinspect.station.outbox import Outbox
from linewarden_route.bootstrap import opened_router
from linewarden_route.lane import Lane
from linewarden_route.router import Router
from linewarden_route.settings import RouterLimits
from linewarden_runtime.books import LineBook, RecipeBook, positions_of
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import Poison
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.loop import LoopLimits, TransactionalLoop
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import activation_record, line_state_record, provision_topics, recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace, digest
from linewarden_schemas.line import Activation, LineLock, LineState
from linewarden_schemas.recipe import Locate, Recipe, ReviewRules, Thresholds, TimeBudget, ViewSpec
from linewarden_schemas.vocabulary import CameraCondition, LineMode, LockCause, Loss, PartIdSource
from linewarden_vision.errors import UnusablePicture
from linewarden_vision.inspecting.preparing import Shelf
from linewarden_vision.inspector import ViewScore
from linewarden_vision.pictures.reading import PictureLimits
from tests.simulation.bus import Bus, WholeLog
from tests.simulation.filesystem import SimulatedFiles
from tests.simulation.people import PEOPLE, RESERVE, Person
from tests.simulation.plan import PROCESSES, TAKEN_SO, VIEWS, Plan, Truth, Visit
from tests.simulation.redis import SimulatedClient, SimulatedRedis
from tests.simulation.versions import newer, older, with_newer_enum
from tests.simulation.world import EPOCH_MS, Inline, Process, WallClock, World

NAMESPACE = Namespace("line1")
LINE, STATION = "line1", "st1"
PARTITIONS = 2
BUNDLE = digest(b"bundle")
SECRET = b"the secret of the coins"
SPOOL_CAPACITY = 64 << 10
BUDGET = TimeBudget(decide_by_ms=8_000, commit_margin_ms=500, max_skew_ms=2_000, spool_horizon_ms=120_000)
_TERMS = Terms(lease_ms=10_000, max_hold_ms=30_000, park_ms=5_000, skip_ms=5_000)
_RUN_MS = EPOCH_MS
_NEVER = threading.Event()


def make_recipe(plan: Plan, version: int = 1, note: str | None = None) -> Recipe:
    """A version of the recipe; another note makes another content."""
    return Recipe(
        recipe_id="tile",
        version=version,
        product_id="tile",
        bundle_digest=BUNDLE,
        views=tuple(ViewSpec(view_id=view, camera_id=f"camera-{view}", locate=LOCATE) for view in VIEWS),
        thresholds=Thresholds(defect=0.5, suspicion=0.5),
        review=ReviewRules(undo_window_ms=3_000, slack_low_risk_ms=20_000, **plan.review),
        time=BUDGET,
        created_ms=EPOCH_MS,
        created_by="engineer",
        note=note,
    )


_SIDE, _PART, _AT = 30, 18, 6
_LIGHT = CameraLimits(dark=40.0)
_PATTERN = np.random.default_rng(1).choice(np.array([40, 90, 150, 220], np.uint8), (_PART, _PART))


def _locate() -> Locate:
    done, png = cv2.imencode(".png", _PATTERN)
    assert done
    where: dict[str, Any] = {"x": _AT, "y": _AT, "max_shift_px": 2.0, "least_score": 0.7}
    return Locate(template_png=png.tobytes(), **where)


LOCATE = _locate()


@cache
def picture(number: int, truth: Truth, wrong: str = "") -> bytes:
    """A picture of a part whose first pixel says what the bundle will make of it, and what else is wrong with it."""
    pixels = np.full((_SIDE, _SIDE), 60, np.uint8)
    at = _AT + (4 if wrong == "part misplaced" else 0)
    if wrong != "part gone":
        pixels[at : at + _PART, at : at + _PART] = _PATTERN
    if wrong == "camera dark":
        pixels //= 8
    pixels[0, :3] = list(Truth).index(truth), number % 251, number // 251
    done, encoded = cv2.imencode(".png", pixels)
    assert done
    return encoded.tobytes()


SAID = {
    "camera torn": CameraCondition.TORN,
    "camera slow": CameraCondition.SLOW,
    "camera moved": CameraCondition.MOVED,
}
"""What a camera says of itself; the rest has to be found in its pictures."""


class Scripted:
    """A loaded bundle that reads its answer from the picture."""

    digest = BUNDLE
    device = "simulated"
    precision = "float32"
    card: Any = SimpleNamespace(
        stage="released",
        trust=SimpleNamespace(second=None, ingredients=(), logistic=SimpleNamespace(coefficients=())),
    )

    standing: Any = SimpleNamespace(doubt=lambda *_: None, days_left=lambda _: None, notice=lambda _: None)

    def prepare(self, pixels: Any) -> Truth:
        """The truth. Raises UnusablePicture."""
        truth = list(Truth)[int(pixels[0, 0])]
        if truth is Truth.UNUSABLE:
            raise UnusablePicture("contrast", "the picture has no contrast")
        return truth

    def score(self, batch: Any) -> list[ViewScore]:
        """What the bundle says."""
        none = np.zeros((_SIDE, _SIDE), np.bool_)
        small = np.zeros((1, 1), np.uint8)
        return [
            ViewScore(
                p_defect=0.9 if truth is Truth.NG else 0.1,
                margin=2.0 if truth is Truth.NG else -2.0,
                suspicion=0.9 if truth is Truth.DOUBTFUL else 0.1,
                ingredients={},
                mask=none,
                class_specific=small,
                class_agnostic=small,
            )
            for truth in batch
        ]


class Shots:
    """One camera: a shot of every visit, at the visit's time by this machine's clock."""

    def __init__(self, line: Line, process: Process, view: str, spool: Spool, first: int) -> None:
        self._line, self._process, self._view, self._spool, self.next = line, process, view, spool, first
        self._wrong: str | None = None

    def poll(self, timeout_s: float) -> Shot | None:
        """The next shot once its time has come. A trigger that came while the process was away is taken late."""
        world, visits = self._line.world, self._line.plan.visits
        world.wait(0.0)
        if self.next >= len(visits):
            world.wait(3_600.0, event=self._line.stopping(self._process).event)
            return None
        visit = visits[self.next]
        if visit.at_s > world.now:
            world.wait(visit.at_s - world.now)
            return None
        shot = self._shot(visit)
        self.next += 1
        world.counts["act"] += 1
        self._line.taken.setdefault(visit.number, world.now)
        self._line.numbers[self._process.name, self._spool.epoch, self._spool.next_sequence] = visit.number
        self._line.taken_so[self._process.name, self._spool.epoch, self._spool.next_sequence] = self._wrong
        world.note(self._process.name, "takes", visit.number)
        return shot

    def _shot(self, visit: Visit) -> Shot:
        truth = visit.truths[VIEWS.index(self._view)]
        is_lost = truth is Truth.NO_PICTURE
        number, before = self._line.last_picture.get(self._process.name, (0, None))
        self._wrong = None
        if number == visit.number:  # taken again, and no repeat of another part's
            before = None
        if not is_lost:  # a repeat is known by the record before it, which may hold no picture
            kinds = (kind for kind in TAKEN_SO if kind != "camera frozen" or before is not None)
            self._wrong = self._process.order(*kinds)
        data = picture(visit.number, truth, self._wrong or "")
        if self._wrong == "camera frozen" and before is not None:
            data = before
        self._line.last_picture[self._process.name] = visit.number, None if is_lost else data
        said = SAID.get(self._wrong or "")
        return Shot(
            index=self.next,
            captured_ms=self._process.clock.now_ms(),
            picture=None if is_lost else EncodedPicture(data, "image/png"),
            conditions=() if said is None else (said,),
            loss=Loss.CAMERA_FAULT if is_lost else None,
            trigger=Trigger(visit.number, EPOCH_MS + round(visit.at_s * 1000)),
            part=PartInfo(part_id=f"SN-{visit.number}", part_id_source=PartIdSource.READ),
        )

    def close(self) -> None:
        """Nothing is held."""


class Line:
    """The machines, what lies on them, and how each process is started."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.clocks = {name: WallClock(world) for name in (*PROCESSES, "broker", "redis")}
        self.broker = WholeLog(world, self.clocks["broker"])
        self.redis = SimulatedRedis(self.clocks["redis"].now_ms)
        self.redis_away_until = 0.0
        self.files = {
            f"camera-{view}": SimulatedFiles(hash_of(plan.seed, view), capacity_bytes=SPOOL_CAPACITY * 4)
            for view in VIEWS
        }
        self.people: list[Person] = []
        self.newer: set[str] = set()
        self.older: set[str] = set()
        self.orders: defaultdict[str, list[str]] = defaultdict(list)
        """Faults that wait for the next call of their kind, by process; they outlast its restart."""
        self.stops: dict[int, Stop] = {}
        self.unforeseen: list[str] = []
        self.spools: dict[str, Spool] = {}
        self.last_picture: dict[str, tuple[int, bytes | None]] = {}
        """Visit and picture of the newest shot of each camera; None where that has none."""
        self.taken_so: dict[tuple[str, int, int], str | None] = {}
        """What was wrong with the picture of a camera's number."""
        self.shots: dict[str, Shots] = {}
        self.routers: dict[str, Router] = {}
        self.recipes = {1: make_recipe(plan)}
        self.doubted: set[int] = set()
        """Versions of the recipe with two contents."""
        self._starts = 0
        self._asked_at = 0.0
        self.taken: dict[int, float] = {}
        """When each visit was seen by the first camera, in true seconds."""
        self.numbers: dict[tuple[str, int, int], int] = {}
        """The visit that a number of a camera's spool epoch was meant for, on disk or not."""
        self.at_risk: set[tuple[str, int, int]] = set()
        """Numbers (camera, epoch, sequence) that were not durable when the power of their camera was cut."""
        self.is_draining = False
        self.are_people_away = False
        with self.broker.admin() as admin:
            provision_topics(admin, NAMESPACE, PARTITIONS)
        world.on_end = self._on_end  # type: ignore[method-assign]
        self.activate(1)
        self.against: Counter[str] = Counter()
        """What speaks against production now: faults of the line's state that are not over."""
        self.production: list[tuple[float, bool]] = []
        """When, in true seconds, the line's state was told, and whether it was one in which parts may pass."""
        self._tell_state()
        for name in PROCESSES:
            self.start(name)

    @property
    def has_work(self) -> bool:
        """Whether people look at the queue now."""
        return not self.are_people_away and (not self.is_draining or any(b":open:" in key for key in self.redis.keys))

    @property
    def is_quiet_plan(self) -> bool:
        """Whether nothing went wrong but restarts of ingest."""
        return {fault.kind for fault in self.plan.faults} <= {"restart of ingest"}

    def lanes(self) -> dict[int, Lane]:
        """The partitions that the running members of route own."""
        names = ("route-0", "route-1")
        members = [self.routers[name] for name in names if name in self.routers]
        return {number: lane for member in members for number, lane in member._lanes.items()}

    def unfinished(self) -> list[str]:
        """What there is to be done still, in words."""
        waiting = [f"visit {visit.visit_id}" for lane in self.lanes().values() for visit in lane._visits._open.values()]
        untaken = [
            f"{len(self.plan.visits) - shots.next} visits before {name}"
            for name, shots in self.shots.items()
            if shots.next < len(self.plan.visits)
        ]
        spooled = [name for name, spool in self.spools.items() if spool.acked_next < spool.next_sequence]
        lagging = [
            f"{group} behind in {position.topic}[{position.partition}]"
            for group in ("inspect", "route", "keeper")
            for position, offset in self.broker.group(NAMESPACE.group(group)).offsets.items()
            if self.broker.log(position).has_records_from(offset)
        ]
        return [*waiting, *untaken, *spooled, *lagging]

    def is_over(self) -> bool:
        """Whether everything is taken in, decided and final; asked now and then."""
        if self.world.now < self._asked_at + 1.0:
            return False
        self._asked_at = self.world.now
        return not self.unfinished()

    def publish(self, recipe: Recipe) -> None:
        """Write a version of the recipe."""
        self.broker.append(recipe_record(NAMESPACE, recipe, "/test"))

    def activate(self, version: int) -> None:
        """Publish a version and make it the active one."""
        recipe = self.recipes.setdefault(version, make_recipe(self.plan, version))
        self.publish(recipe)
        now_ms = EPOCH_MS + round(self.world.now * 1000)
        active = Activation(line_id=LINE, recipe=recipe.ref(), from_ms=now_ms, actor="engineer")
        self.broker.append(activation_record(NAMESPACE, active, "/test"))

    def tell_against(self, kind: str, count: int) -> None:
        """One thing more, or less, that speaks against production."""
        self.against[kind] += count
        self._tell_state()
        self.world.changed()

    def _tell_state(self) -> None:
        since_ms = EPOCH_MS + round(self.world.now * 1000)
        lock = LineLock(cause=LockCause.CHECK_FAILED, since_ms=since_ms, actor="line")
        state = LineState(
            line_id=LINE,
            mode=LineMode.STOPPED if self.against["line stopped"] else LineMode.PRODUCTION,
            locks=(lock,) if self.against["line locked"] else (),
            since_ms=since_ms,
            actor="plc",
        )
        self.broker.append(line_state_record(NAMESPACE, state, "/test"))
        self.production.append((self.world.now, not self.against.total()))

    def start(self, name: str, *, beside: bool = False) -> Process:
        """Start a process; with `beside` a predecessor that lives goes on as a process that was given up for dead."""
        old = self.world.processes.pop(name, None)
        if old is not None and old.is_alive and beside:
            self._starts += 1
            self.world.processes[f"{name}~{self._starts}"] = old
        process = Process(self.world, name, self.clocks[name])
        process.orders = self.orders[name]
        self.world.processes[name] = process
        self.stops[id(process)] = Stop()
        self.world.note("start", name)
        kind = name.partition("-")[0]
        starters: dict[str, Callable[[Process, Bus], None]] = {
            "camera": self._camera,
            "inspect": self._inspect,
            "route": self._route,
            "keeper": self._keeper,
            "projector": self._projector,
            "station": self._station,
        }
        starters[kind](process, self.bus(process))
        return process

    def bus(self, process: Process) -> Bus:
        """The broker as this process sees it."""
        self._starts += 1
        chance = random.Random(f"bus {self.plan.seed} {self._starts}")
        return Bus(self.broker, process, chance, partial(self._as_written_by, process))

    def _as_written_by(self, process: Process, record: OutRecord) -> OutRecord:
        """A record as the version of this process writes it."""
        if process.name in self.older:
            record = older(record)
        if process.name in self.newer:
            record = newer(record)
        changed = with_newer_enum(record) if "newer enum" in process.orders else None
        if changed is None:
            return record
        process.order("newer enum")
        return changed

    def kill(self, name: str, *, restart_after_s: float | None = 1.0) -> None:
        """End a process as SIGKILL does, and let its supervisor start it again."""
        process = self.world.processes[name]
        if name in self.files:
            self.files[name].kill()
        process.kill()
        self.world.note("kill", name)
        if restart_after_s is not None:
            self.world.after(restart_after_s, lambda: self._start_again(process))

    def stopping(self, process: Process) -> Stop:
        """The wish that this process ends."""
        return self.stops[id(process)]

    def _start_again(self, process: Process) -> None:
        if self.world.processes.get(process.name) is process:
            self.start(process.name)

    def _on_end(self, process: Process, failure: Exception | None) -> None:
        kind = type(failure).__name__ if failure is not None else "stopped"
        self.world.note("end", process.name, kind, failure)
        self.world.counts[f"end: {kind}"] += 1
        if process.name in self.files and not any(
            one is not process and one.name == process.name and one.is_alive for one in self.world.processes.values()
        ):
            self.files[process.name].kill()
        if failure is not None and not isinstance(failure, FORESEEN):
            self.unforeseen.append(f"{process.name} ended by {kind}: {failure}")
        self.world.after(1.0, lambda: self._start_again(process))

    def _camera(self, process: Process, bus: Bus) -> None:
        view = process.name.removeprefix("camera-")
        files, clock, stop = self.files[process.name], process.clock, self.stopping(process)
        place = CameraPlace(LINE, STATION, process.name, view)
        losses = Losses(process.name)
        woken = threading.Event()
        chance = random.Random(f"spool {self.plan.seed} {self._starts}")

        def main() -> None:
            lines, recipes = LineBook(cast("Broker", bus), NAMESPACE), RecipeBook(cast("Broker", bus), NAMESPACE)
            board = PinBoard(lines, recipes, LINE, clock)
            limits = SpoolLimits(SPOOL_CAPACITY, SPOOL_CAPACITY // 16)
            folder = Path("/spool") / process.name
            node = NodeClock(clock, process.name, lambda: BUDGET.max_skew_ms)
            spool = Spool(folder, limits, clock, files=files, draw=chance.randbytes)
            self.spools[process.name] = spool
            publisher = Publisher(
                spool,
                lambda: bus.producer(client=process.name),
                Outbound(NAMESPACE, place, spool.epoch, PARTITIONS),
                place=place,
                losses=losses,
                clock=clock,
                node=node,
                unacked_age_s=10.0,
                heartbeat_s=5.0,
            )
            first = resume_at(spool, _RUN_MS, begins_anew=False)
            camera = self.shots[process.name] = Shots(self, process, view, spool, first)
            judge = ConditionJudge(_LIGHT, is_live=True, last_sha256=last_picture(spool))
            intake = Intake(
                camera,
                spool,
                board.pins,
                place=place,
                encoding=Encoding("png"),
                max_picture_bytes=1 << 20,
                overload=Overload.BLOCK,
                losses=losses,
                run_ms=_RUN_MS,
                stop=stop.event,
                watch=CameraWatch(place.camera_id, judge, clock, None),
                node=node,
            )
            process.spawn("publisher", lambda: _repeat(stop, lambda: publisher.step(0.5)))
            process.spawn("books", lambda: board.follow(clock, stop.event))
            process.spawn("commit", lambda: _repeat(stop, commit(spool)))
            while not stop.is_set():
                before, turns = spool.next_sequence, self.world.turns
                if not intake.step() or turns == self.world.turns:  # no room, or held by its clock
                    self.world.wait(0.3)
                if spool.next_sequence > before:
                    woken.set()

        def commit(spool: Spool) -> Callable[[], None]:
            def turn() -> None:
                self.world.wait(30.0, event=woken)
                woken.clear()
                if spool.wait_unsynced(0.0):
                    self.world.wait(0.0)
                    spool.sync()

            return turn

        process.spawn("intake", main)

    def _inspect(self, process: Process, bus: Bus) -> None:
        clock, stop, broker = process.clock, self.stopping(process), cast("Broker", bus)
        woken = threading.Event()
        lane = DeviceLane(max_batch=4, wait_s=0.0, max_faults_in_a_row=8, clock=clock, is_threaded=False)

        def device() -> None:
            self.world.wait(3_600.0, event=woken)
            woken.clear()
            while lane.turn():
                self.world.wait(0.0)

        def main() -> None:
            book = RecipeBook(broker, NAMESPACE)
            letters = DeadLetters(SERVICE, NAMESPACE, clock)
            scorer = Scripted()
            stage = InspectStage(
                Shelf(book.get, lambda _: scorer),
                lane,
                InspectionWriter(NAMESPACE, PARTITIONS),
                letters,
                limits=PictureLimits(),
                clock=clock,
                threads=1,
                executor=Inline(),
            )
            consumer = bus.consumer(
                group=NAMESPACE.group(SERVICE), topics=[NAMESPACE.topic("frames")], instance="inspect-0", max_records=4
            )
            identity = NAMESPACE.transactional_id("inspect-0")
            topics = [NAMESPACE.topic(name) for name in ("inspections", "dead-letters")]
            writes = [position for topic in topics for position in positions_of(broker, topic)]
            TransactionalLoop(
                cast("Any", consumer),
                lambda: cast("Any", bus.transactional_producer(identity, writes)),
                Announcing(stage, woken),
                letters,
                clock=clock,
                limits=LoopLimits(max_records=4, idle_poll_s=1.0),
                jitter=bus.chance.random,
            ).run(stop)

        process.spawn("loop", main)
        process.spawn("device", lambda: _repeat(stop, device))

    def _route(self, process: Process, bus: Bus) -> None:
        bus.idle_s = 0.0
        limits = RouterLimits(max_records=8, gather_s=0.02, idle_poll_s=1.0, join_poll_s=1.0, mark_s=2.0)

        def main() -> None:
            broker, instance, health = cast("Broker", bus), process.name.removeprefix("route-"), Health(process.clock)
            with opened_router(broker, NAMESPACE, instance, SECRET, process.clock, health, limits, Inline()) as router:
                self.routers[process.name] = router
                router.run(self.stopping(process))

        process.spawn("loop", main)

    def _keeper(self, process: Process, bus: Bus) -> None:
        clock, stop, broker = process.clock, self.stopping(process), cast("Broker", bus)
        settings = KeeperSettings()
        health = Health(clock)
        process.spawn("save", lambda: save(broker, NAMESPACE, settings, stop, instance="0", clock=clock, health=health))
        process.spawn("forget", lambda: forget(broker, NAMESPACE, "0", clock, stop))

    def client(self, process: Process) -> redis.Redis:
        """Redis as this process sees it."""
        world = self.world

        def trip(is_before: bool) -> None:
            if is_before:
                world.wait(0.0)
                if self.redis_away_until > world.now:
                    world.wait(0.2)
                    raise redis.ConnectionError("Redis is away")
                process.did()
            elif process.order("redis answer lost"):
                raise redis.ConnectionError("the answer is lost")
            else:
                world.counts["redis"] += 1

        return cast("redis.Redis", SimulatedClient(self.redis, trip))

    def _projector(self, process: Process, bus: Bus) -> None:
        topic, broker = NAMESPACE.topic("reinspections"), cast("Broker", bus)
        pace = ProjectorPace(poll_s=1.0, beat_s=2.0, identity_s=15.0, gate_ms=10_000, max_age_ms=60_000, batch=4)
        letters = DeadLetters("projector", NAMESPACE, process.clock)

        @contextmanager
        def make() -> Iterator[Projector]:
            with ExitStack() as stack:
                reader = stack.enter_context(bus.reader(dict.fromkeys(positions_of(broker, topic), 0)))
                producer = stack.enter_context(bus.producer(client="projector"))

                def poisoned(poison: Poison) -> None:
                    if poison.record is not None:
                        producer.send(letters.letter(poison.record, poison.cause, poison.detail))

                view = RedisQueue(self.client(process), NAMESPACE.redis_prefix())
                yield Projector(
                    view, cast("Any", reader), bus.admin(), topic, process.clock, pace=pace, poisoned=poisoned
                )

        service = ProjectorService(make, process.clock)
        process.spawn("follow", lambda: service.run(self.stopping(process).event))

    def _station(self, process: Process, bus: Bus) -> None:
        clock, stop = process.clock, self.stopping(process)
        chance = random.Random(f"station {self.plan.seed} {self._starts}")
        queue = RedisQueue(self.client(process), NAMESPACE.redis_prefix(), _TERMS)
        station = StationBus(
            lambda: cast("Any", bus.producer(client="station")), NAMESPACE, PARTITIONS, clock, 5.0, Inline()
        )
        evidence = EvidenceStore(
            lambda: cast(
                "Any", bus.reader(dict.fromkeys(positions_of(cast("Broker", bus), NAMESPACE.topic("evidence")), 0))
            ),
            1 << 20,
            clock,
        )
        desk = ReviewDesk(queue, station, clock, draw=lambda count: chance.randbytes(count).hex())
        outbox = Outbox(queue, station, clock)
        process.spawn("evidence", lambda: evidence.run(stop.event))
        process.spawn("outbox", lambda: _carry(outbox, stop, self.world))
        self.people = [Person(self, process, desk, evidence, name, chance) for name in (*PEOPLE, *RESERVE)]
        for person in self.people:
            process.spawn(person.name, person.work)


class Announcing:
    """A stage that wakes its device whenever something is submitted."""

    def __init__(self, stage: InspectStage, woken: threading.Event) -> None:
        self._stage, self._woken = stage, woken

    def submit(self, records: Any) -> Any:
        """Submit."""
        future = self._stage.submit(records)
        self._woken.set()
        return future


def _carry(outbox: Outbox, stop: Stop, world: World) -> None:
    while not stop.is_set():
        try:
            outbox.carry()
        except redis.RedisError:
            world.note("the outbox waits")
        world.wait(3.0, event=stop.event)


def _repeat(stop: Stop, turn: Callable[[], None]) -> None:
    while not stop.is_set():
        turn()


def hash_of(*words: object) -> int:
    """A number that follows from these words alone."""
    return int(digest(" ".join(map(str, words)).encode())[:12], 16)


def _foreseen() -> tuple[type[Exception], ...]:
    from linewarden_ingest.spool.faults import SpoolBroken, SpoolInUse  # noqa: PLC0415 - a short list at the end
    from linewarden_runtime.errors import RuntimeFault  # noqa: PLC0415 - the same

    return (RuntimeFault, SpoolBroken, SpoolInUse)


FORESEEN = _foreseen()
