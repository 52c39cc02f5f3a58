"""From the topics to the document of an audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linewarden_replay.balance import Allowance
from linewarden_replay.notary.verifying import keys_in_heads, verify_namespace
from linewarden_replay.reports.gather import Looked, Unreadable, gather, messages, tell_visits
from linewarden_replay.reports.kappa import SOURCE as KAPPA
from linewarden_replay.reports.kappa import cohen
from linewarden_replay.reports.rates import INTERVAL, rate
from linewarden_replay.reports.shelf import Shelf
from linewarden_replay.selection import Selection
from linewarden_runtime.ports import Broker
from linewarden_schemas.base import Message
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation
from linewarden_schemas.operations import Balance
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.topics import CATALOGUE

from .conserving import Conservation
from .differences import read_rerun, with_pictures
from .tally import AuditTally
from .versions import bundles_used, in_force, recipes_used

SCHEMA = "linewarden.audit-report.v1"
ESCAPES = "escapes"
_MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Audit:
    """What to report and what with; `now_ms` is when it is made. `keys` are trusted public keys of the notary."""

    stretch: Selection
    now_ms: int
    keys: Collection[str] = ()
    bundles: Path | None = None
    rerun: Path | None = None
    simulated: bool = False
    allowance: Allowance | None = None


class _Source:
    """The namespace, with what could not be read of it."""

    def __init__(self, broker: Broker, namespace: Namespace, looked: Looked) -> None:
        self.broker, self.namespace, self._looked = broker, namespace, looked
        self.unreadable = Unreadable()

    def all_of(self, name: str, from_ms: int = 0) -> Iterator[Message]:
        topic = self.namespace.topic(name)
        return messages(self.broker, topic, from_ms, self.unreadable, self._looked)


def report(broker: Broker, namespace: Namespace, audit: Audit, looked: Looked = lambda *_: None) -> dict[str, Any]:
    """Read the namespace by assign() and report; nothing is written.

    Raises:
        ValueError: for a stored replay that is none.
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    rerun = None if audit.rerun is None else read_rerun(audit.rerun)
    source = _Source(broker, namespace, looked)
    tally = AuditTally(audit.simulated)
    conservation = _count(source, audit, tally, looked)
    if rerun is not None:
        rerun = with_pictures(rerun, source.all_of("evidence"))
    return {
        "schema": SCHEMA,
        "scope": _scope(source.namespace, audit, tally),
        "balance": conservation,
        "periods": _closed(source, audit.stretch),
        **_figures(tally),
        **_in_force(source, audit, tally),
        "notary": _notary(source, audit),
        "escapes": _escapes(source, audit.stretch),
        "rerun": rerun,
        "unreadable": {"count": source.unreadable.count, "places": source.unreadable.places},
    }


def _count(source: _Source, audit: Audit, tally: AuditTally, looked: Looked) -> dict[str, Any]:
    with Shelf() as shelf:
        source.unreadable = gather(source.broker, source.namespace, audit.stretch, shelf, looked)
        loose = shelf.messages_of("")
        conservation = Conservation(audit.now_ms, loose, source.unreadable, audit.allowance or Allowance())
        for story in tell_visits(shelf, audit.stretch):
            conservation.add(story)
            tally.add(story)
        return conservation.result(shelf)


def _scope(namespace: Namespace, audit: Audit, tally: AuditTally) -> dict[str, Any]:
    return {
        "namespace": namespace.name,
        "line_id": audit.stretch.line_id,
        "from_ms": audit.stretch.from_ms,
        "to_ms": audit.stretch.to_ms,
        "made_ms": audit.now_ms,
        "simulated": audit.simulated,
        "visits_by_state": dict(sorted(tally.by_state.items())),
        "left_out": dict(sorted(tally.left_out.items())),
    }


def _figures(tally: AuditTally) -> dict[str, Any]:
    counts = tally.counts
    caught, answered = counts["known_bads_caught"], counts["known_bads_answered"]
    return {
        "interval": INTERVAL,
        "production": counts["visits"],
        "rates": [one.as_dict() for one in tally.rates()],
        "routings": dict(sorted(tally.routings.items())),
        "diverted_by_cause": dict(sorted(tally.causes.items())),
        "outcomes": dict(sorted(tally.outcomes.items())),
        "agreement": cohen(tally.pairs).as_dict()
        | {
            "source": KAPPA,
            "people": len(tally.people),
            "judgements": counts["judgements"],
            "pairs": [[first, second, count] for (first, second), count in sorted(tally.pairs.items())],
        },
        "known_bads": {
            "shown": counts["known_bads"],
            "answered": answered,
            "catch": rate("catch_rate_of_answered_known_bads", caught, answered).as_dict(),
        },
        "thresholds": tally.threshold_rows(),
        "versions": [
            {"recipe": recipe, "bundle": bundle, "code": code, "device": device, "frames": count}
            for (recipe, bundle, code, device), count in sorted(tally.versions.items())
        ],
    }


def _in_force(source: _Source, audit: Audit, tally: AuditTally) -> dict[str, Any]:
    stretch = audit.stretch
    activations = [one for one in source.all_of("activations") if isinstance(one, Activation)]
    recipes = [one for one in source.all_of("recipes") if isinstance(one, Recipe)]
    frames: Counter[str] = Counter()
    for (_, bundle, _, _), count in tally.versions.items():
        frames[bundle] += count
    today = datetime.fromtimestamp(audit.now_ms / 1000, UTC).date().isoformat()
    return {
        "activations": in_force(activations, stretch.from_ms, stretch.to_ms, stretch.line_id),
        "recipes": recipes_used(recipes, {recipe for recipe, *_ in tally.versions}),
        "bundles": bundles_used(audit.bundles, frames, today),
    }


def _closed(source: _Source, stretch: Selection) -> list[dict[str, Any]]:
    """Closed periods of the conservation audit that reach into the range, with how many ids each kept open."""
    rows: list[dict[str, Any]] = []
    for one in source.all_of("balances"):
        if not isinstance(one, Balance) or stretch.line_id not in {None, one.line_id}:
            continue
        if one.to_ms >= stretch.from_ms and one.from_ms <= stretch.to_ms:
            sets = {name: len(getattr(one, name)) for name in ("lost", "doubled", "unknown", "open_ids")}
            counted = one.model_dump(mode="json", include={"line_id", "from_ms", "to_ms", "visits", "frames", "final"})
            rows.append(counted | sets)
    return rows[-_MOST_LISTED:]


def _notary(source: _Source, audit: Audit) -> dict[str, Any]:
    trusted = list(audit.keys) or keys_in_heads(source.broker, source.namespace)
    found = verify_namespace(source.broker, source.namespace, trusted)
    return {
        "holds": all(one.holds for one in found),
        "proven": bool(audit.keys),
        "heads": sum(one.heads for one in found),
        "partitions": [one.as_dict() for one in found],
    }


def _escapes(source: _Source, stretch: Selection) -> dict[str, Any] | None:
    """Parts found defective after they had left, as reported since; None where no topic holds such reports."""
    if ESCAPES not in CATALOGUE:
        return None
    count = 0
    listed: list[dict[str, Any]] = []
    for one in source.all_of(ESCAPES, stretch.from_ms):
        count += 1
        if len(listed) < _MOST_LISTED:
            listed.append(one.model_dump(mode="json", exclude_none=True))
    return {"count": count, "listed": listed}
