"""What the line tells: its state, and which recipe is active from when."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationError

from linewarden_schemas.base import Actor, Digest, EpochMs, Id, Message, MessagePart, Text
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.vocabulary import ChannelWord, LineMode, LockCause


class RecipeRef(MessagePart):
    """One immutable version of a recipe, and the digest of the content that is meant.

    A reference without a digest was made by an old writer.
    """

    recipe_id: Id
    version: int
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ID@VERSION or ID@VERSION@DIGEST; raises ValueError for anything else."""
        name, _, rest = text.partition("@")
        version, _, digest = rest.partition("@")
        if not version.isascii() or not version.isdigit():
            raise ValueError(f"{text!r} is no recipe: use ID@VERSION or ID@VERSION@DIGEST")
        try:
            return cls(recipe_id=name, version=int(version), digest=digest or None)
        except ValidationError as error:
            raise ValueError(f"{text!r} is no recipe: a digest has 64 characters, 0 to 9 and a to f") from error

    @property
    def name(self) -> str:
        """The version without its content, e.g. `bracket@3`."""
        return recipe_key(self.recipe_id, self.version)

    @property
    def short(self) -> str:
        """For people: the name, and where it is known the first twelve characters of the digest."""
        return self.name if self.digest is None else f"{self.name}@{self.digest[:12]}"

    def is_same(self, other: RecipeRef) -> bool:
        """Whether both mean one version, and name no two contents of it.

        One without a digest is the same as any; keep the sharper of the two before a third is compared.
        """
        return self.name == other.name and (None in (self.digest, other.digest) or self.digest == other.digest)

    def sharper(self, other: RecipeRef) -> RecipeRef:
        """Of two references to the same version this one, or the other where only that has a digest."""
        return other if self.digest is None and self.name == other.name else self


class LineLock(MessagePart):
    """Passing is locked since then, whatever the state; `lifted_by` is the lead who lifted it, None while it stands."""

    cause: LockCause
    since_ms: EpochMs
    actor: Actor
    detail: Text | None = None
    lifted_by: Actor | None = None
    lifted_ms: EpochMs | None = None
    lifted_reason: Text | None = None


class ChannelSignal(MessagePart):
    """The last word of a station's side channel, and when it came."""

    word: ChannelWord
    at_ms: EpochMs


class LineStateRef(MessagePart):
    """The line state pinned into a capture; `has_gate` says that a gate reports what it did with each visit."""

    mode: LineMode
    since_ms: EpochMs
    order_id: Id | None = None
    shift: Id | None = None
    has_gate: bool = False
    locked: bool = False

    @property
    def passes(self) -> bool:
        """Whether a part may pass on trust in this state."""
        return self.mode is LineMode.PRODUCTION and not self.locked


class LineState(Message):
    """A change of a line's state, order, lot, product, shift or locks, and whether a gate reports what it did.

    `target_rate` is how many parts a minute are planned. `locks` stand, `lifted` are those that this change lifts. From
    `valid_until_ms` on nothing passes by this state: a check with master parts is due then, or a bypass ends.
    `changeover_id` names the changeover that is under way, `key_holder` who opened the gate in a bypass by the plant's
    own key, and `resumes` the state to which a start from the side channel leads, None where a start leads nowhere.
    """

    TYPE: ClassVar[str] = "linewarden.line-state.v1"

    line_id: Id
    mode: LineMode
    since_ms: EpochMs
    actor: Actor
    order_id: Id | None = None
    lot_id: Id | None = None
    product_id: Id | None = None
    shift: Id | None = None
    target_rate: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = None
    reason: Text | None = None
    has_gate: bool = False
    locks: tuple[LineLock, ...] = ()
    lifted: tuple[LineLock, ...] = ()
    valid_until_ms: EpochMs | None = None
    changeover_id: Id | None = None
    key_holder: Actor | None = None
    resumes: LineMode | None = None

    def passes(self, at_ms: int | None = None) -> bool:
        """Whether a part may pass on trust in this state, also at that time (epoch ms) where one is given."""
        is_over = at_ms is not None and self.valid_until_ms is not None and self.valid_until_ms <= at_ms
        return self.mode is LineMode.PRODUCTION and not self.locks and not is_over

    def ref(self) -> LineStateRef:
        """The part of the state that a capture pins."""
        return LineStateRef(
            mode=self.mode,
            since_ms=self.since_ms,
            order_id=self.order_id,
            shift=self.shift,
            has_gate=self.has_gate,
            locked=bool(self.locks),
        )


class Activation(Message):
    """Which recipe, and with it which bundle, a line runs from when on, and who said so."""

    TYPE: ClassVar[str] = "linewarden.activation.v1"

    line_id: Id
    recipe: RecipeRef
    bundle_digest: Digest | None = None
    from_ms: EpochMs
    actor: Actor
    approved_by: Actor | None = None
    reason: Text | None = None
