"""The line that a reader of a guide has already: its environment, what is captured, and what is decided."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from linewarden_onward.testing import decided
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.events import event_record
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Closing
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import activation_record, line_state_record, recipe_record
from linewarden_schemas.capture import Capture
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import ViewSpec
from tests.support.topics import Watcher, provisioned, publish
from tests.unit.ingest.lines import STATE, recipe

_PARTITIONS = 4
_DEADLINE_S = 90.0


class FollowedLine(Closing):
    """A line in `namespace` in production, whose recipe expects the view `top` of `cam0`, and on which nothing runs."""

    def __init__(self, server: EmbeddedBroker, broker: KafkaBroker, namespace: Namespace, folder: Path) -> None:
        self._broker, self._namespace, self._said = broker, namespace, 0
        provisioned(broker, namespace, _PARTITIONS)
        views = (ViewSpec(view_id="top", camera_id="cam0"),)
        made = recipe().model_copy(update={"views": views})
        activation = Activation(line_id="line1", recipe=made.ref(), from_ms=0, actor="test")
        publish(
            broker,
            recipe_record(namespace, made, "/test"),
            activation_record(namespace, activation, "/test"),
            line_state_record(namespace, STATE, "/test"),
        )
        self.health_port = free_port()
        told = server.settings(6_000).model_dump(mode="json", exclude_defaults=True)
        self.environment = {
            **{f"LINEWARDEN_KAFKA__{name.upper()}": str(value) for name, value in told.items()},
            "LINEWARDEN_NAMESPACE": namespace.name,
            "LINEWARDEN_ONWARD__START": "earliest",  # what is decided while an output starts is waited for as well
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(folder / "spool"),
            "LINEWARDEN_HEALTH_PORT": str(self.health_port),
        }
        self._captures = Watcher(broker, namespace.topic("captures"), Capture)

    def captured(self, done: Callable[[list[Capture]], bool]) -> list[Capture]:
        """Wait until what was captured is what a guide promises."""
        return self._captures.wait_for(done, _DEADLINE_S)

    def decide(self) -> str:
        """Let route pass one more visit; its id."""
        clock = SystemClock()
        self._said += 1
        at_ms = clock.now_ms()
        one = decided(self._said, at_ms, decide_by_ms=at_ms + 600_000)
        topic, place = self._namespace.topic("dispositions"), partition_of(one.visit_id, _PARTITIONS)
        publish(
            self._broker,
            event_record(
                topic, one.visit_id, one, id=f"{one.visit_id}.0", source="/test", time_ms=at_ms, partition=place
            ),
        )
        return one.visit_id

    def close(self) -> None:
        """Read nothing more."""
        self._captures.__exit__(None, None, None)
