"""From the topics to the document of an audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from linewarden_audit.audit import read_settings
from linewarden_audit.findings import Allowance
from linewarden_audit.ledger import AuditLedger
from linewarden_audit.notary.verify import ChainFault
from linewarden_audit.notary.verifying import Witness, keys_in_heads, verify_namespace
from linewarden_audit.periods import Closed, first_break, read_periods
from linewarden_audit.report.conserving import COUNTS, FAULTS, Conservation
from linewarden_audit.report.differences import SoughtFrames, read_rerun, with_pictures
from linewarden_audit.report.tally import AuditTally
from linewarden_audit.report.versions import bundles_used, in_force, recipes_used
from linewarden_domain.kappa import SOURCE as KAPPA
from linewarden_domain.kappa import cohen
from linewarden_domain.rates import INTERVAL, rate
from linewarden_history.reading import Looked
from linewarden_history.reports.gather import gather, messages, tell_visits
from linewarden_history.reports.rendering import render
from linewarden_history.reports.store import VisitStore
from linewarden_history.selection import Selection
from linewarden_runtime.ports import Broker
from linewarden_schemas.base import Message
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import Recipe

SCHEMA = "linewarden.audit-report.v2"


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to report and what with; `now_ms` is when it is made. `keys` are trusted public keys of the notary."""

    stretch: Selection
    now_ms: int
    keys: Collection[str] = ()
    bundles: Callable[[str], Mapping[str, Any]] | None = None
    """What stands behind a bundle, by its digest."""
    rerun: Path | None = None
    simulated: bool = False
    allowance: Allowance | None = None


def report(
    broker: Broker, namespace: Namespace, audit: AuditRequest, looked: Looked = lambda *_: None
) -> dict[str, Any]:
    """Read the namespace by assign() and report; nothing is written.

    Raises:
        ValueError: for a stored replay that is none.
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    rerun = None if audit.rerun is None else read_rerun(audit.rerun)
    tally, known = AuditTally(simulated=audit.simulated), AuditLedger()
    periods = read_periods(broker, namespace)
    ended = [one.period for one in periods if one.period.to_ms <= audit.stretch.from_ms and one.period.stretches]
    before = ended[-1] if ended else None
    sought = SoughtFrames(() if rerun is None else (one["frame_id"] for one in rerun["shown"]))
    with VisitStore() as store:
        unreadable, escapes = gather(broker, namespace, audit.stretch, store, looked, before)
        loose = store.messages_of("")
        read_settings(broker, namespace, known)
        conservation = Conservation(audit.now_ms, loose, unreadable, audit.allowance or Allowance(), known)
        for story in tell_visits(store, audit.stretch):
            conservation.add(story)
            tally.add(story)
            sought.add(story)
        balanced = conservation.result(store)

    def all_of(name: str) -> Iterator[Message]:
        return messages(broker, namespace.topic(name), 0, unreadable.add, looked)

    if rerun is not None:
        pictures = sought.pictures(broker, namespace.topic("frames"))
        rerun = with_pictures(rerun, chain(pictures, all_of("evidence")))
    return {
        "schema": SCHEMA,
        "scope": {
            "namespace": namespace.name,
            "line_id": audit.stretch.line_id,
            "from_ms": audit.stretch.from_ms,
            "to_ms": audit.stretch.to_ms,
            "made_ms": audit.now_ms,
            "simulated": audit.simulated,
            "visits_by_state": dict(sorted(tally.by_state.items())),
            "left_out": dict(sorted(tally.left_out.items())),
        },
        "balance": balanced | {"after_period": None if before is None else before.number},
        "periods": _closed(periods, audit),
        **_figures(tally),
        **_in_force(all_of, audit, tally),
        "notary": _notary(broker, namespace, audit),
        "escapes": tally.escapes.as_dict(tally.counts["visits"], escapes),
        "rerun": rerun,
        "unreadable": {"count": unreadable.count, "places": unreadable.places},
    }


def page(document: Mapping[str, Any]) -> str:
    """The report as one page; the same document gives the same page, byte for byte."""
    return render("audit.html.j2", document, counts_of=COUNTS, faults=FAULTS)


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


def _in_force(all_of: Callable[[str], Iterator[Message]], audit: AuditRequest, tally: AuditTally) -> dict[str, Any]:
    stretch = audit.stretch
    activations = [one for one in all_of("activations") if isinstance(one, Activation)]
    recipes = [one for one in all_of("recipes") if isinstance(one, Recipe)]
    frames: Counter[str] = Counter()
    for (_, bundle, _, _), count in tally.versions.items():
        frames[bundle] += count
    return {
        "activations": in_force(activations, stretch.from_ms, stretch.to_ms, stretch.line_id),
        "recipes": recipes_used(recipes, {recipe for recipe, *_ in tally.versions}),
        "bundles": bundles_used(frames, audit.bundles),
    }


def _closed(periods: Sequence[Closed], audit: AuditRequest) -> dict[str, Any]:
    """Closed periods that reach into the range, and whether all that were ever closed follow on each other."""
    told = ("number", "line_id", "from_ms", "to_ms", "visits", "frames", "final", "carried", "reopened", "closed_by")
    inside = [
        one
        for one in periods
        if one.period.to_ms >= audit.stretch.from_ms and one.period.from_ms <= audit.stretch.to_ms
    ]
    rows = [
        one.period.model_dump(mode="json", include=set(told))
        | {"left_open": len(one.period.open_ids), "signed": one.period.signature is not None, "digest": one.digest}
        for one in inside[-200:]
    ]
    return {"closed": len(periods), "broken": first_break(periods, audit.keys), "listed": rows}


def _notary(broker: Broker, namespace: Namespace, audit: AuditRequest) -> dict[str, Any]:
    trusted = list(audit.keys) or keys_in_heads(broker, namespace)
    found = verify_namespace(broker, namespace, trusted, Witness(audit.now_ms))
    heads = sum(one.heads for one in found.partitions)
    unsealed = all(one.finding is None or one.finding.fault is ChainFault.UNSEALED for one in found.partitions)
    return {
        "holds": found.holds or (not heads and not audit.keys and unsealed),
        "proven": bool(audit.keys),
        "heads": heads,
        "partitions": [one.as_dict() for one in found.partitions],
        "strays": found.strays,
    }
