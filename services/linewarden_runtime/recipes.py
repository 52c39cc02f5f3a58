"""What the topic `recipes` says, as an answer that is the same before and after compaction.

A version is known where exactly one content of it is published and nothing about it is in doubt. Each record counts
as the newest of its key, since that is what compaction leaves, so a process that stayed up and one that read the topic
from its beginning come to the same answer. Under a key without a digest, as older software wrote it, compaction may
drop the older of two contents: whoever saw both knows that they contradict, and whoever publishes gives both a key of
their own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.metrics import RECIPE_FAILURES
from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe

_SHORT = 12
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RecipeVersion:
    """What is published under one id and version: its contents by digest, and what makes it doubtful, in words."""

    name: str
    contents: Mapping[str, Recipe] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why nobody may judge by this version; None where it has one content and no doubt."""
        if self.doubts:
            return "; ".join(self.doubts)
        if len(self.contents) == 1:
            return None
        if not self.contents:
            return "was never published"
        digests = " and ".join(digest[:_SHORT] for digest in self.contents)
        return f"was published with {len(self.contents)} contents ({digests})"


@dataclass(frozen=True, slots=True)
class KnownRecipes:
    """Every version that was published, as it is known at one moment. `by_digest` refuses references without one."""

    versions: Mapping[str, RecipeVersion] = field(default_factory=dict)
    by_digest: bool = False

    def get(self, ref: RecipeRef) -> Recipe | None:
        """The one content of a version; None where `problem` has an answer."""
        if self.problem(ref) is not None:
            return None
        return next(iter(self.versions[ref.name].contents.values()))

    def named(self, ref: RecipeRef) -> Recipe | None:
        """The content that a reference names by its digest, also where its version is in doubt: no pass rests on it.

        Without a digest it is, of all contents of the version, the one that asks for most reviews.
        """
        version = self.versions.get(ref.name) or RecipeVersion(ref.name)
        if ref.digest is not None:
            return version.contents.get(ref.digest)
        return max(version.contents.values(), key=lambda one: one.review.reviews_required, default=None)

    def problem(self, ref: RecipeRef) -> str | None:
        """Why a reference means no content that anybody could judge by, in words; None where it means one."""
        version = self.versions.get(ref.name) or RecipeVersion(ref.name)
        if version.problem is not None:
            return f"recipe {ref.name} {version.problem}"
        if ref.digest is None:
            return f"recipe {ref.name} is named without the digest of its content" if self.by_digest else None
        if ref.digest not in version.contents:
            published = next(iter(version.contents))
            return f"recipe {ref.short} is not what was published as {ref.name} ({published[:_SHORT]})"
        return None

    def known(self) -> list[Recipe]:
        """Every version that is known, in the order of publication."""
        return [next(iter(one.contents.values())) for one in self.versions.values() if one.problem is None]

    def by_key(self) -> dict[str, Recipe]:
        """The known versions by ID@VERSION, and every content that was ever published by ID@VERSION@DIGEST."""
        contents = {
            f"{one.name}@{digest}": recipe for one in self.versions.values() for digest, recipe in one.contents.items()
        }
        return {recipe_key(one.recipe_id, one.version): one for one in self.known()} | contents


@dataclass(frozen=True, slots=True)
class _KeyState:
    """What one key of the topic says: contents by digest, or what is wrong with it, and of which versions."""

    contents: Mapping[str, Recipe] = field(default_factory=dict)
    wrong: str | None = None
    doubted: frozenset[str] = frozenset()


class RecipeRecords:
    """Learns the records of the topic, in their order."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _KeyState] = {}

    def learn(self, record: InRecord) -> str | None:
        """Take a record in; what is wrong with it, in words, where anything is."""
        key = record.key or b""
        if record.value is None:
            self._entries.pop(key, None)
            return None
        entry = _entry(record, self._entries.get(key))
        self._entries.pop(key, None)  # a version is as old as its newest record, also after compaction
        self._entries[key] = entry
        return entry.wrong

    def unkeyed(self) -> list[Recipe]:
        """Contents that lie under a key without their digest alone, so that compaction could drop one of them."""
        contents = [one for entry in self._entries.values() for one in entry.contents.items()]
        return [
            recipe
            for digest, recipe in contents
            if recipe_key(recipe.recipe_id, recipe.version, digest).encode() not in self._entries
        ]

    def snapshot(self, *, by_digest: bool = False) -> KnownRecipes:
        """What is known now, unchanged by later records, so that it can be handed to other threads."""
        contents: dict[str, dict[str, Recipe]] = {}
        doubts: dict[str, list[str]] = {}
        for entry in self._entries.values():
            for digest, recipe in entry.contents.items():
                contents.setdefault(recipe_key(recipe.recipe_id, recipe.version), {})[digest] = recipe
            for name in entry.doubted:
                doubts.setdefault(name, []).append(entry.wrong or "")
        names = dict.fromkeys((*contents, *doubts))
        versions = {name: RecipeVersion(name, contents.get(name, {}), tuple(doubts.get(name, ()))) for name in names}
        return KnownRecipes(versions, by_digest)


def _entry(record: InRecord, before: _KeyState | None) -> _KeyState:
    key = (record.key or b"").decode(errors="replace")
    parts = re.fullmatch(r"(?P<name>[A-Za-z0-9._-]{1,128}@[0-9]+)(?:@(?P<digest>.*))?", key, re.DOTALL)
    told = frozenset() if parts is None else frozenset({parts["name"]})
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError as error:
        return _KeyState(wrong=f"has a record that cannot be read (offset {record.offset}): {error}", doubted=told)
    if not isinstance(message, Recipe):
        return _KeyState(wrong=f"has a record of {message.TYPE} (offset {record.offset})", doubted=told)
    name, digest = recipe_key(message.recipe_id, message.version), message.digest()
    if parts is None or parts["name"] != name:
        wrong = f"has a record under the key {key!r} (offset {record.offset})"
        return _KeyState(wrong=wrong, doubted=told | {name})
    if parts["digest"] is None:
        return _KeyState({**(before.contents if before else {}), digest: message})
    if parts["digest"] != digest:
        wrong = f"has a record whose content is {digest[:_SHORT]}, not what its key says (offset {record.offset})"
        return _KeyState(wrong=wrong, doubted=told)
    return _KeyState({digest: message})


@dataclass(frozen=True, slots=True)
class _CachedRecipe:
    recipe: Recipe | None
    learnt_s: float
    until_s: float


class PatientRecipes:
    """Recipes by reference over something that asks the log, for any thread, without asking at every record.

    An answer is kept for `retry_s`, so that a second content of a version is seen that soon. `glance` answers by
    what has arrived, without waiting for the broker; it is asked about a recipe that is known, `get` every `look_s`.
    Where the broker does not answer, what was known stays so for `stale_s`; after that the recipe is unknown.
    """

    def __init__(
        self,
        get: Callable[[RecipeRef], Recipe | None],
        clock: Clock,
        retry_s: float = 1.0,
        stale_s: float = 60.0,
        *,
        glance: Callable[[RecipeRef], Recipe | None] | None = None,
        look_s: float = 15.0,
        named: Callable[[RecipeRef], Recipe | None] = lambda _: None,
    ) -> None:
        self._named = named
        self._get, self._clock, self._retry_s, self._stale_s = get, clock, retry_s, stale_s
        self._glance, self._look_s = glance, look_s
        self._answers: Bounded[tuple[str, str | None], _CachedRecipe] = Bounded(1000)
        self._lock = threading.Lock()

    def __call__(self, ref: RecipeRef) -> Recipe | None:
        """The recipe; None while it is unknown."""
        key = ref.name, ref.digest
        with self._lock:
            known = self._answers.get(key)
            if known is None or self._clock.monotonic() >= known.until_s:
                known = self._answers[key] = self._ask(ref, known)
            return known.recipe

    def named(self, ref: RecipeRef) -> Recipe | None:
        """The content that a reference names, by what has arrived, also where nobody may judge by its version."""
        with self._lock:
            return self._named(ref)

    def _ask(self, ref: RecipeRef, before: _CachedRecipe | None) -> _CachedRecipe:
        begun_s = self._clock.monotonic()
        is_fresh = before is not None and begun_s - before.learnt_s < self._look_s
        if self._glance is not None and before is not None and before.recipe is not None and is_fresh:
            return _CachedRecipe(self._glance(ref), before.learnt_s, begun_s + self._retry_s)
        try:
            return _CachedRecipe(self._get(ref), begun_s, begun_s + self._retry_s)
        except BrokerUnavailable as error:
            RECIPE_FAILURES.inc()
            _log.warning("a recipe may be stale", recipe=ref.short, error=str(error))
            now_s = self._clock.monotonic()
            # An outage must not take the time of whoever asks: the longer the broker was waited for, the later again.
            until_s = now_s + self._retry_s + 10.0 * (now_s - begun_s)
            if before is None or now_s - before.learnt_s > self._stale_s:
                return _CachedRecipe(None, begun_s, until_s)
            return _CachedRecipe(before.recipe, before.learnt_s, min(until_s, before.learnt_s + self._stale_s))
