"""The queue's rules in plain Python: the model that Redis is tested against, and a queue for tests."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from linewarden_runtime.clock import Clock
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.vocabulary import Skill

from .errors import Foreign, LeaseLost, NotLive, RolledBack
from .types import (
    Change,
    Claim,
    Claimant,
    Ended,
    Lease,
    LineCount,
    NamedSlot,
    SlotDump,
    SlotStatus,
    Standing,
    Summary,
    Terms,
)

_HELD = (SlotStatus.LEASED, SlotStatus.PARKED)


@dataclass(slots=True)
class _Item:
    slot: SlotOpen
    status: SlotStatus = SlotStatus.READY
    home: SlotStatus = SlotStatus.READY
    holder: str = ""
    token: str = ""
    since_ms: int = 0
    until_ms: int = 0
    dead_ms: int = 0
    decision: str | None = None
    expired: int = 0
    skips: int = 0

    def put(self, status: SlotStatus, now_ms: int) -> None:
        self.status = self.home = status
        self.dead_ms = now_ms
        self.holder, self.token, self.decision = "", "", None


@dataclass(slots=True)
class _State:
    items: dict[str, _Item] = field(default_factory=dict)
    skips: dict[tuple[str, str], int] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    topic_id: str | None = None
    live: bool = False
    gate_until_ms: int = 0
    at_ms: int = 0
    revision: int = 0


class MemoryQueue:
    """As `Queue` and `View` promise, in one process and by one clock."""

    def __init__(self, clock: Clock, terms: Terms | None = None) -> None:
        self._clock = clock
        self._terms = terms or Terms()
        self._state = _State()

    def snapshot(self) -> object:
        """A copy of everything, for `restore`."""
        return copy.deepcopy(self._state)

    def restore(self, snapshot: object) -> None:
        """Go back to a copy, as a failover to an old replica does."""
        assert isinstance(snapshot, _State)  # noqa: S101 - only what snapshot gave
        self._state = copy.deepcopy(snapshot)

    def clear(self) -> None:
        """Lose everything."""
        self._state = _State()

    def claim(self, claimant: Claimant, token: str) -> Claim:
        """Give the most urgent slot."""
        now = self._clock.now_ms()
        if not self._is_live(now):
            raise NotLive("NOT_LIVE")
        ended = self.reap()
        mine = next((item for item in self._state.items.values() if item.token == token), None)
        if mine is not None:
            return Claim(Lease(mine.slot, token, mine.until_ms), ended)
        chosen = next((item for item in self._offered(claimant.lead) if self._may_take(item, claimant, now)), None)
        if chosen is None:
            return Claim(None, ended)
        chosen.status, chosen.holder, chosen.token = SlotStatus.LEASED, claimant.actor, token
        chosen.since_ms, chosen.until_ms = now, now + self._terms.lease_ms
        self._state.revision += 1
        return Claim(Lease(chosen.slot, token, chosen.until_ms), ended)

    def _is_live(self, now: int) -> bool:
        return self._state.live and now < self._state.gate_until_ms

    def _offered(self, lead: bool) -> list[_Item]:
        items = self._state.items.values()
        dead = sorted(
            (item for item in items if lead and item.status is SlotStatus.DEAD),
            key=lambda item: (item.dead_ms, item.slot.slot_id),
        )
        ready = sorted(
            (item for item in items if item.status is SlotStatus.READY),
            key=lambda item: (item.slot.due_ms, item.slot.slot_id),
        )
        return [*dead, *ready]

    def _may_take(self, item: _Item, claimant: Claimant, now: int) -> bool:
        slot = item.slot
        return (
            (not claimant.lines or slot.line_id in claimant.lines)
            and (claimant.lead or slot.skill is not Skill.LEAD)
            and claimant.actor not in slot.excluded_actors
            and self._state.skips.get((slot.slot_id, claimant.actor), 0) <= now
        )

    def _held(self, slot_id: str, token: str) -> _Item:
        item = self._state.items.get(slot_id)
        now = self._clock.now_ms()
        if item is None or item.status not in _HELD or item.token != token or item.until_ms <= now:
            raise LeaseLost("LEASE_LOST")
        return item

    def _leased(self, slot_id: str, token: str) -> _Item:
        item = self._held(slot_id, token)
        if item.status is not SlotStatus.LEASED:
            raise LeaseLost("LEASE_LOST")
        return item

    def renew(self, slot_id: str, token: str) -> Lease:
        """Lengthen a lease."""
        item = self._held(slot_id, token)
        if item.status is SlotStatus.LEASED:
            longest = item.since_ms + self._terms.max_hold_ms
            wanted = self._clock.now_ms() + self._terms.lease_ms
            item.until_ms = max(item.until_ms, min(wanted, longest))
        return Lease(item.slot, token, item.until_ms, item.decision)

    def release(self, slot_id: str, token: str) -> None:
        """Put the slot back."""
        item = self._leased(slot_id, token)
        item.put(item.home, self._clock.now_ms())
        self._state.revision += 1

    def skip(self, slot_id: str, token: str) -> SlotStatus:
        """Put it back, for a while not for this actor."""
        item = self._leased(slot_id, token)
        now = self._clock.now_ms()
        self._state.skips[(slot_id, item.holder)] = now + self._terms.skip_ms
        item.skips += 1
        item.put(SlotStatus.DEAD if item.skips >= self._terms.max_skips else item.home, now)
        self._state.revision += 1
        return item.status

    def park(self, slot_id: str, token: str, decision_id: str) -> None:
        """Keep it from everybody."""
        item = self._held(slot_id, token)
        if item.status is SlotStatus.PARKED:
            if item.decision != decision_id:
                raise LeaseLost("LEASE_LOST")
            return
        item.status, item.decision = SlotStatus.PARKED, decision_id
        item.until_ms = self._clock.now_ms() + self._terms.park_ms
        self._state.revision += 1

    def reap(self, limit: int = 100) -> tuple[Ended, ...]:
        """Take back what ran out."""
        now = self._clock.now_ms()
        over = [item for item in self._state.items.values() if item.status in _HELD and item.until_ms <= now]
        over.sort(key=lambda item: (item.until_ms, item.slot.slot_id))
        ended = tuple(self._end(item, now) for item in over[:limit])
        self._state.skips = {key: until for key, until in self._state.skips.items() if until > now}
        self._state.revision += bool(ended)
        return ended

    def _end(self, item: _Item, now: int) -> Ended:
        was, actor = item.status, item.holder
        item.expired += was is SlotStatus.LEASED
        spent = was is SlotStatus.LEASED and item.expired >= self._terms.max_expired_leases
        item.put(SlotStatus.DEAD if spent else item.home, now)
        return Ended(item.slot.slot_id, item.slot.visit_id, actor, was, item.status)

    def summary(self, most: int = 50) -> Summary:
        """Tell what waits and who holds what."""
        now = self._clock.now_ms()
        lines: dict[str, LineCount] = {}
        for item in self._state.items.values():
            lines[item.slot.line_id] = _counted(lines.get(item.slot.line_id, LineCount()), item)
        items = [item for item in self._state.items.values() if item.status in _HELD]
        named = [*sorted(items, key=lambda item: item.until_ms)[:most], *self._offered(lead=True)[: 2 * most]]
        slots = tuple(map(_named, named))
        return Summary(now, self._is_live(now), self.revision(), lines, slots)

    def revision(self) -> str:
        """Count of changes, as text."""
        return str(self._state.revision)

    def standing(self) -> Standing:
        """Tell where the view stands."""
        state = self._state
        return Standing(state.topic_id, state.live, self._clock.now_ms() - state.at_ms, dict(state.offsets))

    def apply(self, topic_id: str, changes: Sequence[Change], expected: Mapping[int, int]) -> dict[int, int]:
        """Take in records."""
        following = dict(expected)
        for change in changes:
            self._require(topic_id, {change.partition: following.get(change.partition, 0)})
            following[change.partition] = max(following.get(change.partition, 0), change.offset + 1)
            if self._state.offsets.get(change.partition, 0) <= change.offset:
                self._take_in(change)
        return {change.partition: following[change.partition] for change in changes}

    def _require(self, topic_id: str, expected: Mapping[int, int]) -> None:
        if self._state.topic_id != topic_id:
            raise Foreign("FOREIGN")
        if any(self._state.offsets.get(partition, 0) < offset for partition, offset in expected.items()):
            raise RolledBack("ROLLED_BACK")

    def _take_in(self, change: Change) -> None:
        items = self._state.items
        if change.opened is not None:
            known = items.setdefault(change.opened.slot_id, _Item(change.opened))
            known.slot = change.opened
        if change.closed is not None:
            items.pop(change.closed, None)
        self._state.offsets[change.partition] = change.offset + 1
        self._state.at_ms = self._clock.now_ms()
        self._state.revision += 1

    def beat(self, topic_id: str, expected: Mapping[int, int], gate_ms: int) -> None:
        """Open the view for claims."""
        self._require(topic_id, expected)
        self._state.live = True
        self._state.at_ms = self._clock.now_ms()
        self._state.gate_until_ms = self._state.at_ms + gate_ms

    def wipe(self, topic_id: str, offsets: Mapping[int, int]) -> None:
        """Empty the view."""
        now, revision = self._clock.now_ms(), self._state.revision + 1
        self._state = _State(topic_id=topic_id, offsets=dict(offsets), at_ms=now, revision=revision)

    def dump(self) -> dict[str, SlotDump]:
        """Give everything that is kept."""
        return {
            name: SlotDump(name, item.status, item.slot.due_ms, item.slot, item.holder, item.expired, item.skips)
            for name, item in self._state.items.items()
        }


def _counted(count: LineCount, item: _Item) -> LineCount:
    more = replace(count, **{item.status.value: getattr(count, item.status.value) + 1})
    if item.status is SlotStatus.PARKED:
        return more
    oldest = min(count.oldest_ms or item.slot.opened_ms, item.slot.opened_ms)
    return replace(more, oldest_ms=oldest, next_due_ms=min(count.next_due_ms or item.slot.due_ms, item.slot.due_ms))


def _named(item: _Item) -> NamedSlot:
    slot = item.slot
    until = item.until_ms if item.status in _HELD else 0
    return NamedSlot(
        slot.slot_id, slot.line_id, item.status, slot.due_ms, item.holder, until, slot.causes[0].value, slot.opened_ms
    )
