"""Every metric of inspect and keeper, with unit and meaning."""

from prometheus_client import Counter, Gauge, Histogram

INSPECTIONS = Counter(
    "linewarden_inspections_total",
    "Frames answered, by verdict and, of those not decidable, by reason.",
    ["verdict", "undecidable"],
)
REFUSED_RECORDS = Counter(
    "linewarden_inspect_refused_records_total",
    "Frame records that became dead letters, by reason; those without usable headers have no inspection.",
    ["reason"],
)
BATCH_PICTURES = Histogram(
    "linewarden_inspect_batch_pictures", "Pictures of one device pass.", buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
DEVICE_SECONDS = Histogram(
    "linewarden_inspect_device_seconds",
    "Duration of one device pass, in seconds.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
DEVICE_FAULTS = Counter("linewarden_inspect_device_faults_total", "Pictures that the device failed on even alone.")
ANSWER_SECONDS = Histogram(
    "linewarden_inspect_answer_seconds",
    "Time from capture to inspection, in seconds.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
BUNDLES_LOADED = Gauge("linewarden_inspect_bundles_loaded", "Bundles held ready on the device.")
BUNDLE_FAILURES = Counter(
    "linewarden_inspect_bundle_failures_total", "Bundles that could not be loaded or failed their gate."
)
SUSPICION = Histogram(
    "linewarden_inspect_suspicion",
    "Suspicion of each OK, from 0 (believed) to 1.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
QUALIFICATION_DAYS = Gauge(
    "linewarden_inspect_qualification_days_left",
    "Days until what lets a loaded bundle pass parts ends (qualification, live limit), by bundle; negative afterwards.",
    ["bundle"],
)
EVIDENCE = Counter(
    "linewarden_keeper_evidence_total",
    "Frames of requested visits saved, by what was saved; kept: their picture is gone, what was saved before stays.",
    ["kind"],
)
EVIDENCE_TOMBSTONES = Counter("linewarden_keeper_tombstones_total", "Evidence given up after its time.")
KEEPER_LAG_SECONDS = Gauge(
    "linewarden_keeper_lag_seconds",
    "Age of the oldest frame that the keeper still has to save, in seconds; alarm at half the retention of frames.",
)
CAMERA_MOVED = Gauge(
    "linewarden_inspect_camera_moved",
    "1 while none of a camera's last pictures shows its part where the recipe lets it lie.",
    ["camera"],
)
PART_SHIFT = Gauge(
    "linewarden_inspect_part_shift_pixels",
    "How far the last located part lay from where it was taught, in pixels, by camera.",
    ["camera"],
)
MAPS_LEFT_OUT = Counter(
    "linewarden_maps_left_out_total",
    "Records written without their maps, which would not have fitted into the topic, by topic.",
    ["topic"],
)
