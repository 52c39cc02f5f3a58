"""From an approved draft to a recipe version that runs, and back in one act; the records are the command line's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing

from linewarden_domain.judgeable import BundleFacts, refusals
from linewarden_reinspect.station.errors import Conflict, NotRecorded
from linewarden_reinspect.station.insight.drafts import Draft
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import activation_record, recipe_record
from linewarden_runtime.publishing import Decide, next_version, publish_in_turn
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import Recipe, Thresholds


class Releases:
    """One act at a time, each in a turn of its own among all who publish: what others published counts."""

    def __init__(self, broker: Broker, namespace: Namespace, clock: Clock) -> None:
        self._broker, self._namespace, self._clock = broker, namespace, clock
        self._source = namespace.source("station")
        self._turn = threading.Lock()

    def active(self, line_id: str) -> Activation | None:
        """What a line runs now; None where it never ran anything."""
        with closing(LineBook(self._broker, self._namespace)) as lines:
            return lines.activation(line_id, self._clock.now_ms())

    def before(self, line_id: str) -> Activation | None:
        """What a line ran before what it runs now; None where there is no such thing."""
        with closing(LineBook(self._broker, self._namespace)) as lines:
            now = lines.activation(line_id, self._clock.now_ms())
            told = lines.activations(line_id)
        return None if now is None else next(iter(told[told.index(now) + 1 :]), None)

    def release(self, draft: Draft, thresholds: Thresholds, approver: str, reason: str) -> Recipe:
        """Publish the draft's recipe with its thresholds as the next version, and activate it, both or neither.

        Raises:
            Conflict: where the line runs another version than the draft was made for, or one that no line can judge.
            NotRecorded: where Kafka does not confirm; what runs stays as it is unless the records arrived after all.
        """
        made: list[Recipe] = []

        def decide(book: RecipeBook) -> Sequence[OutRecord]:
            base, active = book.all.get(draft.recipe), self.active(draft.line_id)
            if made and active is not None and active.recipe == made[-1].ref():
                return []  # the turn before was not confirmed, and still came through
            if base is None or active is None or not active.recipe.is_same(draft.recipe):
                raise Conflict("problem.other_version")
            version = next_version(book.all, base.recipe_id)
            made.append(self._changed(base, version, draft, thresholds, approver, reason))
            # The bundle stays, and whoever published the base looked whether it tells these classes.
            told = BundleFacts(classes=tuple(one.defect_class for one in base.criteria if one.defect_class))
            wrong = refusals(made[-1], told)
            if wrong:
                raise Conflict("problem.unjudgeable", why="; ".join(wrong))
            activation = self._activation(draft.line_id, made[-1], draft.author, approver, reason)
            return [
                recipe_record(self._namespace, made[-1], self._source),
                activation_record(self._namespace, activation, self._source),
            ]

        self._publish(decide)
        return made[-1]

    def roll_back(self, line_id: str, actor: str, reason: str) -> Activation:
        """Run again what ran before.

        Raises:
            Conflict: where there is nothing before, or somebody else activated something since this was called.
            NotRecorded: as `release`.
        """
        seen, before = self.active(line_id), self.before(line_id)
        made: list[Activation] = []

        def decide(book: RecipeBook) -> Sequence[OutRecord]:
            active = self.active(line_id)
            if made and active == made[-1]:
                return []  # the turn before was not confirmed, and still came through
            if active != seen:
                raise Conflict("problem.other_change")
            recipe = None if before is None else book.all.get(before.recipe)
            if recipe is None:
                raise Conflict("problem.nothing_before")
            made.append(self._activation(line_id, recipe, actor, None, f"rolled back: {reason}"))
            return [activation_record(self._namespace, made[-1], self._source)]

        self._publish(decide)
        return made[-1]

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

    def _activation(self, line_id: str, recipe: Recipe, actor: str, approver: str | None, reason: str) -> Activation:
        return Activation(
            line_id=line_id,
            recipe=recipe.ref(),
            bundle_digest=recipe.bundle_digest,
            from_ms=self._clock.now_ms(),
            actor=actor,
            approved_by=approver,
            reason=reason,
        )

    def _publish(self, decide: Decide) -> None:
        try:
            with self._turn:
                publish_in_turn(self._broker, self._namespace, decide, self._source)
        except RuntimeFault as fault:
            raise NotRecorded("problem.change_unconfirmed") from fault
