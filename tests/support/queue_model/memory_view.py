"""The model as its projector sees it: state, offsets and events of one view, in plain Python."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from linewarden_reinspect.queue.errors import ViewMoved
from linewarden_reinspect.queue.types import Change, SlotDump, Standing, Terms, Transition
from linewarden_runtime.clock import Clock
from tests.support.queue_model.items import HOUR_MS, MINUTE_MS, Item, State


class MemoryView:
    """As `View` promises, in one process and by one clock; and what happened until it is told."""

    def __init__(self, clock: Clock, terms: Terms | None = None) -> None:
        self._clock = clock
        self._terms = terms or Terms()
        self._state = State()
        self._known: set[tuple[str, str]] = set()

    def snapshot(self) -> object:
        """A copy of everything, for `restore`."""
        return copy.deepcopy(self._state)

    def restore(self, snapshot: object) -> None:
        """Go back to a copy, as a failover to an old replica does."""
        assert isinstance(snapshot, State)
        self._state = copy.deepcopy(snapshot)

    def clear(self) -> None:
        """Lose everything, as a Redis that starts empty does."""
        self._state = State()
        self._known.clear()

    def _is_live(self, now: int) -> bool:
        return self._state.live and now < self._state.gate_until_ms

    def _tell(self, item: Item, event: str, actor: str, cause: str = "") -> None:
        self._state.tell(item.slot.slot_id, item.slot.visit_id, event, actor, self._clock.now_ms(), cause)
        self._state.revision += 1

    def events(self, most: int = 500) -> tuple[Transition, ...]:
        """Give what is not told yet."""
        return tuple(self._state.events[:most])

    def learn(self, actor: str, visit_id: str) -> None:
        """Remember that somebody was told of a visit."""
        self._known.add((actor, visit_id))

    def knows(self, actor: str, visit_id: str) -> bool:
        """Whether somebody was told of a visit."""
        return (actor, visit_id) in self._known

    def told(self, event_ids: Sequence[str]) -> None:
        """Drop these events: they lie in Kafka. Unknown ones are no error."""
        self._state.events = [event for event in self._state.events if event.event_id not in event_ids]

    def revision(self) -> str:
        """Count of changes, as text."""
        return str(self._state.revision)

    def standing(self) -> Standing:
        """Tell where the view stands."""
        state = self._state
        return Standing(state.topic_id, state.live, self._clock.now_ms() - state.at_ms, dict(state.offsets))

    def apply(self, topic_id: str, changes: Sequence[Change], expected: Mapping[int, int]) -> dict[int, int]:
        """Take in records and their offsets; the next offset of each partition named. Raises ViewMoved."""
        following = dict(expected)
        for change in changes:
            self._require(topic_id, {change.partition: following.get(change.partition, 0)})
            following[change.partition] = max(following.get(change.partition, 0), change.offset + 1)
            if self._state.offsets.get(change.partition, 0) <= change.offset:
                self._take_in(change)
        return {change.partition: following[change.partition] for change in changes}

    def _require(self, topic_id: str, expected: Mapping[int, int]) -> None:
        if self._state.topic_id != topic_id:
            raise ViewMoved("FOREIGN")
        if any(self._state.offsets.get(partition, 0) < offset for partition, offset in expected.items()):
            raise ViewMoved("ROLLED_BACK")

    def _take_in(self, change: Change) -> None:
        state = self._state
        if change.opened is not None:
            self._open(Item(change.opened))
        closed = state.items.pop(change.closed, None) if change.closed is not None else None
        if closed is not None and state.live:
            self._tell(closed, "closed", change.by, change.why)
        state.offsets[change.partition] = change.offset + 1
        state.at_ms = self._clock.now_ms()
        state.revision += 1

    def _open(self, item: Item) -> None:
        state, slot = self._state, item.slot
        state.rules[item.row] = slot.capacity_per_hour or 0, slot.max_age_ms or 0
        known = state.items.setdefault(slot.slot_id, item)
        known.slot = slot
        if known is not item:
            return
        if slot.opened_ms + HOUR_MS > self._clock.now_ms():
            minutes = state.opened.setdefault(item.row, {})
            minutes[slot.opened_ms // MINUTE_MS] = minutes.get(slot.opened_ms // MINUTE_MS, 0) + 1
        if state.live:
            self._tell(item, "opened", "route", slot.causes[0].value)

    def beat(self, topic_id: str, expected: Mapping[int, int], gate_ms: int) -> None:
        """Open the view for claims."""
        self._require(topic_id, expected)
        now = self._clock.now_ms()
        self._state.revision += not self._is_live(now)
        self._state.live, self._state.at_ms = True, now
        self._state.gate_until_ms = now + gate_ms

    def wipe(self, topic_id: str, offsets: Mapping[int, int]) -> None:
        """Empty the view but for what was counted and not yet told; closed for claims until the next beat."""
        old, now = self._state, self._clock.now_ms()
        self._state = State(topic_id=topic_id, offsets=dict(offsets), at_ms=now, revision=old.revision + 1)
        self._state.events, self._state.counted, self._state.asked = old.events, old.counted, old.asked

    def dump(self) -> dict[str, SlotDump]:
        """Give everything that is kept."""
        return {
            name: SlotDump(
                name, item.status, item.slot.due_ms, item.slot, item.holder, item.expired, item.skips, item.overdue
            )
            for name, item in self._state.items.items()
        }
