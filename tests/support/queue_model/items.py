"""What the model of the queue keeps, and how it is counted; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from linewarden_reinspect.queue.types import Ask, Demand, LineCount, NamedSlot, PoolCount, SlotStatus, Transition
from linewarden_schemas.disposition import SlotOpen

HELD = (SlotStatus.LEASED, SlotStatus.PARKED)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000

Row = tuple[str, str]
"""A line and a recipe."""


@dataclass(slots=True)
class Item:
    """One slot and whatever happened to it. `home` is where a release puts it back."""

    slot: SlotOpen
    status: SlotStatus = SlotStatus.READY
    home: SlotStatus = SlotStatus.READY
    why: str = ""
    holder: str = ""
    token: str = ""
    since_ms: int = 0
    until_ms: int = 0
    dead_ms: int = 0
    decision: str | None = None
    expired: int = 0
    skips: int = 0
    overdue: bool = False

    @property
    def row(self) -> Row:
        """What its review capacity is counted by."""
        return self.slot.line_id, self.slot.recipe.recipe_id

    @property
    def expires_ms(self) -> int | None:
        """When it becomes overdue; None where its recipe does not say."""
        return self.slot.opened_ms + self.slot.max_age_ms if self.slot.max_age_ms else None

    def put(self, status: SlotStatus, now_ms: int, why: str = "") -> None:
        """Take it out of anybody's hands."""
        self.status = self.home = status
        self.dead_ms, self.why = now_ms, why or self.why
        self.holder, self.token, self.decision = "", "", None


@dataclass(slots=True)
class State:
    """All that the memory queue keeps, so that it can be lost as Redis can: at once and whole."""

    items: dict[str, Item] = field(default_factory=dict)
    skips: dict[tuple[str, str], int] = field(default_factory=dict)
    rules: dict[Row, tuple[int, int]] = field(default_factory=dict)
    opened: dict[Row, dict[int, int]] = field(default_factory=dict)
    asked: dict[Row, tuple[Ask, str, str]] = field(default_factory=dict)
    events: list[Transition] = field(default_factory=list)
    counted: int = 0
    offsets: dict[int, int] = field(default_factory=dict)
    topic_id: str | None = None
    live: bool = False
    gate_until_ms: int = 0
    at_ms: int = 0
    revision: int = 0

    def tell(self, slot_id: str, visit_id: str, event: str, actor: str, at_ms: int, cause: str = "") -> None:
        """Keep an event until it is told."""
        self.counted += 1
        self.events.append(Transition(str(self.counted), slot_id, visit_id, event, actor, at_ms, cause))


def urgency(item: Item) -> tuple[int, str]:
    """What waits for a person is taken in this order."""
    return item.slot.due_ms, item.slot.slot_id


def by_line(items: Iterable[Item]) -> dict[str, LineCount]:
    """Counts of slots by line and state; a line without any slot is left out."""
    lines: dict[str, LineCount] = {}
    for item in items:
        lines[item.slot.line_id] = _counted(lines.get(item.slot.line_id, LineCount()), item)
    return lines


def _counted(count: LineCount, item: Item) -> LineCount:
    due_ms = item.slot.due_ms if item.status is SlotStatus.READY else 0
    return replace(
        count,
        **{item.status.value: getattr(count, item.status.value) + 1},
        overdue=count.overdue + item.overdue,
        oldest_ms=min(count.oldest_ms or item.slot.opened_ms, item.slot.opened_ms),
        next_due_ms=min(count.next_due_ms or due_ms, due_ms or count.next_due_ms),
    )


def pools(items: Iterable[Item]) -> tuple[PoolCount, ...]:
    """What waits, by line and kind of person."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for item in items:
        if item.status is SlotStatus.READY:
            key = (item.slot.line_id, item.slot.skill.value, item.slot.needs or "")
            found.setdefault(key, []).append(item.slot.due_ms)
    return tuple(PoolCount(*key, len(dues), min(dues)) for key, dues in found.items())


def demand(state: State, row: Row, now_ms: int) -> Demand | None:
    """What a line asks for because of a recipe; None where people keep up."""
    opened_ms = [item.slot.opened_ms for item in state.items.values() if item.row == row]
    if not opened_ms:
        return None
    capacity, max_age = state.rules[row]
    came = sum(n for minute, n in state.opened.get(row, {}).items() if (minute + 60) * MINUTE_MS > now_ms)
    made = Demand(*row, Ask.STOP, len(opened_ms), min(opened_ms), came, capacity, max_age)
    if max_age and now_ms - made.oldest_ms > max_age:
        return made
    is_over = came > capacity or len(opened_ms) * HOUR_MS > capacity * max_age
    return replace(made, ask=Ask.SLOW) if capacity and is_over else None


def named(item: Item) -> NamedSlot:
    """A slot as the summary names it."""
    slot = item.slot
    return NamedSlot(
        slot.slot_id,
        slot.line_id,
        item.status,
        slot.due_ms,
        item.holder,
        item.until_ms if item.status in HELD else 0,
        slot.causes[0].value,
        slot.opened_ms,
        item.why if item.status is SlotStatus.DEAD else "",
        item.overdue,
        slot.part_id or "",
        slot.skill.value,
        slot.needs or "",
        slot.excluded_actors,
        slot.handover.actor if slot.handover else "",
        slot.handover.at_ms if slot.handover else 0,
    )


def stated(demand: Demand, now: int) -> str:
    """A demand's figures, as its event carries them."""
    return (
        f"{demand.line_id}|{demand.recipe_id}: waiting {demand.waiting}, oldest {(now - demand.oldest_ms) // 1000} s, "
        f"opened in an hour {demand.opened_in_hour}; capacity an hour {demand.capacity_per_hour}, "
        f"maximum age {demand.max_age_ms // 1000} s"
    )
