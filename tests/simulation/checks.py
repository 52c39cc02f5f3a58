"""What must hold when a history has come to rest, looked at from outside: topics, memory, Redis, disk."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from linewarden_audit.audit import READ_ORDER, balance_records
from linewarden_audit.findings import Allowance, Discrepancy
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_route.lane import Lane
from linewarden_route.restore import restore
from linewarden_route.visits import Visits
from linewarden_runtime.partitions import partition_of
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Routing
from tests.simulation.line import BUDGET, LINE, NAMESPACE, PARTITIONS, STATION, Line
from tests.simulation.plan import VIEWS, Truth
from tests.simulation.redis import SimulatedClient
from tests.simulation.world import EPOCH_MS

M = TypeVar("M", bound=Message)
_MOMENT_S = 2.0
BALANCED = (*READ_ORDER, "recipes", "line-state")


def written(line: Line, topic: str, kind: type[M]) -> Iterator[tuple[M, int, float]]:
    """Every message that readers of a topic could ever see, with its append time (epoch ms) and the true one (s)."""
    for record in line.broker.ever(NAMESPACE.topic(topic)):
        if record.value is not None:
            try:
                message = decode(record.headers, record.value).message
            except EnvelopeError:
                continue
            if isinstance(message, kind):
                yield message, record.timestamp_ms, line.broker.moments[record.position, record.offset]


def ever(line: Line, topic: str, kind: type[M]) -> Iterator[tuple[M, int]]:
    """The same without the true time."""
    return ((message, at_ms) for message, at_ms, _ in written(line, topic, kind))


def unread(line: Line) -> set[str]:
    """Visits of which a newer version wrote a record that this one cannot read.

    Each such record has a dead letter. It tells route and the balance nothing, so its visit may lack a capture, an
    answer or a judgement; it never passes by what is left.
    """
    found = set()
    for topic in ("captures", "inspections", "decisions"):
        for record in line.broker.ever(NAMESPACE.topic(topic)):
            try:
                decode(record.headers, record.value)
            except EnvelopeError:
                found.add((record.key or b"").decode())
    return found


def open_in_topic(line: Line) -> set[str]:
    """Slots whose newest record is an open."""
    newest: dict[str, bool] = {}
    for record in line.broker.ever(NAMESPACE.topic("reinspections")):
        name = (record.key or b"").decode()
        message = None if record.value is None else decode(record.headers, record.value).message
        newest[name] = isinstance(message, SlotOpen)
    return {name for name, is_open in newest.items() if is_open}


def at_rest(line: Line) -> list[str]:
    """Faults are over and nobody judges: what is asked for is the same everywhere, and its evidence is there."""
    lanes = line.lanes()
    wrong = [] if sorted(lanes) == list(range(PARTITIONS)) else [f"partitions owned by route: {sorted(lanes)}"]
    return [*wrong, *_open_slots(line, lanes), *_restores(line, lanes), *_evidence(line)]


def in_the_end(line: Line) -> list[str]:
    """Everybody has judged everything."""
    found = [*_captures(line), *_revisions(line), *_inspections(line), *_passes(line), *_balance(line)]
    found += _evidence_ended(line)
    return [*found, *_restores(line, line.lanes())]


def when_all_is_forgotten(line: Line) -> list[str]:
    """Nothing is left that anybody could ask about, in memory, topics and Redis, also of processes that begin anew.

    But for visits whose recipe has two contents: of those nobody knows the times, and the defaults are hours and days.
    Evidence of a partition ends in the order of its dispositions, and waits for those too.
    """
    lanes, captures = line.lanes(), ever(line, "captures", Capture)
    lasting = {one.visit_id for one, _ in captures if one.recipe.version in line.doubted} | unread(line)
    waiting = {partition_of(name, PARTITIONS) for name in lasting}
    wrong = [f"visit {name} is not forgotten" for lane in lanes.values() for name in _visits(lane)._open]
    for topic in ("reinspections", "evidence"):
        kept = {record.key: record for record in line.broker.records(NAMESPACE.topic(topic))}
        for name in ((record.key or b"").decode() for record in kept.values() if record.value is not None):
            is_behind = topic == "evidence" and partition_of(visit_in(name), PARTITIONS) in waiting
            if visit_in(name) not in lasting and not is_behind:
                wrong.append(f"{topic} keeps {name}")
    return [*wrong, *_evidence_ended(line), *_open_slots(line, lanes), *_restores(line, lanes)]


def _open_slots(line: Line, lanes: dict[int, Lane]) -> list[str]:
    topic = open_in_topic(line)
    state = {
        slot.slot_id
        for lane in lanes.values()
        for visit in _visits(lane)._open.values()
        for slot in visit.slots
        if slot.open
    }
    view = set(RedisQueue(SimulatedClient(line.redis), NAMESPACE.redis_prefix()).dump())  # type: ignore[arg-type]
    wrong = []
    if topic != state:
        wrong.append(f"open in the topic and not in the state: {topic - state}, the other way: {state - topic}")
    if topic != view:
        wrong.append(f"open in the topic and not in Redis: {topic - view}, the other way: {view - topic}")
    stranded = [
        visit.visit_id
        for lane in lanes.values()
        for visit in _visits(lane)._open.values()
        if visit.revision >= 0 and visit.undo_until_ms is None and not any(slot.open for slot in visit.slots)
    ]
    return wrong + [f"visit {visit} waits for nobody" for visit in stranded]


def _visits(lane: Lane) -> Visits:
    return lane._visits


def _restores(line: Line, lanes: dict[int, Lane]) -> Iterator[str]:
    """A fresh restore equals the memory, with its timers."""
    for number, lane in lanes.items():
        memory, desk = _visits(lane), lane._desk
        fresh = restore(line.broker, desk, number).visits
        for name in sorted({*memory._open, *fresh._open, *memory._dormant, *fresh._dormant}):
            if _known(memory.get(name)) != _known(fresh.get(name)):
                yield f"visit {name} is restored as something else than the memory has"
        if memory.next_due_ms() != fresh.next_due_ms():
            yield f"partition {number}: the next timer is {memory.next_due_ms()}, restored {fresh.next_due_ms()}"


def _known(visit: VisitSnapshot | None) -> dict[str, object] | None:
    """The fields of this version: what a newer one adds on its way is in no memory of this one."""
    return None if visit is None else {name: getattr(visit, name) for name in VisitSnapshot.model_fields}


def _evidence(line: Line) -> Iterator[str]:
    newest = {record.key: record.value for record in line.broker.records(NAMESPACE.topic("evidence"))}
    kept = {(key or b"").decode() for key, value in newest.items() if value is not None}
    wanted = open_in_topic(line)
    for slot, _ in ever(line, "reinspections", SlotOpen):
        if slot.slot_id in wanted:
            for frame in slot.frames:
                if frame.frame_id not in kept:
                    yield f"frame {frame.frame_id} of open slot {slot.slot_id} has no evidence"


def _evidence_ended(line: Line) -> Iterator[str]:
    """No evidence ended while its visit had a slot that had been open for a while."""
    opened: dict[str, float] = {}
    events: list[tuple[float, SlotOpen | SlotClose | str]] = []
    events += [(at_s, one) for one, _, at_s in written(line, "reinspections", SlotOpen)]
    events += [(at_s, one) for one, _, at_s in written(line, "reinspections", SlotClose)]
    events += [
        (line.broker.moments[record.position, record.offset], (record.key or b"").decode())
        for record in line.broker.ever(NAMESPACE.topic("evidence"))
        if record.value is None
    ]
    for at_s, one in sorted(events, key=lambda each: each[0]):
        if isinstance(one, SlotOpen):
            opened.setdefault(one.slot_id, at_s)
        elif isinstance(one, SlotClose):
            opened.pop(one.slot_id, None)
        elif any(visit_in(name) == visit_in(one) and since < at_s - _MOMENT_S for name, since in opened.items()):
            yield f"evidence of frame {one} ended while people were asked about it"


def _captures(line: Line) -> Iterator[str]:
    """Every visit has a capture of every view and a routing, and the log has all that is acknowledged."""
    captures = [one for one, _ in ever(line, "captures", Capture)]
    captured = {(one.camera_id, one.spool_epoch, one.sequence) for one in captures}
    routed = {one.visit_id for one, _ in ever(line, "dispositions", Disposition)}
    cut_out = {(line.numbers[key], key[0].removeprefix("camera-")) for key in line.at_risk - captured}
    seen = views_captured(captures) | _views_of(unread(line)) | cut_out
    for name, spool in line.spools.items():
        if spool.acked_next < spool.durable_next:
            yield f"{name}: {spool.durable_next - spool.acked_next} records of the spool are not acknowledged"
        missing = [n for n in range(spool.acked_next) if (name, spool.epoch, n) not in captured]
        if missing := [n for n in missing if not _is_taken_again(line, seen, name, spool.epoch, n)]:
            yield f"{name}: acknowledged and not in the log: {missing}"
    for visit in line.plan.visits:
        for view in VIEWS:
            if (visit.number, view) not in seen:
                yield f"visit {visit.number} has no capture of its view {view}"
    for visit_id in sorted({one.visit_id for one in captures} - routed):
        yield f"visit {visit_id} has no routing"


def views_captured(captures: Iterable[Capture]) -> set[tuple[int, str]]:
    """Number of the visit and view of each."""
    return {(number_of(one.visit_id), one.view_id) for one in captures}


def _views_of(visits: Iterable[str]) -> set[tuple[int, str]]:
    return {(number_of(visit), view) for visit in visits for view in VIEWS}


def visit_in(name: str) -> str:
    """The visit in the id of a slot or frame; the id itself where there is none."""
    found = re.match(rf"{LINE}\.{STATION}\.\d+\.\d+", name)
    return name if found is None else found[0]


def number_of(visit_id: str) -> int:
    """The number of a visit in the plan."""
    return int(visit_id.rpartition(".")[2])


def _is_taken_again(line: Line, seen: set[tuple[int, str]], camera: str, epoch: int, sequence: int) -> bool:
    """Whether a number that shows as a gap was torn with its record before it was durable, and nothing is lost by it.

    Ingest cannot tell such a record from a durable one that the disk has spoilt, so it leaves the number out and the
    balance names it; here it is known which trigger had it, and that another number has a capture of the same view, or
    that it was not durable when the power was cut.
    """
    number = line.numbers.get((camera, epoch, sequence))
    may_be = {"power cut", "crash in disk work", "newer enum"} & line.world.faults.keys()
    is_at_risk = (camera, epoch, sequence) in line.at_risk
    return bool(may_be) and number is not None and ((number, camera.removeprefix("camera-")) in seen or is_at_risk)


def _revisions(line: Line) -> Iterator[str]:
    """Revisions of a visit are 0, 1, 2, ... each once, and the last is final."""
    by_visit: defaultdict[str, list[Disposition]] = defaultdict(list)
    for one, _ in ever(line, "dispositions", Disposition):
        by_visit[one.visit_id].append(one)
    for visit_id, found in by_visit.items():
        numbers = [one.revision for one in found]
        if numbers != list(range(len(found))):
            yield f"visit {visit_id} has revisions {numbers}"
        if not found[-1].final:
            yield f"visit {visit_id} ends without a final revision"
        if line.is_quiet_plan and any(one.alarm for one in found):
            yield f"visit {visit_id} has an alarm although only ingest was started again"


def _inspections(line: Line) -> Iterator[str]:
    """Every frame is answered, each time alike but for `late`."""
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for one, _ in ever(line, "inspections", Inspection):
        if one.undecidable is None or one.undecidable.value not in {"late", "unknown_recipe"}:
            answers[one.frame_id].add(f"{one.verdict} {one.suspicion} {one.undecidable}")
        else:
            answers[one.frame_id] |= set()
    excused = unread(line)
    for record in line.broker.ever(NAMESPACE.topic("frames")):
        frame_id = dict(record.headers).get("ce_id", b"").decode()
        if frame_id not in answers and (record.key or b"").decode() not in excused:
            yield f"frame {frame_id} was never answered"
    for frame_id, found in answers.items():
        if len(found) > 1:
            yield f"frame {frame_id} is answered differently: {found}"


def _passes(line: Line) -> Iterator[str]:
    """A pass needs every picture good, and is visible within the budget of its first record; else there is an alarm.

    By append times, and by true time too, in which a step of the broker's clock between the two may be added.
    """
    first: dict[str, tuple[int, float]] = {}
    records: list[tuple[Capture | Inspection, int, float]] = [
        *written(line, "captures", Capture),
        *written(line, "inspections", Inspection),
    ]
    for message, at_ms, at_s in records:
        known = first.get(message.visit_id, (at_ms, at_s))
        first[message.visit_id] = min(at_ms, known[0]), min(at_s, known[1])
    taken_so = {
        one.visit_id: wrong
        for one, _ in ever(line, "captures", Capture)
        if (wrong := line.taken_so.get((one.camera_id, one.spool_epoch, one.sequence))) is not None
    }
    alarmed = {one.visit_id for one, _ in ever(line, "dispositions", Disposition) if one.revision > 0}
    truths = {visit.number: visit for visit in line.plan.visits}
    for one, at_ms, at_s in written(line, "dispositions", Disposition):
        if one.revision > 0 or one.routing is not Routing.TRUSTED_PASS:
            continue
        visit = truths[number_of(one.visit_id)]
        bad = [truth.value for truth in visit.truths if truth is not Truth.OK]
        if bad:
            yield f"visit {one.visit_id} passed with {bad}"
        if one.visit_id in taken_so:
            yield f"visit {one.visit_id} passed with a picture that was wrong: {taken_so[one.visit_id]}"
        if {view.view_id for view in one.views} != set(VIEWS):
            yield f"visit {one.visit_id} passed with views {[view.view_id for view in one.views]}"
        first_ms, first_s = first[one.visit_id]
        stepped_s = sum(abs(by) for when, by in line.clocks["broker"].steps if first_s <= when <= at_s)
        late_s = max((at_ms - first_ms) / 1000, at_s - first_s - stepped_s) - BUDGET.decide_by_ms / 1000
        if late_s >= 0.0 and one.visit_id not in alarmed:
            yield f"visit {one.visit_id} passed {late_s:.3f} s after its budget, and nobody was told"
        if line.taken[visit.number] + 30.0 < at_s and one.visit_id not in alarmed:
            yield f"visit {one.visit_id} passed half a minute after its picture, and nobody was told"


def _balance(line: Line) -> Iterator[str]:
    """The independent balance closes over everything that was ever written."""
    now_ms = EPOCH_MS + round(line.world.now * 1000)
    counts = {NAMESPACE.topic(name): line.broker.count(NAMESPACE.topic(name)) for name in BALANCED}
    records = (record for topic in counts for record in line.broker.ever(topic))
    report = balance_records(records, now_ms, Allowance(margin_ms=10_000, pending_ms=10_000), counts)
    excused = unread(line)
    captures = [one for one, _ in ever(line, "captures", Capture)]
    seen = views_captured(captures) | _views_of(excused)
    for one in report.findings:
        is_excused = one.kind is not Discrepancy.UNSAFE and visit_in(one.name) in excused
        if not is_excused and not (one.kind is Discrepancy.LOST and _is_gap_taken_again(line, seen, one.name)):
            yield f"balance: {one.kind.value} {one.name}: {one.reason}"


def _is_gap_taken_again(line: Line, seen: set[tuple[int, str]], name: str) -> bool:
    found = re.fullmatch(r"(.+)\.epoch(\d+)\.seq(\d+)-(\d+)", name)
    if found is None:
        return False
    camera, epoch, first, last = found[1], int(found[2]), int(found[3]), int(found[4])
    return all(_is_taken_again(line, seen, camera, epoch, number) for number in range(first, last + 1))
