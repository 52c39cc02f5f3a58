"""For tests of an output, also your own kind: onward around it, on a broker in memory, turned by hand."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, TypeVar

from linewarden_onward.bootstrap import opened_loop
from linewarden_onward.options import OutputOptions
from linewarden_onward.settings import FirstStart, OnwardOptions
from linewarden_runtime.clock import Clock, ManualClock
from linewarden_runtime.events import event_record
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Closing
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace, visit_id
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.operations import Actuation, DeadLetter, OutputState
from linewarden_schemas.vocabulary import LineMode, Routing

NAMESPACE = Namespace("trial")
PARTITIONS = 2
BUDGET_MS = 2_000
"""From trigger to decide-by."""
M = TypeVar("M", bound=Message)


def decided(number: int, at_ms: int, routing: Routing = Routing.TRUSTED_PASS, **changes: Any) -> Disposition:  # noqa: ANN401 - any field
    """What route says of visit `number`, triggered at `at_ms`: revision 0, a real part, in production."""
    fields: dict[str, Any] = {
        "visit_id": visit_id("line1", "st1", at_ms, number),
        "revision": 0,
        "routing": routing,
        "final": routing is Routing.TRUSTED_PASS,
        "line_id": "line1",
        "recipe": RecipeRef(recipe_id="trial", version=1),
        "line_state": LineStateRef(mode=LineMode.PRODUCTION, since_ms=1),
        "first_captured_ms": at_ms,
        "decide_by_ms": at_ms + BUDGET_MS,
        "decided_ms": at_ms,
    }
    return Disposition(**(fields | changes))


class TrialPlant(Closing):
    """Line `line1` with one output; one made with another's broker takes its output over."""

    def __init__(
        self,
        options: OutputOptions,
        broker: MemoryBroker | None = None,
        clock: Clock | None = None,
        **settings: Any,  # noqa: ANN401 - fields of OnwardOptions
    ) -> None:
        self.clock = clock or (broker.clock if broker else ManualClock())
        self.broker = broker or MemoryBroker(self.clock)
        provision_topics(self.broker.admin(), NAMESPACE, PARTITIONS)
        self.health, self.stop = Health(self.clock), Stop()
        self._group = NAMESPACE.group(f"onward-{options.output_id}")
        onward = OnwardOptions(output=options, **{"start": FirstStart.EARLIEST, **settings})
        self._opened = ExitStack()
        self.loop = self._opened.enter_context(
            opened_loop(self.broker, NAMESPACE, onward, options, self.clock, self.health, self.stop, idle_poll_s=0.0)
        )
        self._opened.callback(self.loop.teller.close)

    def decide(self, *dispositions: Disposition) -> None:
        """Let route say these now."""
        for one in dispositions:
            record = event_record(
                NAMESPACE.topic("dispositions"),
                one.visit_id,
                one,
                id=f"{one.visit_id}.{one.revision}",
                source="/trial",
                time_ms=one.decided_ms,
                partition=partition_of(one.visit_id, PARTITIONS),
            )
            self.broker.append(record)

    def passed(self, number: int, **changes: Any) -> Disposition:  # noqa: ANN401 - any field
        """Let route pass visit `number`, which was triggered now; what it said."""
        said = decided(number, self.clock.now_ms(), **changes)
        self.decide(said)
        return said

    def turn(self, times: int = 3) -> None:
        """Turn the loop and the output's thread, one after the other: three times tell and commit what is there."""
        for _ in range(times):
            self.loop.step()
            self.loop.teller.turn()

    def committed(self) -> int:
        """How many dispositions the group has behind it."""
        offsets = self.broker.admin().committed(self._group)
        return sum(offsets.get(Position(NAMESPACE.topic("dispositions"), number), 0) for number in range(PARTITIONS))

    def actuations(self) -> list[Actuation]:
        """What was written of the gate."""
        return self._messages("actuations", Actuation)

    def states(self) -> list[OutputState]:
        """Every word of who acts for the output."""
        return self._messages("outputs", OutputState)

    def letters(self) -> list[DeadLetter]:
        """What was given up, with its cause."""
        return self._messages("dead-letters", DeadLetter)

    def close(self) -> None:
        """Close the output and the clients."""
        self._opened.close()

    def _messages(self, topic: str, kind: type[M]) -> list[M]:
        found = (decode(one.headers, one.value).message for one in self.broker.records(NAMESPACE.topic(topic)))
        return [one for one in found if isinstance(one, kind)]
