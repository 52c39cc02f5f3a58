"""A namespace with one recipe, and visits that happen in it: what tests of route write and read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

from linewarden_route.bootstrap import make_desk
from linewarden_route.line_watch import LineWatch
from linewarden_route.plan import JOINED
from linewarden_route.router import Router
from linewarden_route.settings import RouterLimits
from linewarden_runtime.books import RecipeBook, StateBook
from linewarden_runtime.clock import Clock, ManualClock, SystemClock
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import line_state_record, provision_topics, recipe_record
from linewarden_runtime.recipes import PatientRecipes
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import LineState, LineStateRef
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import LineMode, Routing
from tests.support.reading import visible, write
from tests.unit.route.builders import make_capture, make_decision, make_inspection, make_recipe

SECRET = b"a secret of the tests"
DEADLINE_S = 60.0
GATED = LineStateRef(mode=LineMode.PRODUCTION, since_ms=1, has_gate=True)
"""A line with a gate."""
TOPICS = {
    "linewarden.capture.v1": "captures",
    "linewarden.inspection.v1": "inspections",
    "linewarden.actuation.v1": "actuations",
}


class Member(Router):
    """A router with clients of its own, which end with it."""

    def __init__(self, line: RouteLine, instance: str, limits: RouterLimits) -> None:
        self.book = RecipeBook(line.broker, line.namespace)
        self.consumer = line.broker.consumer(
            group=line.namespace.group("route"),
            topics=[line.namespace.topic(name) for name in JOINED],
            instance=f"route-{instance}" if line.static else None,
            max_records=500,
        )
        self.states = StateBook(line.broker, line.namespace)
        self.desk = make_desk(
            line.broker,
            line.namespace,
            PatientRecipes(self.book.get, line.clock, named=self.book.named),
            SECRET,
            line.clock,
            LineWatch(self.states, line.clock),
        )
        super().__init__(line.broker, self.consumer, self.desk, line.clock, limits=limits)

    def close(self) -> None:
        super().close()
        self.consumer.close()
        self.book.close()
        self.states.close()


class RouteLine:
    """Writes captures, inspections and decisions of a namespace, and reads what route made of them."""

    def __init__(
        self,
        broker: Broker,
        namespace: str,
        partitions: int = 2,
        *,
        static: bool = True,
        has_topics: bool = False,
        **recipe: Any,
    ) -> None:
        self.static = static
        self.broker = broker
        self.namespace = Namespace(namespace)
        self.partitions = partitions
        self.clock: Clock = getattr(broker, "clock", None) or SystemClock()
        self.recipe = make_recipe(**recipe)
        self._members: list[Member] = []
        self._taken: dict[str, tuple[int, int]] = {}
        """When each frame was captured, and its decide-by."""
        if not has_topics:
            with broker.admin() as admin:
                provision_topics(admin, self.namespace, partitions)
        write(broker, [recipe_record(self.namespace, self.recipe, "/test")])
        self.tell_state(since_ms=1)

    def tell_state(self, mode: LineMode = LineMode.PRODUCTION, **more: Any) -> LineState:
        """Somebody tells the state of the line, now unless `since_ms` says otherwise."""
        since_ms = more.pop("since_ms", self.clock.now_ms())
        state = LineState(line_id="line1", mode=mode, since_ms=since_ms, actor="test", **more)
        write(self.broker, [line_state_record(self.namespace, state, "/test")])
        return state

    def router(self, instance: str = "0", limits: RouterLimits | None = None) -> Member:
        """A router that nobody runs but the test, step by step."""
        quick = RouterLimits(gather_s=0.0, idle_poll_s=0.02, backoff_s=0.0)
        member = Member(self, instance, limits or quick)
        self._members.append(member)
        return member

    def close(self) -> None:
        """Close every router that was made."""
        for member in self._members:
            member.close()

    def capture(self, visit: str, *views: str, decide_in_ms: int = 10_000, **more: Any) -> None:
        """The views of a visit are captured now; one that was inspected before was captured then."""
        messages = [
            make_capture(view, visit, **(self._times(visit, view, decide_in_ms, more) | more))
            for view in views or ("top", "side")
        ]
        self.send(visit, messages)

    def inspect(self, visit: str, *views: str, decide_in_ms: int = 10_000, **more: Any) -> None:
        """The views of a visit are inspected now, whenever they were captured."""
        messages = [
            make_inspection(view, visit, **(self._times(visit, view, decide_in_ms, more) | more))
            for view in views or ("top", "side")
        ]
        self.send(visit, messages)

    def _times(self, visit: str, view: str, decide_in_ms: int, more: Mapping[str, Any]) -> dict[str, Any]:
        now_ms = self.clock.now_ms()
        frame = more.get("frame_id", f"{visit}.{view}")
        at_ms, decide_by_ms = self._taken.setdefault(frame, (now_ms, now_ms + decide_in_ms))
        return {"at_ms": at_ms, "decide_by_ms": decide_by_ms, "recipe": self.recipe.ref()}

    def whole_visits(self, *visits: str, decide_in_ms: int = 10_000, **inspection: Any) -> None:
        """Visits are captured and inspected now, all views of all in one go."""
        records = []
        for visit in visits:
            for view in ("top", "side"):
                times = self._times(visit, view, decide_in_ms, {})
                messages = make_capture(view, visit, **times), make_inspection(view, visit, **(times | inspection))
                number = partition_of(visit, self.partitions)
                records += [self.record(visit, message, number) for message in messages]
        write(self.broker, records)

    def decide(self, slot: str, judgement: str | None = "OK", actor: str = "ann", **more: Any) -> None:
        """Somebody decides a slot now."""
        visit = slot.split(".r", maxsplit=1)[0]
        covers = more.pop("covers", (f"{visit}.top", f"{visit}.side"))
        decision = make_decision(slot, judgement, actor, decided_ms=self.clock.now_ms(), covers=covers, **more)
        self.send(visit, [decision])

    def act(self, visit: str, actual: Routing | None, told: Routing = Routing.TRUSTED_PASS) -> None:
        """A gate reports now what it did with a visit."""
        self.send(visit, [Actuation(visit_id=visit, intended=told, actual=actual, at_ms=self.clock.now_ms())])

    def send(self, visit: str, messages: Iterable[Message], partition: int | None = None) -> None:
        """Write records of a visit into its partition."""
        number = partition_of(visit, self.partitions) if partition is None else partition
        write(self.broker, [self.record(visit, message, number) for message in messages])

    def record(self, visit: str, message: Message, partition: int) -> OutRecord:
        """One record as its service writes it."""
        topic = self.namespace.topic(TOPICS.get(message.TYPE, "decisions"))
        encoded = encode(message, id=f"{visit}.{message.TYPE}", source="/test", time_ms=self.clock.now_ms())
        return OutRecord(topic, visit.encode(), encoded.value, encoded.headers, partition)

    def read(self, logical: str) -> list[Message]:
        """Every visible message of a topic."""
        records = visible(self.broker, self.namespace.topic(logical))
        return [decode(record.headers, record.value).message for record in records if record.value is not None]

    def dispositions(self, visit: str | None = None) -> list[Disposition]:
        """Visible dispositions, of one visit or of all."""
        found = [message for message in self.read("dispositions") if isinstance(message, Disposition)]
        return [one for one in found if visit in (None, one.visit_id)]

    def slots(self) -> list[SlotOpen | SlotClose]:
        """Visible records of slots."""
        return [message for message in self.read("reinspections") if isinstance(message, SlotOpen | SlotClose)]

    def pass_time(self, ms: int) -> None:
        """Move a clock that is moved by hand; a real one moves by itself."""
        if isinstance(self.clock, ManualClock):
            self.clock.advance(ms / 1000)

    def wait_until(self, at_ms: int) -> None:
        """Wait until the clock shows a time, which one that is moved by hand does at once."""
        self.clock.wait(threading.Event(), max(0, at_ms - self.clock.now_ms()) / 1000)


def turn_until(condition: Callable[[], bool], *routers: Router) -> None:
    """Turn routers until a condition holds; fails when it does not come true in time.

    Several turn side by side, as processes do: a member whose join is answered while another is polled in its
    place takes the answer too late and asks again, and two that wait for each other in turn can go on so for ever.
    """
    until = time.monotonic() + DEADLINE_S
    if len(routers) == 1:
        while not condition():
            assert time.monotonic() < until, "the condition did not come true"
            routers[0].step()
        return
    ended = threading.Event()
    with ThreadPoolExecutor(len(routers)) as threads:
        turning = [threads.submit(_turn, router, ended) for router in routers]
        try:
            while not condition():
                assert time.monotonic() < until, "the condition did not come true"
                wait(turning, timeout=0.02, return_when=FIRST_COMPLETED)
                assert not any(one.done() for one in turning), [one.exception() for one in turning if one.done()]
        finally:
            ended.set()
    for one in turning:
        one.result()


def _turn(router: Router, ended: threading.Event) -> None:
    while not ended.is_set():
        router.step()


def turn_until_owned(line: RouteLine, *routers: Router) -> None:
    """Turn routers until together they own every partition."""
    everything = frozenset(range(line.partitions))
    turn_until(lambda: frozenset().union(*(router.partitions for router in routers)) == everything, *routers)
