"""What goes in and out of the queue. Times are the queue server's, epoch milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from linewarden_schemas.disposition import SlotOpen


class SlotStatus(StrEnum):
    """Where a slot is; it is in exactly one of them."""

    READY = "ready"
    LEASED = "leased"
    PARKED = "parked"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things last, and how often they may happen."""

    lease_ms: int = 180_000
    max_hold_ms: int = 1_800_000
    park_ms: int = 60_000
    skip_ms: int = 600_000
    max_skips: int = 3
    max_expired_leases: int = 5


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for a slot. `lead` opens what only a lead may take, and what asks for any skill.

    `lines` empty means every line; `skills` empty means only slots that ask for none.
    """

    actor: str
    lead: bool = False
    lines: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """A slot in somebody's hands until `until_ms`; `token` is the only proof of it."""

    slot: SlotOpen
    token: str
    until_ms: int
    parked_decision: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A lease or park that ran out, and where the slot went."""

    slot_id: str
    visit_id: str
    actor: str
    was: SlotStatus
    now: SlotStatus


class Why(StrEnum):
    """Why a slot is not given to a person; a scan is refused for all of these but SKIPPED."""

    UNKNOWN = "unknown"
    LEASED = "leased"
    PARKED = "parked"
    LINE = "line"
    LEAD = "lead"
    SKILL = "skill"
    JUDGED = "judged"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Claim:
    """Answer to a claim: the lease, or None where nothing may be taken, with the reason where a code was scanned.

    `holder` and `until_ms` are told where somebody has the scanned part.
    """

    lease: Lease | None
    why: Why | None = None
    holder: str = ""
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class LineCount:
    """What waits on one line, `next_due_ms` among what is ready.

    `oldest_ms` is when its oldest slot was opened; `overdue` counts those older than their recipe allows, in
    whatever state.
    """

    ready: int = 0
    leased: int = 0
    parked: int = 0
    dead: int = 0
    overdue: int = 0
    next_due_ms: int = 0
    oldest_ms: int = 0


@dataclass(frozen=True, slots=True)
class PoolCount:
    """What waits of one line for one kind of person: `skill` is the authority, `needs` what must have been learnt."""

    line_id: str
    skill: str
    needs: str
    ready: int
    next_due_ms: int


class Ask(StrEnum):
    """What a line is asked for when people cannot keep up. Never another threshold."""

    SLOW = "slow"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Demand:
    """A line that makes more to review of a recipe than people can, by the recipe's own review rules.

    SLOW: more slots were opened in the last hour than `capacity_per_hour`, or what waits takes longer than
    `max_age_ms` at that capacity. STOP: the oldest slot is older than `max_age_ms`.
    """

    line_id: str
    recipe_id: str
    ask: Ask
    waiting: int
    oldest_ms: int
    opened_in_hour: int
    capacity_per_hour: int
    max_age_ms: int

    def words(self, now_ms: int) -> str:
        """The demand as a sentence for people."""
        age_min, most_min = max(0, now_ms - self.oldest_ms) // 60_000, self.max_age_ms // 60_000
        if self.ask is Ask.STOP:
            return (
                f"Stop line {self.line_id}: a part of {self.recipe_id} waits for {age_min} minutes; "
                f"{most_min} are allowed."
            )
        return (
            f"Slow line {self.line_id}: {self.waiting} parts of {self.recipe_id} wait and {self.opened_in_hour} came "
            f"in an hour; people can review {self.capacity_per_hour} an hour within {most_min} minutes each."
        )


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition that is not told yet. `event_id` is the queue's own; `at_ms` is by the queue server's clock."""

    event_id: str
    slot_id: str
    visit_id: str
    event: str
    actor: str
    at_ms: int
    cause: str


@dataclass(frozen=True, slots=True)
class NamedSlot:
    """One slot as the queue's page lists it. `why` tells what made a dead one dead, `sender` who handed it on."""

    slot_id: str
    line_id: str
    state: SlotStatus
    due_ms: int
    holder: str
    until_ms: int
    cause: str
    opened_ms: int
    why: str = ""
    overdue: bool = False
    part_id: str = ""
    skill: str = "operator"
    needs: str = ""
    excluded: tuple[str, ...] = ()
    sender: str = ""
    handed_ms: int = 0


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """What waits and who holds what, at `now_ms` of the server; `revision` differs after any change.

    `untold` counts events that were lost because nobody took them over for too long.
    """

    now_ms: int
    live: bool
    revision: str
    lines: Mapping[str, LineCount]
    slots: tuple[NamedSlot, ...] = ()
    pools: tuple[PoolCount, ...] = ()
    demands: tuple[Demand, ...] = ()
    untold: int = 0

    def for_a_lead(self, line_id: str) -> int:
        """What of a line waits for a lead: escalations and tie-breaks, and what was skipped or let go too often."""
        of_line = [pool.ready for pool in self.pools if (pool.line_id, pool.skill) == (line_id, "lead")]
        return sum(of_line) + (self.lines[line_id].dead if line_id in self.lines else 0)

    def offered_to(self, claimant: Claimant | None) -> QueueSummary:
        """What this person may take, beside what is in hands; whoever takes nothing (None) sees counts alone.

        `dead` of a line is then all that waits for a lead. Whom a slot excludes is known of the slots that are named.
        """
        ready = [slot for slot in self.slots if slot.state in {SlotStatus.READY, SlotStatus.DEAD}]
        hidden = {slot.slot_id for slot in ready if claimant is None or not _may_take(claimant, slot)}
        lines = {}
        for line, count in self.lines.items():
            pools = [one for one in self.pools if one.line_id == line and one.skill != "lead"]
            mine = sum(one.ready for one in pools if claimant is None or _opens(claimant, one))
            judged = [
                slot
                for slot in ready
                if slot.line_id == line
                and slot.state is SlotStatus.READY
                and claimant is not None
                and claimant.actor in slot.excluded
                and slot.skill != "lead"
                and _opens(claimant, slot)
            ]
            lines[line] = replace(count, ready=max(0, mine - len(judged)), dead=self.for_a_lead(line))
        slots = tuple(slot for slot in self.slots if slot.slot_id not in hidden)
        return replace(self, lines=lines, slots=slots)


def _opens(claimant: Claimant, one: PoolCount | NamedSlot) -> bool:
    if claimant.lines and one.line_id not in claimant.lines:
        return False
    if claimant.lead:
        return True
    return one.skill != "lead" and one.needs in {"", *claimant.skills}


def _may_take(claimant: Claimant, slot: NamedSlot) -> bool:
    is_for_lead = slot.state is SlotStatus.DEAD and not claimant.lead
    return _opens(claimant, slot) and claimant.actor not in slot.excluded and not is_for_lead


@dataclass(frozen=True, slots=True)
class SlotDump:
    """Everything that is kept of a slot and that two equal views agree on."""

    slot_id: str
    status: SlotStatus
    due_ms: int
    slot: SlotOpen
    holder: str
    expired_leases: int
    skips: int
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the topic as the view takes it in; `opened` and `closed` absent: only the offset moves.

    `by` and `why` tell who and what closed the slot.
    """

    partition: int
    offset: int
    opened: SlotOpen | None = None
    closed: str | None = None
    by: str = "route"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a view stands; `topic_id` is None where it was emptied or never filled."""

    topic_id: str | None
    live: bool
    age_ms: int
    offsets: Mapping[int, int] = field(default_factory=dict)
