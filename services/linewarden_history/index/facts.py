"""What a message adds to the index, as statements with their values; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linewarden_history.maps import digest_of
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.decision import Decision, QueueEvent
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.escape import Escape
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.operations import Actuation, DeadLetter
from linewarden_schemas.vocabulary import Act

TOPICS = (
    "captures", "inspections", "dispositions", "reinspections",
    "decisions", "queue-events", "actuations", "dead-letters", "escapes",
)  # fmt: skip
"""What an index follows; pictures stay where they are."""

Statement = tuple[str, dict[str, Any]]
_VISIT = """
INSERT INTO visits (visit_id, line_id, station_id, part_id, lot_id, product_id, recipe, recipe_id, captured_ms, mode,
  known_bad, returned_from, simulated, recipe_digest)
VALUES (:visit_id, :line_id, :station_id, :part_id, :lot_id, :product_id, :recipe, :recipe_id, :captured_ms, :mode,
  :known_bad, :returned_from, :simulated, :recipe_digest)
ON CONFLICT (visit_id) DO UPDATE SET
  line_id = COALESCE(line_id, excluded.line_id), station_id = COALESCE(station_id, excluded.station_id),
  part_id = COALESCE(part_id, excluded.part_id), lot_id = COALESCE(lot_id, excluded.lot_id),
  product_id = COALESCE(product_id, excluded.product_id), recipe = COALESCE(recipe, excluded.recipe),
  recipe_id = COALESCE(recipe_id, excluded.recipe_id), recipe_digest = COALESCE(recipe_digest, excluded.recipe_digest),
  mode = COALESCE(mode, excluded.mode),
  captured_ms = MIN(COALESCE(captured_ms, excluded.captured_ms), COALESCE(excluded.captured_ms, captured_ms)),
  known_bad = MAX(COALESCE(known_bad, 0), COALESCE(excluded.known_bad, 0)),
  returned_from = COALESCE(returned_from, excluded.returned_from),
  simulated = MAX(COALESCE(simulated, 0), COALESCE(excluded.simulated, 0))
"""
"""What is known stays, what is missing is filled in: topics are read in any order, and parts of them twice."""
_FRAME = """
INSERT INTO frames (visit_id, frame_id, view_id, camera_id, lost, sha256)
VALUES (:visit_id, :frame_id, :view_id, :camera_id, :lost, :sha256)
ON CONFLICT (visit_id, frame_id) DO UPDATE SET lost = COALESCE(lost, excluded.lost),
  sha256 = COALESCE(sha256, excluded.sha256)
"""


def statements_of(record: InRecord, logical: str, message: Message) -> list[Statement]:
    """Statements for one record of the topic `logical`; none for a message that is about no visit and no part."""
    place = {"partition": record.partition, "offset": record.offset}
    if isinstance(message, Escape):  # the newest report of an escape counts; all of one serial lie in one partition
        escape = """
            INSERT INTO escapes (escape_id, part_id, visit_id, withdrawn, partition, offset, told)
            VALUES (:escape_id, :part_id, :visit_id, :withdrawn, :partition, :offset, :told)
            ON CONFLICT (escape_id) DO UPDATE SET part_id = excluded.part_id, visit_id = excluded.visit_id,
              withdrawn = excluded.withdrawn, partition = excluded.partition, offset = excluded.offset,
              told = excluded.told
            WHERE excluded.offset > offset
        """
        values = message.model_dump(include={"escape_id", "part_id", "visit_id", "withdrawn"}) | place
        return [(escape, values | {"told": message.model_dump_json(exclude_none=True)})]
    told = _TOLD.get(type(message))
    if told is None:
        return []
    kind, at_ms, actor, facts = told(message)
    visit_id = getattr(message, "visit_id", None)
    if visit_id is None:
        return []
    entry = {
        "visit_id": visit_id,
        "topic": logical,
        "partition": record.partition,
        "offset": record.offset,
        "at_ms": at_ms,
        "kind": kind,
        "actor": actor,
        "told": message.model_dump_json(
            exclude_none=True, exclude=dict.fromkeys(("maps", "marks", "value", "headers", "key"), True)
        ),
    }
    keep = """
        INSERT OR IGNORE INTO entries (visit_id, topic, partition, offset, at_ms, kind, actor, told)
        VALUES (:visit_id, :topic, :partition, :offset, :at_ms, :kind, :actor, :told)
    """
    return [*((sql, values | place) for sql, values in facts), (keep, entry)]


Told = tuple[str, int, str | None, list[Statement]]


def _capture(capture: Capture) -> Told:
    back = capture.returned
    visit = _visit(capture.visit_id, capture.line_id, capture.recipe, capture.captured_ms) | {
        "station_id": capture.station_id,
        "part_id": capture.part_id,
        "lot_id": capture.lot_id,
        "product_id": capture.product_id,
        "mode": capture.line_state.mode.value,
        "known_bad": capture.known_bad,
        "returned_from": None if back is None else back.previous_visit_id,
        "simulated": capture.is_simulated,
    }
    frame = _frame(capture) | {"lost": None if capture.lost is None else capture.lost.value, "sha256": capture.sha256}
    return "captured", capture.captured_ms, None, [(_VISIT, visit), (_FRAME, frame)]


def _inspection(one: Inspection) -> Told:
    visit = _visit(one.visit_id, one.line_id, one.recipe, one.captured_ms) | {"simulated": one.is_simulated}
    answer = {
        "visit_id": one.visit_id,
        "frame_id": one.frame_id,
        "verdict": one.verdict.value,
        "undecidable": None if one.undecidable is None else one.undecidable.value,
        "doubtful": one.is_doubtful,
        "p_defect": one.p_defect,
        "suspicion": one.suspicion,
        "bundle": one.bundle_digest,
        "device": one.device,
        "code": one.code_version,
        "maps": digest_of(one.maps),
    }
    frame = _frame(one) | {"lost": None, "sha256": one.frame_sha256}
    # the first inspection of a frame counts; `partition` and `offset` are where it lies in `inspections`
    keep = """
        UPDATE frames SET verdict = :verdict, undecidable = :undecidable, doubtful = :doubtful, p_defect = :p_defect,
          suspicion = :suspicion, bundle = :bundle, device = :device, code = :code, maps = :maps,
          partition = :partition, offset = :offset
        WHERE visit_id = :visit_id AND frame_id = :frame_id AND verdict IS NULL
    """
    facts: list[Statement] = [(_VISIT, visit), (_FRAME, frame), (keep, answer)]
    return "inspected", one.inspected_ms, None, facts


def _disposition(one: Disposition) -> Told:
    visit = _visit(one.visit_id, one.line_id, one.recipe, one.first_captured_ms) | {
        "station_id": one.station_id,
        "part_id": one.part_id,
        "lot_id": one.lot_id,
        "product_id": one.product_id,
        "mode": None if one.line_state is None else one.line_state.mode.value,
        "returned_from": one.returned_from,
        "simulated": one.is_simulated,
    }
    state = {
        "visit_id": one.visit_id,
        "revision": one.revision,
        "routing": one.routing.value,
        "causes": " ".join(cause.value for cause in one.causes),
        "outcome": None if one.outcome is None else one.outcome.value,
        "final": one.final,
    }
    kind = "routed" if one.revision == 0 else "revised"
    actor = one.actors[-1] if one.actors else None
    first = """
        UPDATE visits SET routing = :routing, causes = :causes
        WHERE visit_id = :visit_id AND routing IS NULL AND :revision = 0
    """
    latest = """
        UPDATE visits SET revision = :revision, latest_routing = :routing, outcome = :outcome, final = :final
        WHERE visit_id = :visit_id AND COALESCE(revision, -1) < :revision
    """
    facts = [(_VISIT, visit), (first, state), (latest, state)]
    return kind, one.decided_ms, actor, facts


def _visit(visit_id: str, line_id: str, recipe: RecipeRef, captured_ms: int) -> dict[str, Any]:
    unknown = dict.fromkeys(
        ("station_id", "part_id", "lot_id", "product_id", "mode", "known_bad", "returned_from", "simulated")
    )
    return unknown | {
        "visit_id": visit_id,
        "line_id": line_id,
        "recipe": recipe_key(recipe.recipe_id, recipe.version),
        "recipe_id": recipe.recipe_id,
        "recipe_digest": recipe.digest,
        "captured_ms": captured_ms,
    }


def _frame(of: Capture | Inspection) -> dict[str, Any]:
    return {"visit_id": of.visit_id, "frame_id": of.frame_id, "view_id": of.view_id, "camera_id": of.camera_id}


_TOLD: dict[type[Message], Callable[[Any], Told]] = {
    Capture: _capture,
    Inspection: _inspection,
    Disposition: _disposition,
    Decision: lambda one: ("judged" if one.act is Act.JUDGE else "undone", one.decided_ms, one.actor, []),
    SlotOpen: lambda one: ("asked", one.opened_ms, None, []),
    SlotClose: lambda one: ("closed", one.closed_ms, one.actor, []),
    QueueEvent: lambda one: (one.event, one.at_ms, one.actor, []),
    Actuation: lambda one: ("actuated", one.at_ms, None, []),
    DeadLetter: lambda one: ("dead-lettered", one.at_ms, None, []),
}
