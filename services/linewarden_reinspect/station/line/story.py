"""The whole story of a part in words and pictures, as far as whoever asks may be told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from linewarden_reinspect.station.line.parts import SeenPart, SeenView
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.reason import Reason

LAYERS = ("mask", "specific", "agnostic")


@dataclass(frozen=True, slots=True)
class StoryStep:
    """Something that happened: `key` of its words with `values`, who did it, and sentences below it. Epoch ms."""

    at_ms: int
    key: str
    values: dict[str, object] = field(default_factory=dict)
    actor: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryView:
    """One view: its picture, and where it may be told what was seen of it, with the maps there may be."""

    frame_id: str
    view_id: str
    camera_id: str
    lost: str = ""
    verdict: str = ""
    p_defect: float | None = None
    suspicion: float | None = None
    reasons: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


Worded = Callable[[str, Reason | None], str]
"""A reason's sentence, by its code where there is one, in a language."""


def views_of(part: SeenPart, worded: Worded, *, told: bool) -> list[StoryView]:
    """Views by name; without `told` the plain pictures alone."""
    views = sorted(part.views.values(), key=lambda one: (one.view_id, one.frame_id))
    return [_view(one, worded, told=told) for one in views]


def steps_of(
    part: SeenPart, events: Sequence[dict[str, Any]], worded: Worded, name_of: Callable[[str], str], *, told: bool
) -> list[StoryStep]:
    """What happened in order; without `told` that it was captured, and that people have it."""
    steps = [StoryStep(part.captured_ms, "captured", {"count": len(part.views)})]
    if not told:
        first = part.revisions.get(0)
        return steps if first is None else [*steps, StoryStep(first.decided_ms, "withheld")]
    inspected = [view.inspection for view in part.views.values() if view.inspection is not None]
    if inspected:
        devices = ", ".join(sorted({one.device or "" for one in inspected} - {""}))
        values: dict[str, object] = {"count": len(inspected), "device": devices or "—"}
        steps.append(StoryStep(max(one.inspected_ms for one in inspected), "inspected", values))
    steps += [_routed(one, worded, name_of) for one in part.revisions.values()]
    steps += [_happened(one, name_of) for one in events]
    return sorted(steps, key=lambda one: one.at_ms)


def _view(view: SeenView, worded: Worded, *, told: bool) -> StoryView:
    lost = view.capture.lost.value if view.capture is not None and view.capture.lost is not None else ""
    seen = view.inspection
    if not told or seen is None:
        return StoryView(view.frame_id, view.view_id, view.camera_id, lost)
    reasons = [worded(sentence, reason) for sentence, reason in _pairs(seen)]
    return StoryView(
        view.frame_id,
        view.view_id,
        view.camera_id,
        lost,
        verdict=seen.verdict.value,
        p_defect=seen.p_defect,
        suspicion=seen.suspicion,
        reasons=tuple(dict.fromkeys(reasons)),
        defects=tuple(_defect(seen, place) for place in range(len(seen.defects or ()))),
        layers=LAYERS,
    )


def _defect(seen: Inspection, place: int) -> str:
    one = (seen.defects or ())[place]
    words = [one.defect_class or "", f"{one.length_mm:.2f} mm", f"{one.area_mm2:.2f} mm²", ", ".join(one.zones)]
    return " · ".join(word for word in words if word)


def _routed(one: Disposition, worded: Worded, name_of: Callable[[str], str]) -> StoryStep:
    reasons = tuple(dict.fromkeys(worded(sentence, reason) for sentence, reason in _pairs(one)))
    if one.revision == 0:
        causes = ", ".join(cause.value for cause in one.causes)
        return StoryStep(one.decided_ms, f"routed.{one.routing.value}", {"causes": causes or "—"}, "", reasons)
    more = (*((one.alarm,) if one.alarm else ()), *(reasons if one.outcome is None else ()))
    who = ", ".join(name for actor in one.actors if (name := name_of(actor)))
    if one.outcome is None:
        return StoryStep(one.decided_ms, "revised", {"routing": one.routing.value}, who, more)
    values: dict[str, object] = {"outcome": one.outcome.value, "concession": one.concession or "—"}
    return StoryStep(one.decided_ms, "settled", values, who, more)


def _happened(one: dict[str, Any], name_of: Callable[[str], str]) -> StoryStep:
    words = [one["judgement"], one["detail"]]
    values: dict[str, object] = {"kind": one["kind"]}
    return StoryStep(one["at_ms"], "happened", values, name_of(one["actor"]), tuple(word for word in words if word))


def _pairs(of: Inspection | Disposition) -> list[tuple[str, Reason | None]]:
    coded: list[Reason | None] = list(of.reasons_coded[: len(of.reasons)])
    coded += [None] * (len(of.reasons) - len(coded))
    return list(zip(of.reasons, coded, strict=True))
