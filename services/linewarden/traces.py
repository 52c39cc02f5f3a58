"""One trace a visit, from trigger to output, made of what the topics hold: the line itself does nothing for it. Pure.

Ids are digests of namespace and visit, so a stretch that is told twice makes the same traces. A trace tells where time
went, and nothing of what was thought of a part: verdict, routing, cause and review are left out, since a visit may wait
for people who must not know them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import Actuation

TOPICS = ("captures", "inspections", "dispositions", "actuations")
"""What traces are made of."""
_REMEMBERED = 100_000
_UNDER_WAY = 100_000


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """What one service did for a visit; times in epoch ms."""

    service: str
    name: str
    start_ms: int
    end_ms: int
    attributes: Mapping[str, str]
    events: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class VisitTrace:
    """All spans of one visit, the first of which is the parent of the others; `trace_id` has 128 bit."""

    trace_id: int
    spans: tuple[TraceSpan, ...]

    def span_id(self, span: TraceSpan) -> int:
        """64 bit, the same whenever the visit is told."""
        return _number(f"{self.trace_id:032x}/{span.name}/{span.attributes.get('frame_id')}", 8)

    def is_drawn(self, share: float) -> bool:
        """Whether a visit is among this share of all: the same visits for everybody."""
        return (self.trace_id & (1 << 64) - 1) < share * (1 << 64)


@dataclass(slots=True)
class TracedVisit:
    """What is known of one visit; the first record of each thing counts, `written_ms` by the broker's clock."""

    seen_s: float
    captures: dict[str, tuple[Capture, int]] = field(default_factory=dict)
    inspections: dict[str, tuple[Inspection, int]] = field(default_factory=dict)
    routed: tuple[Disposition, int] | None = None
    acted: Actuation | None = None

    def learn(self, message: Message, written_ms: int) -> None:
        """Take a record of this visit in; revisions are what people did, and no part of the way to the output."""
        match message:
            case Capture():
                self.captures.setdefault(message.frame_id, (message, written_ms))
            case Inspection():
                self.inspections.setdefault(message.frame_id, (message.model_copy(update={"maps": None}), written_ms))
            case Disposition() if message.revision == 0 and self.routed is None:
                self.routed = (message, written_ms)
            case Actuation() if self.acted is None:
                self.acted = message
            case _:
                pass

    @property
    def is_whole(self) -> bool:
        """Whether nothing is to come: routed, each picture answered, and, of a line with a gate, its report."""
        if self.routed is None or not self.captures:
            return False
        state = self.routed[0].line_state
        if state is not None and state.has_gate and self.acted is None:
            return False
        return all(one.lost is not None or frame in self.inspections for frame, (one, _) in self.captures.items())


class TraceBook:
    """Visits under way, and the traces of those that are over. Bounded: what is too much ends early and is counted."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._under_way: OrderedDict[str, TracedVisit] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self.late_records = 0
        """Records of visits whose trace was told already."""
        self.cut_short = 0
        """Visits that were told although something was still to come."""

    def learn(self, message: Message, written_ms: int, now_s: float) -> None:
        """Take a record of any of TOPICS in; `now_s` is monotonic."""
        visit_id = getattr(message, "visit_id", None)
        if visit_id is None:
            return
        if visit_id in self._told:
            self.late_records += not (isinstance(message, Disposition) and message.revision > 0)
            return
        visit = self._under_way.setdefault(visit_id, TracedVisit(now_s))
        visit.seen_s = now_s
        visit.learn(message, written_ms)

    def over(self, quiet_since_s: float) -> Iterator[VisitTrace]:
        """Traces of visits that are whole, or of which nothing was heard since then; each is given once."""
        excess = len(self._under_way) - _UNDER_WAY
        for place, (visit_id, visit) in enumerate(list(self._under_way.items())):
            is_cut = visit.seen_s <= quiet_since_s or place < excess
            if not (visit.is_whole or is_cut):
                continue
            del self._under_way[visit_id]
            self._told[visit_id] = None
            self.cut_short += not visit.is_whole
            if (trace := trace_of(self._namespace, visit_id, visit)) is not None:
                yield trace
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def trace_of(namespace: str, visit_id: str, visit: TracedVisit) -> VisitTrace | None:
    """The spans of a visit by what is known of it; None where nothing says when it was captured.

    A camera node's clock may be ahead of the broker's: a span that would end before it begins has no length.
    """
    begins = [one.captured_ms for one, _ in visit.captures.values()]
    begins += [one.captured_ms for one, _ in visit.inspections.values()]
    begins += [] if visit.routed is None else [visit.routed[0].first_captured_ms]
    if not begins:
        return None
    spans = [*_frames(visit), *_routing(visit)]
    end_ms = max((one.end_ms for one in spans), default=min(begins))
    root = TraceSpan("line", "visit", min(begins), max(end_ms, min(begins)), _facts(visit_id, visit))
    return VisitTrace(_number(f"{namespace}/{visit_id}", 16), (root, *spans))


def _frames(visit: TracedVisit) -> Iterator[TraceSpan]:
    for frame, (taken, written_ms) in visit.captures.items():
        told = {"frame_id": frame, "view_id": taken.view_id, "camera_id": taken.camera_id}
        yield _span("ingest", f"capture {taken.view_id}", (taken.captured_ms, written_ms), told)
    for frame, (one, written_ms) in visit.inspections.items():
        sent_ms = visit.captures[frame][1] if frame in visit.captures else one.captured_ms
        told = {"frame_id": frame, "view_id": one.view_id, "camera_id": one.camera_id, "code_version": one.code_version}
        ran = {"bundle_digest": one.bundle_digest, "device": one.device, "precision": one.precision}
        told |= {name: value for name, value in ran.items() if value is not None}
        events = (("inspected", one.inspected_ms),)
        yield _span("inspect", f"inspect {one.view_id}", (sent_ms, written_ms), told, events)


def _routing(visit: TracedVisit) -> Iterator[TraceSpan]:
    if visit.routed is None:
        return
    routed, written_ms = visit.routed
    heard = [at for _, at in (*visit.captures.values(), *visit.inspections.values()) if at <= written_ms]
    times = (max(heard, default=routed.first_captured_ms), written_ms)
    yield _span("route", "route", times, {}, (("decided", routed.decided_ms), ("due", routed.decide_by_ms)))
    if visit.acted is not None:
        told = {} if visit.acted.output_id is None else {"output_id": visit.acted.output_id}
        yield _span("onward", "output", (written_ms, visit.acted.at_ms), told)


def _span(
    service: str,
    name: str,
    times: tuple[int, int],
    told: Mapping[str, str],
    events: tuple[tuple[str, int], ...] = (),
) -> TraceSpan:
    return TraceSpan(service, name, times[0], max(times), told, events)


def _facts(visit_id: str, visit: TracedVisit) -> dict[str, str]:
    of: list[Capture | Inspection | Disposition] = [one for one, _ in visit.captures.values()]
    of += [one for one, _ in visit.inspections.values()]
    of += [] if visit.routed is None else [visit.routed[0]]
    told = {"visit_id": visit_id, "recipe": of[0].recipe.short}
    for name in ("line_id", "station_id", "part_id", "lot_id", "product_id"):
        value = next((found for one in of if (found := getattr(one, name, None)) is not None), None)
        if value is not None:
            told[name] = value
    return told


def _number(text: str, length: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:length], "big")
