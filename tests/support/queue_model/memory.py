"""The queue's rules in plain Python: the model that Redis is tested against, and a queue for tests."""

from __future__ import annotations

from linewarden_reinspect.queue.errors import LeaseLost, NotLive
from linewarden_reinspect.queue.types import (
    Claim,
    Claimant,
    Ended,
    Lease,
    QueueSummary,
    SlotStatus,
    Why,
)
from linewarden_schemas.vocabulary import Skill
from tests.support.queue_model import items as kept
from tests.support.queue_model.items import HELD, Item
from tests.support.queue_model.memory_view import MemoryView


class MemoryQueue(MemoryView):
    """As `Queue` and `View` promise, in one process and by one clock."""

    def claim(self, claimant: Claimant, token: str, code: str = "") -> Claim:
        """Give the most urgent slot, or the one that was scanned."""
        now = self._clock.now_ms()
        if not self._is_live(now):
            raise NotLive("NOT_LIVE")
        self._take_back(100)
        mine = next((item for item in self._state.items.values() if item.token == token), None)
        if mine is not None:
            return Claim(Lease(mine.slot, token, mine.until_ms))
        if code:
            return self._scanned(claimant, token, code)
        offered = self._offered(claimant.lead)
        chosen = next((item for item in offered if self._refuses(item, claimant, now) is None), None)
        return Claim(None) if chosen is None else self._leased_to(chosen, claimant, token, "")

    def _scanned(self, claimant: Claimant, token: str, code: str) -> Claim:
        items = self._state.items
        named = [item for item in items.values() if code in (item.slot.part_id, item.slot.bin_slot)]
        named = [items[code]] if code in items else named
        refused = Claim(None, Why.UNKNOWN)
        for item in sorted(named, key=lambda item: item.slot.slot_id):
            why = self._refuses(item, claimant, self._clock.now_ms(), is_scanned=True)
            if item.status in HELD:
                refused = Claim(None, Why(item.status.value), item.holder, item.until_ms)
            elif item.status is SlotStatus.DEAD and not claimant.lead:
                refused = Claim(None, why or Why.LEAD)
            elif why is not None:
                refused = Claim(None, why)
            else:
                return self._leased_to(item, claimant, token, f"scanned {code}")
        return refused

    def _leased_to(self, item: Item, claimant: Claimant, token: str, cause: str) -> Claim:
        now = self._clock.now_ms()
        item.status, item.holder, item.token = SlotStatus.LEASED, claimant.actor, token
        item.since_ms, item.until_ms = now, now + self._terms.lease_ms
        self._tell(item, "claimed", claimant.actor, cause)
        return Claim(Lease(item.slot, token, item.until_ms))

    def _offered(self, lead: bool) -> list[Item]:
        items = self._state.items.values()
        ready = sorted((item for item in items if item.status is SlotStatus.READY), key=kept.urgency)
        if not lead:
            return ready
        dead = [item for item in items if item.status is SlotStatus.DEAD]
        dead.sort(key=lambda item: (item.dead_ms, item.slot.slot_id))
        # They stay among the ready too: the first that may be taken counts, so naming one twice changes nothing.
        late = sorted((i for i in ready if i.overdue), key=lambda i: (i.slot.opened_ms, i.slot.slot_id))
        return [*dead, *late, *ready]

    def _refuses(self, item: Item, claimant: Claimant, now: int, *, is_scanned: bool = False) -> Why | None:
        slot, lead = item.slot, claimant.lead
        mine = (one for one in self._state.items.values() if one.status in HELD and one.holder == claimant.actor)
        checks = (
            (bool(claimant.lines) and slot.line_id not in claimant.lines, Why.LINE),
            (slot.skill is Skill.LEAD and not lead, Why.LEAD),
            (slot.needs is not None and slot.needs not in claimant.skills and not lead, Why.SKILL),
            (any(one.slot.visit_id == slot.visit_id for one in mine), Why.JUDGED),
            (claimant.actor in slot.excluded_actors, Why.JUDGED),
            (not is_scanned and self._state.skips.get((slot.slot_id, claimant.actor), 0) > now, Why.SKIPPED),
        )
        return next((why for refuses, why in checks if refuses), None)

    def _held(self, slot_id: str, token: str) -> Item:
        item = self._state.items.get(slot_id)
        now = self._clock.now_ms()
        # `<=`: a lease is over at its end, and so is the token.
        if item is None or item.status not in HELD or item.token != token or item.until_ms <= now:
            raise LeaseLost("LEASE_LOST")
        return item

    def _leased(self, slot_id: str, token: str) -> Item:
        item = self._held(slot_id, token)
        if item.status is not SlotStatus.LEASED:
            raise LeaseLost("LEASE_LOST")
        return item

    def renew(self, slot_id: str, token: str) -> Lease:
        """Lengthen a lease, never beyond the longest hold; a parked slot is told as it is. Raises LeaseLost."""
        item = self._held(slot_id, token)
        if item.status is SlotStatus.LEASED:
            longest = item.since_ms + self._terms.max_hold_ms
            wanted = self._clock.now_ms() + self._terms.lease_ms
            # Never shorter than it is: at the longest hold a renewal takes nothing away.
            item.until_ms = max(item.until_ms, min(wanted, longest))
        return Lease(item.slot, token, item.until_ms, item.decision)

    def release(self, slot_id: str, token: str) -> None:
        """Put the slot back where it stood before it was claimed. Raises LeaseLost."""
        item = self._leased(slot_id, token)
        actor = item.holder
        item.put(item.home, self._clock.now_ms())
        self._tell(item, "released", actor)

    def skip(self, slot_id: str, token: str) -> SlotStatus:
        """Put it back, for a while not for this actor."""
        item = self._leased(slot_id, token)
        now, actor = self._clock.now_ms(), item.holder
        self._state.skips[(slot_id, actor)] = now + self._terms.skip_ms
        item.skips += 1
        is_spent = item.skips >= self._terms.max_skips
        item.put(SlotStatus.DEAD if is_spent else item.home, now, "skipped too often" if is_spent else "")
        self._tell(item, "skipped", actor, f"now {item.status}")
        return item.status

    def park(self, slot_id: str, token: str, decision_id: str) -> None:
        """Keep it from everybody until its close, or for a while; twice for one decision is fine. Raises LeaseLost."""
        item = self._held(slot_id, token)
        if item.status is SlotStatus.PARKED:
            if item.decision != decision_id:
                raise LeaseLost("LEASE_LOST")
            return
        item.status, item.decision = SlotStatus.PARKED, decision_id
        item.until_ms = self._clock.now_ms() + self._terms.park_ms
        self._tell(item, "decided", item.holder, decision_id)

    def reap(self, limit: int = 100) -> tuple[Ended, ...]:
        """Take back what ran out, mark what is overdue."""
        now = self._clock.now_ms()
        ended = self._take_back(limit)
        late = [(i.expires_ms, i.slot.slot_id, i) for i in self._state.items.values() if not i.overdue and i.expires_ms]
        for _, _, item in sorted(one for one in late if one[0] <= now)[:limit]:
            item.overdue = True
            self._tell(item, "overdue", "queue", "older than its recipe allows: offered to leads first")
        if self._is_live(now):
            for row in self._state.rules:
                self._ask(row, now)
        return ended

    def _take_back(self, limit: int) -> tuple[Ended, ...]:
        now = self._clock.now_ms()
        over = [item for item in self._state.items.values() if item.status in HELD and item.until_ms <= now]
        over.sort(key=lambda item: (item.until_ms, item.slot.slot_id))
        ended = tuple(self._end(item, now) for item in over[:limit])
        self._state.skips = {key: until for key, until in self._state.skips.items() if until > now}
        return ended

    def _end(self, item: Item, now: int) -> Ended:
        was, actor = item.status, item.holder
        item.expired += was is SlotStatus.LEASED
        is_spent = was is SlotStatus.LEASED and item.expired >= self._terms.max_expired_leases
        item.put(SlotStatus.DEAD if is_spent else item.home, now, "let go too often" if is_spent else "")
        self._tell(item, f"{was}-expired", actor, f"now {item.status}")
        return Ended(item.slot.slot_id, item.slot.visit_id, actor, was, item.status)

    def _ask(self, row: kept.Row, now: int) -> None:
        asked, demand = self._state.asked.get(row), kept.demand(self._state, row, now)
        if (asked[0] if asked else None) == (demand.ask if demand else None):
            return
        if demand is None:
            _, slot_id, visit_id = self._state.asked.pop(row)
            cause, event = "{}|{}: within capacity and age again".format(*row), "line-free"
        else:
            item = min(
                (one for one in self._state.items.values() if one.row == row),
                key=lambda one: (one.slot.opened_ms, one.slot.slot_id),
            )
            slot_id, visit_id = item.slot.slot_id, item.slot.visit_id
            self._state.asked[row] = demand.ask, slot_id, visit_id
            cause, event = kept.stated(demand, now), f"line-{demand.ask}"
        self._state.tell(slot_id, visit_id, event, "queue", now, cause)
        self._state.revision += 1

    def summary(self, most: int = 50) -> QueueSummary:
        """Tell what waits and who holds what."""
        now, items = self._clock.now_ms(), list(self._state.items.values())
        held = sorted((item for item in items if item.status in HELD), key=lambda item: item.until_ms)
        dead = [item for item in self._offered(lead=True) if item.status is SlotStatus.DEAD]
        ready = self._offered(lead=False)
        waits = {
            kind: [item for item in ready if (item.slot.skill is Skill.LEAD) is kind][:most] for kind in (True, False)
        }
        offered = [item for item in ready if item in waits[item.slot.skill is Skill.LEAD]]
        slots = tuple(map(kept.named, (*held[:most], *dead[:most], *offered)))
        demands = (kept.demand(self._state, row, now) for row in self._state.rules)
        asked = tuple(one for one in demands if one is not None)
        return QueueSummary(
            now, self._is_live(now), self.revision(), kept.by_line(items), slots, kept.pools(items), asked
        )
