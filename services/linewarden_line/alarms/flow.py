"""What is said of the flow itself: people who cannot keep up, outputs, balances, dead letters, locks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from linewarden_domain.words import said
from linewarden_line.alarms.alarm_list import Sighting
from linewarden_line.alarms.limits import AlarmLimits
from linewarden_schemas.alarm_vocabulary import AlarmKind
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import SlotClose, SlotOpen
from linewarden_schemas.line import LineState
from linewarden_schemas.operations import Balance, DeadLetter, OutputState
from linewarden_schemas.vocabulary import LockCause

_HOUR_MS = 3_600_000


@dataclass(slots=True)
class _UnderReview:
    """What waits for review of one recipe: opened_ms by slot, what was opened lately, and the recipe's rules."""

    slots: dict[str, int] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    capacity: int = 0
    most_ms: int = 0


class ReviewWatch:
    """Whether people keep up with what is opened, by the rule by which the queue asks for a slower line or a stop."""

    def __init__(self) -> None:
        self._by_recipe: dict[str, _UnderReview] = {}
        self._recipe_of: dict[str, str] = {}

    def learn(self, message: SlotOpen | SlotClose) -> None:
        """Take a slot that opened or closed."""
        if isinstance(message, SlotClose):
            recipe = self._recipe_of.pop(message.slot_id, None)
            if recipe is not None:
                self._by_recipe[recipe].slots.pop(message.slot_id, None)
            return
        recipe = message.recipe.recipe_id
        waiting = self._by_recipe.setdefault(recipe, _UnderReview())
        waiting.slots[message.slot_id] = waiting.opened[message.slot_id] = message.opened_ms
        waiting.capacity, waiting.most_ms = message.capacity_per_hour or 0, message.max_age_ms or 0
        self._recipe_of[message.slot_id] = recipe

    def look(self, now_ms: int) -> Iterator[Sighting]:
        """Which recipes make more to review than people can, and which parts wait for too long."""
        for recipe, of in self._by_recipe.items():
            of.opened = {slot: at_ms for slot, at_ms in of.opened.items() if at_ms > now_ms - _HOUR_MS}
            count, opened = len(of.slots), len(of.opened)
            age_ms = max(0, now_ms - min(of.slots.values(), default=now_ms))
            is_over = opened > of.capacity or count * _HOUR_MS > of.capacity * of.most_ms > 0
            yield Sighting(
                AlarmKind.REVIEW_SLOWER,
                recipe,
                holds=bool(count and of.capacity and is_over),
                said=said("alarm_review_slower", waiting=count, opened=opened, capacity=of.capacity),
            )
            yield Sighting(
                AlarmKind.REVIEW_STOP,
                recipe,
                holds=bool(count and of.most_ms and age_ms > of.most_ms),
                said=said("alarm_review_stop", minutes=age_ms / 60_000, most=of.most_ms / 60_000),
            )


class FlowWatch:
    """Everything that is said of the flow and no part's own."""

    def __init__(self, line_id: str, limits: AlarmLimits) -> None:
        self._line_id, self._silent_ms = line_id, limits.output_silent_s * 1000
        self._reviews = ReviewWatch()
        self._outputs: dict[str, tuple[OutputState, int]] = {}

    def learn(self, message: Message, at_ms: int) -> Iterator[Sighting]:
        """What one message shows; `at_ms` is when its record was written."""
        match message:
            case SlotOpen() if message.line_id == self._line_id:
                self._reviews.learn(message)
            case SlotClose():
                self._reviews.learn(message)
            case OutputState() if message.line_id == self._line_id:
                self._outputs[message.output_id] = message, at_ms
            case Balance():
                yield _of_balance(message)
            case DeadLetter():
                words = said("alarm_dead_letter", service=message.service, cause=message.cause)
                yield Sighting(AlarmKind.DEAD_LETTERS, message.service, said=words)
            case LineState() if message.line_id == self._line_id:
                yield from _of_state(message)

    def look(self, now_ms: int) -> Iterator[Sighting]:
        """What nothing but time shows."""
        yield from self._reviews.look(now_ms)
        for output_id, (state, at_ms) in self._outputs.items():
            is_silent = now_ms - at_ms > self._silent_ms
            words = said("alarm_output", instance=state.instance) if is_silent else None
            yield Sighting(AlarmKind.OUTPUT_SILENT, output_id, holds=is_silent, said=words)


def _of_balance(told: Balance) -> Sighting:
    lost, doubled, unknown = len(told.lost), len(told.doubled), len(told.unknown)
    words = said("alarm_balance", number=told.number, lost=lost, doubled=doubled, unknown=unknown)
    return Sighting(AlarmKind.BALANCE_OPEN, holds=bool(lost or doubled or unknown), said=words)


def _of_state(state: LineState) -> Iterator[Sighting]:
    standing = {lock.cause: lock for lock in state.locks}
    for cause in LockCause:
        lock = standing.get(cause)
        words = None if lock is None else said("alarm_locked", actor=lock.actor)
        yield Sighting(AlarmKind.LINE_LOCKED, cause.value, holds=lock is not None, said=words)
