"""All that the topics tell of one visit, and what follows from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from linewarden_history.reading import WrittenAt
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.escape import Escape
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import LineStateRef
from linewarden_schemas.vocabulary import Cause, Judgement, Outcome, Routing, Verdict


@dataclass(slots=True)
class VisitHistory:
    """One visit; of messages that came twice the first counts, of dispositions the first and the newest revision."""

    visit_id: str
    messages: list[Message]
    captures: dict[str, Capture] = field(default_factory=dict)
    inspections: dict[str, Inspection] = field(default_factory=dict)
    first: Disposition | None = None
    latest: Disposition | None = None
    decisions: dict[str, Decision] = field(default_factory=dict)
    escapes: list[Escape] = field(default_factory=list)
    """What the field reported of the part since it left by this visit."""
    written: list[WrittenAt] = field(default_factory=list)
    """Where each of the messages lies, where that is known."""

    @property
    def captured_ms(self) -> int | None:
        """When its first view was captured; None where nothing tells (only decisions or slots are known)."""
        times = [one.captured_ms for one in self.captures.values()]
        times += [one.captured_ms for one in self.inspections.values()]
        times += [self.latest.first_captured_ms] if self.latest else []
        return min(times, default=None)

    @property
    def line_id(self) -> str | None:
        """The line that its first witness names; None where nothing tells."""
        return next((one.line_id for one in self._witnesses()), None)

    @property
    def state(self) -> LineStateRef | None:
        """The line state pinned at its capture; None where nothing tells."""
        pinned = [one.line_state for one in self.captures.values()]
        pinned += [one.line_state for one in self._dispositions() if one.line_state is not None]
        return pinned[0] if pinned else None

    @property
    def is_simulated(self) -> bool:
        """Whether a simulation made it."""
        return any(one.is_simulated for one in self._witnesses())

    @property
    def is_known_bad(self) -> bool:
        """Whether it is a picture of a known defect that measures people, and no part."""
        causes = {cause for one in self._dispositions() for cause in one.causes}
        return Cause.KNOWN_BAD in causes or any(one.known_bad for one in self.captures.values())

    @property
    def is_returned(self) -> bool:
        """Whether the part came back: a first pass it is not."""
        return any(one.returned for one in self.captures.values()) or any(
            one.returned_from for one in self._dispositions()
        )

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Causes of the first routing."""
        return self.first.causes if self.first else ()

    @property
    def machine_rejected(self) -> bool:
        """Whether the machine called it defective: rejected, or withheld as a reject that a person reviews."""
        return self.first is not None and (
            self.first.routing is Routing.REJECTED or Cause.REJECT_REVIEW in self.first.causes
        )

    @property
    def network_passed(self) -> bool:
        """Whether the network called every view OK: what trust and audit then withhold counts of passes."""
        found = list(self.inspections.values())
        return bool(found) and all(one.verdict is Verdict.OK for one in found)

    @property
    def counted(self) -> list[Decision]:
        """The decisions that the newest disposition counts: undone and overruled ones are not among them."""
        names = self.latest.decision_ids if self.latest else ()
        return [self.decisions[name] for name in names if name in self.decisions]

    @property
    def found_good(self) -> bool:
        """Whether people accepted it: nothing is wrong with it."""
        return self._reviewed and self.latest is not None and self.latest.outcome is Outcome.ACCEPT

    @property
    def found_bad(self) -> bool:
        """Whether people found a defect, whatever became of the part then."""
        return self._reviewed and self.latest is not None and self.latest.outcome not in {None, Outcome.ACCEPT}

    @property
    def is_defective(self) -> bool:
        """Whether it counts as nonconforming: people found a defect, or the machine did and nobody overruled it."""
        return self.found_bad or (self.machine_rejected and not self.found_good)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to come of it."""
        return self.latest is not None and self.latest.final

    @property
    def passed_first(self) -> bool:
        """Whether it left as good at its first presentation: trusted, or accepted by people."""
        trusted = self.latest is not None and self.latest.routing is Routing.TRUSTED_PASS and not self.found_bad
        return self.is_settled and not self.is_returned and (trusted or self.found_good)

    @property
    def defect_class(self) -> str | None:
        """The class that people named, else the machine; None where nobody did."""
        named = [one.defect_class for one in self.counted if one.judgement is Judgement.NG and one.defect_class]
        named += [one.defect_class for one in self.inspections.values() if one.defect_class]
        return named[0] if named else None

    @property
    def cavity(self) -> str | None:
        """The mould cavity or nest that made it; None where nothing tells."""
        told = [one.cavity for one in self.captures.values()] + [one.cavity for one in self._dispositions()]
        return next((one for one in told if one is not None), None)

    @property
    def _reviewed(self) -> bool:
        return self.latest is not None and self.latest.final and bool(self.latest.decision_ids)

    def _witnesses(self) -> list[Capture | Disposition | Inspection]:
        return [*self.captures.values(), *self._dispositions(), *self.inspections.values()]

    def _dispositions(self) -> list[Disposition]:
        return [one for one in (self.first, self.latest) if one is not None]


def tell(visit_id: str, messages: list[Message], written: list[WrittenAt] | None = None) -> VisitHistory:
    """Put the messages of a visit together, in whatever order they come; `written` is where each of them lies."""
    story = VisitHistory(visit_id, messages, written=written or [])
    for message in messages:
        match message:
            case Capture():
                story.captures.setdefault(message.frame_id, message)
            case Inspection():
                story.inspections.setdefault(message.frame_id, message)
            case Disposition():
                if message.revision == 0 and story.first is None:
                    story.first = message
                if story.latest is None or story.latest.revision < message.revision:
                    story.latest = message
            case Decision():
                story.decisions.setdefault(message.decision_id, message)
            case Escape():
                story.escapes.append(message)
            case _:
                pass
    return story
