"""What became of parts: rejects that come too often, what the gate did, and how full the bins are."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator

from linewarden_domain.words import Said, said
from linewarden_line.alarms.alarm_list import Sighting
from linewarden_line.alarms.limits import AlarmLimits
from linewarden_schemas.alarm import BinTally, RejectTally
from linewarden_schemas.alarm_vocabulary import AlarmKind
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import Cause, LineMode, Routing

GATE = "what the gate was told and did"
"""The contradiction in a revision's reasons that speaks of the gate."""
_SILENT = "did no report"
_WITHHELD = (Routing.REJECTED, Routing.DIVERTED)


class RejectWatch:
    """The last routings of a line, and of each cavity or nest, in the order in which the parts were seen."""

    def __init__(self, limits: AlarmLimits) -> None:
        self._limits = limits
        self._most = max(limits.rejects_in_a_row, limits.rejects_window)
        self._seen: dict[str | None, list[tuple[int, bool]]] = {}

    def recall(self, tallies: Iterable[RejectTally]) -> None:
        """Go on from what the process before had counted."""
        self._seen = {one.subject: [(0, outcome == "1") for outcome in one.outcomes] for one in tallies}

    def tallies(self) -> tuple[RejectTally, ...]:
        """What is counted, for the process's word."""
        return tuple(
            RejectTally(subject=subject, outcomes="".join("01"[is_reject] for _, is_reject in seen))
            for subject, seen in self._seen.items()
        )

    def reset(self, subject: str | None) -> None:
        """Somebody has mended it: counting begins anew."""
        self._seen.pop(subject, None)

    def learn(self, told: Disposition) -> Iterator[Sighting]:
        """What the first routing of a part shows; only parts of production count."""
        if told.line_state is not None and told.line_state.mode is not LineMode.PRODUCTION:
            return
        for subject in dict.fromkeys((None, told.cavity)):
            seen = self._seen.setdefault(subject, [])
            # By the time of the trigger: partitions are read one after the other.
            insort(seen, (told.first_captured_ms, told.routing is Routing.REJECTED), key=lambda one: one[0])
            del seen[: -self._most]
            words = self._words([is_reject for _, is_reject in seen])
            yield Sighting(
                AlarmKind.REJECT_RUN, subject, holds=words is not None, said=words, is_simulated=told.is_simulated
            )

    def _words(self, rejects: list[bool]) -> Said | None:
        row, most, window = self._limits.rejects_in_a_row, self._limits.rejects_most, self._limits.rejects_window
        if row and len(rejects) >= row and all(rejects[-row:]):
            return said("alarm_rejects_in_a_row", count=row)
        found = sum(rejects[-window:])
        return said("alarm_rejects_of_last", count=found, window=window) if most and found >= most else None


class BinWatch:
    """How many parts were sent into each bin since it was emptied."""

    def __init__(self, limits: AlarmLimits) -> None:
        self._bins, self._parts = limits.bins, dict.fromkeys(limits.bins, 0)

    def recall(self, tallies: Iterable[BinTally]) -> None:
        """Go on from what the process before had counted."""
        self._parts |= {one.bin_id: one.parts for one in tallies if one.bin_id in self._bins}

    def tallies(self) -> tuple[BinTally, ...]:
        """What is counted, for the process's word."""
        return tuple(BinTally(bin_id=name, parts=parts) for name, parts in sorted(self._parts.items()))

    def is_bin(self, name: str | None) -> bool:
        """Whether it is a bin of this line."""
        return name in self._bins

    def sent(self, lane: Routing, *, is_full: bool | None = None) -> Iterator[Sighting]:
        """One part more lies in the bin of a lane; `is_full` is its sensor's word."""
        name = lane.value
        if name in self._parts:
            self._parts[name] += 1
            yield self._full(name, is_full=is_full)
        elif is_full is not None:
            yield Sighting(AlarmKind.BIN_FULL, name, holds=is_full, said=said("alarm_bin_sensor"))

    def emptied(self, name: str, counted: int) -> Iterator[Sighting]:
        """A person emptied a bin and counted its parts."""
        parts, self._parts[name] = self._parts.get(name, 0), 0
        yield self._full(name)
        if counted != parts:
            words = said("alarm_bin_differs", counted=counted, parts=parts)
            yield Sighting(AlarmKind.BIN_DIFFERS, name, said=words)

    def _full(self, name: str, *, is_full: bool | None = None) -> Sighting:
        parts, most = self._parts[name], self._bins[name]
        words = said("alarm_bin_sensor") if is_full else said("alarm_bin_full", parts=parts, most=most)
        return Sighting(AlarmKind.BIN_FULL, name, holds=parts >= most or bool(is_full), said=words)


class GateWatch:
    """What the gate did beside what it was told, as it reports it and as route finds it out."""

    def __init__(self, limits: AlarmLimits) -> None:
        self._most, self._stopped = limits.passes_stopped, 0

    def reported(self, told: Actuation) -> Iterator[Sighting]:
        """What a report of the gate shows."""
        simulated = bool(told.is_simulated)
        if told.intended is Routing.TRUSTED_PASS:
            self._stopped = 0 if told.actual is Routing.TRUSTED_PASS else self._stopped + 1
            is_late = self._stopped >= self._most
            words = said("alarm_gate_late", count=self._stopped) if is_late else None
            yield Sighting(AlarmKind.GATE_LATE, told.output_id, holds=is_late, said=words, is_simulated=simulated)
        elif told.intended is Routing.REJECTED and told.actual is None:
            words = said("alarm_unconfirmed", visit=told.visit_id)
            yield Sighting(AlarmKind.REJECT_UNCONFIRMED, said=words, is_simulated=simulated)

    def revised(self, told: Disposition) -> Iterator[Sighting]:
        """What a revision with an alarm shows: of the gate, or of anything else that was learnt too late."""
        visit, simulated = told.visit_id, told.is_simulated
        values = next((_gate_values(reason) for reason in told.reasons if GATE in reason), None)
        if values is None:
            yield Sighting(AlarmKind.VISIT_REVISED, said=said("alarm_revised", visit=visit), is_simulated=simulated)
        elif _SILENT not in values:
            # A pass that was not let go is withheld, which harms nobody; one in a row is no alarm.
            if f"did {Routing.TRUSTED_PASS}" in values:
                words = said("alarm_gate_differs", visit=visit, values=values)
                yield Sighting(AlarmKind.GATE_DIFFERS, said=words, is_simulated=simulated)
        elif f"told {Routing.REJECTED}" in values:
            words = said("alarm_unconfirmed", visit=visit)
            yield Sighting(AlarmKind.REJECT_UNCONFIRMED, said=words, is_simulated=simulated)
        else:
            words = said("alarm_gate_missing", visit=visit)
            yield Sighting(AlarmKind.GATE_MISSING, said=words, is_simulated=simulated)


class OutcomeWatch:
    """Dispositions and the gate's reports, handed to whom they concern."""

    def __init__(self, limits: AlarmLimits) -> None:
        self.rejects, self.bins, self.gate = RejectWatch(limits), BinWatch(limits), GateWatch(limits)

    def learn(self, message: Message) -> Iterator[Sighting]:
        """What a disposition or a report shows."""
        if isinstance(message, Actuation):
            yield from self.gate.reported(message)
            if message.actual is not None:
                yield from self.bins.sent(message.actual, is_full=message.bin_full)
        elif isinstance(message, Disposition) and Cause.KNOWN_BAD not in message.causes:
            if message.revision > 0:
                if message.alarm is not None:
                    yield from self.gate.revised(message)
                return
            yield from self.rejects.learn(message)
            # With a gate its reports count, since they say where the part lies.
            if message.line_state is None or not message.line_state.has_gate:
                yield from self.bins.sent(message.routing)


def _gate_values(reason: str) -> str:
    return reason.partition(GATE)[2].lstrip(": ")
