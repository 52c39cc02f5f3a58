"""The tables of the index. Whoever changes them raises the version: a file of another version is refused."""

from __future__ import annotations

VERSION = 3
_ESCAPES = """
CREATE TABLE escapes (
  escape_id TEXT PRIMARY KEY, part_id TEXT NOT NULL, visit_id TEXT, withdrawn INTEGER NOT NULL,
  partition INTEGER NOT NULL, offset INTEGER NOT NULL, told TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX escapes_part ON escapes (part_id);
CREATE INDEX escapes_visit ON escapes (visit_id) WHERE visit_id IS NOT NULL;
"""
_DIGEST = "ALTER TABLE visits ADD COLUMN recipe_digest TEXT;"
SCHEMA = f"""
CREATE TABLE visits (
  visit_id TEXT PRIMARY KEY, line_id TEXT, station_id TEXT, part_id TEXT, lot_id TEXT, product_id TEXT, recipe TEXT,
  recipe_id TEXT, captured_ms INTEGER, mode TEXT, known_bad INTEGER, returned_from TEXT, simulated INTEGER,
  routing TEXT, causes TEXT, revision INTEGER, latest_routing TEXT, outcome TEXT, final INTEGER) WITHOUT ROWID;
CREATE INDEX visits_part ON visits (part_id) WHERE part_id IS NOT NULL;
CREATE INDEX visits_lot ON visits (lot_id) WHERE lot_id IS NOT NULL;
CREATE INDEX visits_captured ON visits (captured_ms);
CREATE INDEX visits_returned ON visits (returned_from) WHERE returned_from IS NOT NULL;
CREATE TABLE frames (
  visit_id TEXT NOT NULL, frame_id TEXT NOT NULL, view_id TEXT, camera_id TEXT, lost TEXT, sha256 TEXT, verdict TEXT,
  undecidable TEXT, doubtful INTEGER, p_defect REAL, suspicion REAL, bundle TEXT, device TEXT, code TEXT, maps TEXT,
  partition INTEGER, offset INTEGER, PRIMARY KEY (visit_id, frame_id)) WITHOUT ROWID;
CREATE TABLE entries (
  visit_id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT, told TEXT NOT NULL,
  PRIMARY KEY (visit_id, topic, partition, offset)) WITHOUT ROWID;
CREATE INDEX entries_actor ON entries (actor) WHERE actor IS NOT NULL;
CREATE TABLE places (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, topic_id TEXT NOT NULL, next_offset INTEGER NOT NULL,
  taken_away INTEGER NOT NULL DEFAULT 0, unreadable INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (topic, partition));
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
{_ESCAPES}{_DIGEST}"""
LACKS = {0: SCHEMA, 1: _ESCAPES + _DIGEST, 2: _DIGEST}
"""What a file of an older version, or a new one (0), lacks."""

VISIT = """
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

FIRST_ROUTING = """
UPDATE visits SET routing = :routing, causes = :causes WHERE visit_id = :visit_id AND routing IS NULL AND :revision = 0
"""
LATEST = """
UPDATE visits SET revision = :revision, latest_routing = :routing, outcome = :outcome, final = :final
WHERE visit_id = :visit_id AND COALESCE(revision, -1) < :revision
"""

FRAME = """
INSERT INTO frames (visit_id, frame_id, view_id, camera_id, lost, sha256)
VALUES (:visit_id, :frame_id, :view_id, :camera_id, :lost, :sha256)
ON CONFLICT (visit_id, frame_id) DO UPDATE SET lost = COALESCE(lost, excluded.lost),
  sha256 = COALESCE(sha256, excluded.sha256)
"""
ANSWER = """
UPDATE frames SET verdict = :verdict, undecidable = :undecidable, doubtful = :doubtful, p_defect = :p_defect,
  suspicion = :suspicion, bundle = :bundle, device = :device, code = :code, maps = :maps, partition = :partition,
  offset = :offset
WHERE visit_id = :visit_id AND frame_id = :frame_id AND verdict IS NULL
"""
"""The first inspection of a frame counts; `partition` and `offset` are where it lies in `inspections`."""

ESCAPE = """
INSERT INTO escapes (escape_id, part_id, visit_id, withdrawn, partition, offset, told)
VALUES (:escape_id, :part_id, :visit_id, :withdrawn, :partition, :offset, :told)
ON CONFLICT (escape_id) DO UPDATE SET part_id = excluded.part_id, visit_id = excluded.visit_id,
  withdrawn = excluded.withdrawn, partition = excluded.partition, offset = excluded.offset, told = excluded.told
WHERE excluded.offset > offset
"""
"""The newest report of an escape counts; all of one serial lie in one partition."""

ENTRY = """
INSERT OR IGNORE INTO entries (visit_id, topic, partition, offset, at_ms, kind, actor, told)
VALUES (:visit_id, :topic, :partition, :offset, :at_ms, :kind, :actor, :told)
"""
