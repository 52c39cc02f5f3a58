"""The queue in Redis or Valkey: one Lua script an operation, behind a clock and the common layout."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib.resources import files
from itertools import chain
from typing import Any

import redis

from linewarden_reinspect.queue.errors import LeaseLost, NotLive, QueueError, ViewDamaged, ViewMoved
from linewarden_reinspect.queue.types import (
    Ask,
    Change,
    Claim,
    Claimant,
    Demand,
    Ended,
    Lease,
    LineCount,
    NamedSlot,
    PoolCount,
    QueueSummary,
    SlotDump,
    SlotStatus,
    Standing,
    Terms,
    Transition,
    Why,
)
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.vocabulary import Skill

# So few that a beat stays short; a view of any size is gone through in turns.
_CHECKED = 250  # slots looked at with each beat
_REFUSALS: dict[str, type[QueueError]] = {
    "LEASE_LOST": LeaseLost,
    "NOT_LIVE": NotLive,
    "FOREIGN": ViewMoved,
    "ROLLED_BACK": ViewMoved,
    "DAMAGED": ViewDamaged,
}
# What the server refuses for a reason of its own begins with a word of its own, or is about rights.
_OTHERS = re.compile(r"[A-Z]{4,}\b|.*user executing the script")


class RedisQueue:
    """As `Queue` and `View` promise, with all keys under `prefix` (which carries a hash tag).

    Raises, from every call, redis.RedisError where the server does not answer.
    """

    def __init__(self, client: redis.Redis, prefix: str, terms: Terms | None = None, clock: str | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._terms = terms or Terms()
        folder = files(__package__)
        text = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name.endswith(".lua")}
        server_clock, layout = text.pop("time_server.lua"), text.pop("layout.lua")
        head = (clock or server_clock) + layout
        self._scripts = {name.removesuffix(".lua"): client.register_script(head + body) for name, body in text.items()}
        self._checked_to = 0

    def claim(self, claimant: Claimant, token: str, code: str = "") -> Claim:
        """Give the most urgent slot, or the one that was scanned."""
        terms, lines = self._terms, claimant.lines
        what, *answer = self._run(
            "claim", claimant.actor, token, terms.lease_ms, terms.max_expired_leases, int(claimant.lead), code,
            len(lines), *lines, *claimant.skills,
        )  # fmt: skip
        if _text(what) == "lease":
            return Claim(Lease(_slot(answer[2]), token, int(answer[1])))
        if _text(what) == "refused":
            return Claim(None, Why(_text(answer[0])), _text(answer[1]), int(answer[2]))
        return Claim(None)

    def renew(self, slot_id: str, token: str) -> Lease:
        """Lengthen a lease by Redis's clock, never beyond the longest hold. Raises LeaseLost."""
        until, _, parked, opened = self._run("renew", slot_id, token, self._terms.lease_ms, self._terms.max_hold_ms)
        return Lease(_slot(opened), token, int(until), _text(parked) or None)

    def release(self, slot_id: str, token: str) -> None:
        """Put the slot back where it stood before it was claimed. Raises LeaseLost."""
        self._run("release", slot_id, token)

    def skip(self, slot_id: str, token: str) -> SlotStatus:
        """Put it back, for a while not for this actor."""
        answer = self._run("skip", slot_id, token, self._terms.skip_ms, self._terms.max_skips)
        return SlotStatus(_text(answer))

    def park(self, slot_id: str, token: str, decision_id: str) -> None:
        """Keep it from everybody until its close, or for a while; twice for one decision is fine. Raises LeaseLost."""
        self._run("park", slot_id, token, decision_id, self._terms.park_ms)

    def reap(self, limit: int = 100) -> tuple[Ended, ...]:
        """Take back what ran out, mark what is overdue."""
        answer = self._run("reap", limit, self._terms.max_expired_leases)
        return tuple(
            Ended(slot_id, visit_id, actor, SlotStatus(was), SlotStatus(now))
            for slot_id, visit_id, actor, was, now in (map(_text, words) for words in answer)
        )

    def learn(self, actor: str, visit_id: str) -> None:
        """Remember that somebody was told of a visit."""
        key = self._known_by(visit_id)
        # A key of another type is damage; what it told is lost, and `knows` says yes as long as it lies there.
        if self._client.type(key) not in {b"set", "set", b"none", "none"}:
            self._client.unlink(key)
        # Together: a set without its time would stay for ever.
        with self._client.pipeline(transaction=True) as pipe:
            pipe.sadd(key, actor)
            pipe.expire(key, timedelta(days=30))
            pipe.execute()

    def knows(self, actor: str, visit_id: str) -> bool:
        """Whether somebody was told of a visit; yes where that cannot be read any more."""
        try:
            return bool(self._client.sismember(self._known_by(visit_id), actor))
        except redis.ResponseError as error:
            if _is_damage(error):
                return True
            raise

    def _known_by(self, visit_id: str) -> str:
        return f"{self._prefix}:knows:{visit_id}"

    def events(self, most: int = 500) -> tuple[Transition, ...]:
        """Give what is not told yet."""
        return tuple(
            Transition(
                _text(name),
                fields["slot"],
                fields["visit"],
                fields["event"],
                fields["actor"],
                int(fields["at"]),
                fields["cause"],
            )
            for name, words in self._run("events", most)
            for fields in [_fields(words)]
        )

    def told(self, event_ids: Sequence[str]) -> None:
        """Drop these events: they lie in Kafka. Unknown ones are no error."""
        if event_ids:
            self._run("told", *event_ids)

    def summary(self, most: int = 50) -> QueueSummary:
        """Tell what waits and who holds what."""
        now, live, revision, untold, lines, pools, demands, slots = self._run("summary", most)
        return QueueSummary(
            now_ms=int(now),
            live=live == 1,
            revision=_text(revision),
            lines={line: LineCount(**counts) for line, counts in json.loads(lines).items()},
            slots=tuple(_named(slot) for slot in json.loads(slots or "[]")),
            pools=tuple(PoolCount(**pool) for pool in json.loads(pools or "[]")),
            demands=tuple(Demand(**one | {"ask": Ask(one["ask"])}) for one in json.loads(demands or "[]")),
            untold=int(untold),
        )

    def revision(self) -> str:
        """Count of changes, as text."""
        return _text(self._client.get(f"{self._prefix}:rev") or b"0")

    def standing(self) -> Standing:
        """Tell where the view stands."""
        now, mode, *words = self._run_view("offsets")
        fields = _fields(words)
        topic_id, at = fields.pop("topic", None), int(fields.pop("at", "0"))
        offsets = {int(partition): int(offset) for partition, offset in fields.items()}
        return Standing(topic_id, _text(mode) == "live", int(now) - at, offsets)

    def apply(self, topic_id: str, changes: Sequence[Change], expected: Mapping[int, int]) -> dict[int, int]:
        """Take in records, pipelined, each with its offset in one step."""
        following = dict(expected)
        # No transaction: each record is one atomic step by itself, and what came before a culprit is to stay.
        pipe = self._client.pipeline(transaction=False)
        for change in changes:
            known = following.get(change.partition, 0)
            following[change.partition] = max(known, change.offset + 1)
            self._scripts["apply"]([self._prefix], _arguments(topic_id, change, known), client=pipe)
        for answer in pipe.execute(raise_on_error=False):
            if isinstance(answer, redis.ResponseError):
                raise _damage_or_refusal(answer) from answer
            if isinstance(answer, Exception):
                raise answer
        return {change.partition: following[change.partition] for change in changes}

    def beat(self, topic_id: str, expected: Mapping[int, int], gate_ms: int) -> None:
        """Look whether the view is whole, a part of it at each beat, and open it for claims."""
        # Before the gate is opened: a view that contradicts itself gives nothing away.
        self._checked_to = int(self._run_view("check", self._checked_to, _CHECKED))
        self._run_view("beat", topic_id, gate_ms, *chain.from_iterable(expected.items()))

    def wipe(self, topic_id: str, offsets: Mapping[int, int]) -> None:
        """Empty the view, to be filled from these offsets; closed for claims until the next beat."""
        self._checked_to = 0
        # From the first slot again, since none of those that were looked at is there any more.
        self._run_view("wipe", topic_id, *chain.from_iterable(offsets.items()))

    def dump(self) -> dict[str, SlotDump]:
        """Give everything that is kept."""
        dumped = {}
        for words in self._run("dump"):
            slot_id, status, due, opened, holder, expired, skips, late = map(_text, words)
            dumped[slot_id] = SlotDump(
                slot_id, SlotStatus(status), int(due), _slot(opened), holder, int(expired), int(skips), late == "1"
            )
        return dumped

    def _run(self, operation: str, *arguments: str | int) -> Any:  # noqa: ANN401 - Redis' answers are not typed
        try:
            return self._scripts[operation]([self._prefix], arguments)
        except redis.ResponseError as error:
            raise _refusal(error) from error

    def _run_view(self, operation: str, *arguments: str | int) -> Any:  # noqa: ANN401 - as above
        try:
            return self._scripts[operation]([self._prefix], arguments)
        except redis.ResponseError as error:
            raise _damage_or_refusal(error) from error


def _named(slot: dict[str, Any]) -> NamedSlot:
    # A list as its own text: an empty one has no form in Lua.
    told = {"state": SlotStatus(slot["state"]), "excluded": tuple(json.loads(slot["excluded"]))}
    return NamedSlot(**slot | told)


def _refusal(error: redis.ResponseError) -> Exception:
    """The queue's own error that a script answered with, or the error itself."""
    text = str(error)
    return next((kind(text) for word, kind in _REFUSALS.items() if word in text), error)


def _is_damage(error: redis.ResponseError) -> bool:
    """Whether a script failed over what it found, and not for what the server can or will not do now."""
    text = str(error)
    if text.startswith("WRONGTYPE"):
        return True
    return type(error) is redis.ResponseError and "user_script" in text and not _OTHERS.match(text)


def _damage_or_refusal(error: redis.ResponseError) -> Exception:
    return ViewDamaged(str(error)) if _is_damage(error) else _refusal(error)


def _arguments(topic_id: str, change: Change, expected: int) -> list[str | int]:
    head: list[str | int] = [topic_id, change.partition, expected, change.offset]
    if change.closed is not None:
        return [*head, "close", change.closed, change.by, change.why]
    if change.opened is None:
        return [*head, "none", ""]
    slot = change.opened
    return [
        *head, "open", slot.slot_id, slot.visit_id, slot.line_id, slot.due_ms, slot.opened_ms,
        "lead" if slot.skill is Skill.LEAD else "operator", slot.needs or "", slot.recipe.recipe_id,
        slot.part_id or "", slot.bin_slot or "", json.dumps(slot.excluded_actors), slot.to_json().decode(),
        slot.capacity_per_hour or 0, slot.max_age_ms or "", slot.causes[0].value,
    ]  # fmt: skip


def _fields(words: Sequence[bytes]) -> dict[str, str]:
    return dict(zip(map(_text, words[::2]), map(_text, words[1::2]), strict=True))


def _slot(raw: bytes | str) -> SlotOpen:
    return SlotOpen.from_json(raw.encode() if isinstance(raw, str) else raw)


def _text(raw: bytes | str | None) -> str:
    return raw.decode() if isinstance(raw, bytes) else (raw or "")
