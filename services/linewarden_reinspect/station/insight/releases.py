"""From an approved draft to a recipe version that runs, and back in one act; the records are the command line's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing

from linewarden_reinspect.station.errors import Conflict, NotRecorded
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.ports import Broker, Producer
from linewarden_runtime.provision import activation_record, recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import Recipe, Thresholds

from .drafts import Draft


class Releases:
    """One act at a time; each reads the topics afresh, so that what others published counts."""

    def __init__(
        self, broker: Broker, make_producer: Callable[[], Producer], namespace: Namespace, clock: Clock, ack_s: float
    ) -> None:
        self._broker, self._make, self._namespace = broker, make_producer, namespace
        self._clock, self._ack_s = clock, ack_s
        self._source = f"/{namespace.name}/station"
        self._turn = threading.Lock()

    def active(self, line_id: str) -> Activation | None:
        """What a line runs now; None where it never ran anything."""
        with closing(LineBook(self._broker, self._namespace)) as lines:
            return lines.activation(line_id, self._clock.now_ms())

    def before(self, line_id: str) -> Activation | None:
        """What a line ran before what it runs now; None where there is no such thing."""
        with closing(LineBook(self._broker, self._namespace)) as lines:
            now = lines.activation(line_id, self._clock.now_ms())
            return None if now is None else lines.activation(line_id, now.from_ms - 1)

    def release(self, draft: Draft, thresholds: Thresholds, approver: str, reason: str) -> Recipe:
        """Publish the draft's recipe with its thresholds as the next version, and activate it.

        Raises:
            Conflict: where the line runs another version than the draft was made for.
            NotRecorded: where Kafka does not confirm; what runs stays as it is unless the record arrived after all.
        """
        with self._turn, closing(RecipeBook(self._broker, self._namespace)) as book:
            base, active = book.get(draft.recipe), self.active(draft.line_id)
            if base is None or active is None or not active.recipe.is_same(draft.recipe):
                raise Conflict("The line runs another recipe version by now. Look at it again and make a new draft.")
            version = 1 + max(one.version for one in book.known() if one.recipe_id == base.recipe_id)
            recipe = self._changed(base, version, draft, thresholds, approver, reason)
            self._publish([recipe_record(self._namespace, recipe, self._source)])
            book.refresh()
            if book.get(recipe.ref()) != recipe:
                raise Conflict(f"{recipe.recipe_id}@{version} was published by somebody else meanwhile. Try again.")
            self._activate(draft.line_id, recipe, draft.author, approver, reason)
            return recipe

    def roll_back(self, line_id: str, actor: str, reason: str) -> Activation:
        """Run again what ran before. Raises Conflict where there is nothing before, NotRecorded."""
        with self._turn, closing(RecipeBook(self._broker, self._namespace)) as book:
            before = self.before(line_id)
            recipe = None if before is None else book.get(before.recipe)
            if recipe is None:
                raise Conflict("This line ran nothing before what it runs now.")
            return self._activate(line_id, recipe, actor, None, f"rolled back: {reason}")

    def _changed(
        self, base: Recipe, version: int, draft: Draft, thresholds: Thresholds, approver: str, reason: str
    ) -> Recipe:
        note = (
            f"qualification void: suspicion threshold {thresholds.suspicion:g} set by hand; "
            f"draft {draft.id} of {draft.author}, approved by {approver}: {reason}"
        )
        return base.model_copy(
            update={
                "version": version,
                "thresholds": thresholds,
                "created_ms": self._clock.now_ms(),
                "created_by": draft.author,
                "note": note[:2000],
            }
        )

    def _activate(self, line_id: str, recipe: Recipe, actor: str, approver: str | None, reason: str) -> Activation:
        activation = Activation(
            line_id=line_id,
            recipe=recipe.ref(),
            bundle_digest=recipe.bundle_digest,
            from_ms=self._clock.now_ms(),
            actor=actor,
            approved_by=approver,
            reason=reason,
        )
        self._publish([activation_record(self._namespace, activation, self._source)])
        return activation

    def _publish(self, records: Sequence[OutRecord]) -> None:
        try:
            with self._make() as producer:
                for delivery in [producer.send(record) for record in records]:
                    delivery.result(self._ack_s)
        except RuntimeFault as fault:
            raise NotRecorded(
                "Kafka does not confirm the change. Look at what the line runs before you repeat it."
            ) from fault
