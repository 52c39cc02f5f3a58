"""What every key of a project's files means, in the words of its README."""

from __future__ import annotations

SETTINGS: dict[str, tuple[str, str]] = {
    "LINEWARDEN_NAMESPACE": ("{line}", "Begins the names of topics, groups and Redis keys: one a line."),
    "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": ("127.0.0.1:9092", "Brokers, separated by commas."),
    "LINEWARDEN_REDIS__HOST": ("127.0.0.1", "Redis or Valkey, with appendonly yes and maxmemory-policy noeviction."),
    "LINEWARDEN_REDIS__PORT": ("6379", "Its port."),
    "LINEWARDEN_INGEST__CONFIG": ("{folder}/cameras.toml", "The cameras."),
    "LINEWARDEN_INGEST__SPOOL__FOLDER": (
        "{folder}/spool",
        "Where pictures are safe until the broker has them: a local disk.",
    ),
    "LINEWARDEN_INSPECT__BUNDLES": ("{folder}/bundles", "Folder of bundle folders; a recipe names one by its digest."),
    "LINEWARDEN_KEEPER__BUNDLES": ("{folder}/bundles", "The same, for maps of what people review."),
    "LINEWARDEN_STATION__DATA": ("{folder}/station", "The station's book: accounts, sessions, the log of acts."),
    "LINEWARDEN_STATION__HOST": ("127.0.0.1", "Where the station listens; behind a proxy with TLS for other machines."),
    "LINEWARDEN_STATION__PORT": ("8080", "Its port."),
}
"""By name: the value that is written, and what it is."""

CAMERA: dict[str, str] = {
    "line_id": "the line, as its topics and the station name it",
    "station_id": "the station of the line where the parts are seen",
    "kind": "what the camera is: line (simulated), folder, watched, rtsp, genicam, http; each has keys of its own",
    "camera_id": "the camera's name; a recipe's view names it",
    "view_id": "which view of the part it gives",
}
RECIPE: dict[str, str] = {
    "recipe_id": "the recipe's name",
    "version": "counts up; a version that is published never changes",
    "product_id": "the product that it is for",
    "bundle_digest": "the bundle that judges, by its digest ('linewarden bundle show')",
    "views": "the pictures expected of a part, each with its camera, region and mm_per_pixel; one missing diverts",
    "verdict_rule": "classifier, or either: NG also where only the mask shows a defect",
    "thresholds": "instead of the bundle's; looser ones void its qualification, and every OK diverts",
    "zones": "polygons in mm; what lies wholly in an ignored one is not judged",
    "criteria": "what a defect of a class in a zone may measure; with accept it is let go within it",
    "defect_gap_mm": "pieces of a mask that are nearer are one defect",
    "check": "master parts that prove that the line still sees, and how often",
    "max_defect_rate_of_passes": "an assisted bundle lets parts go only while linewarden live tells no more than this",
    "accepts_above_threshold": "criteria may let a defect go although the classifier said NG",
    "review": "how many people look, who may, how many an hour, what share of passes is audited",
    "time": "decide_by_ms: when the answer has to be there; late diverts. The margins around it",
    "created_ms": "when it was made, ms since 1970",
    "created_by": "who made it",
    "note": "in words, what changed",
}


def table(keys: dict[str, str]) -> str:
    """Keys with what they mean, as a table of Markdown."""
    return "\n".join(["| key | what |", "|---|---|", *(f"| `{name}` | {what} |" for name, what in keys.items())])
