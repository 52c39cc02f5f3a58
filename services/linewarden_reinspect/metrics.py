"""Every Prometheus metric of re-inspection, with unit and meaning."""

from prometheus_client import Counter, Gauge, Histogram

PROJECTED = Counter("linewarden_queue_projected_total", "Records of reinspections taken into the queue.")
UNREADABLE = Counter(
    "linewarden_queue_unreadable_total", "Records of reinspections that are no slot, by cause.", ["cause"]
)
LETTERS_LOST = Counter(
    "linewarden_queue_letters_lost_total", "Dead letters of records that are no slot which Kafka did not take."
)
REBUILDS = Counter("linewarden_queue_rebuilds_total", "Rebuilds of the queue's view, by cause.", ["cause"])
RESYNCS = Counter("linewarden_queue_resyncs_total", "Times the view was not as the projector had left it.")
QUEUE_DOWN = Counter("linewarden_queue_unreachable_total", "Calls that Redis did not answer, by service.", ["service"])
SLOTS = Gauge("linewarden_queue_slots", "Slots by line and state: ready, leased, parked, dead.", ["line", "state"])
OLDEST_SECONDS = Gauge("linewarden_queue_oldest_seconds", "Age of the oldest slot of a line, in seconds.", ["line"])
LEASES = Counter("linewarden_queue_transitions_total", "Transitions of slots in the queue, by event.", ["event"])
EVENTS_LOST = Counter("linewarden_queue_events_lost_total", "Events of the station that Kafka did not acknowledge.")
EVENTS_RETRIED = Counter("linewarden_queue_events_retried_total", "Transitions of the queue that are sent again.")
EVENTS_UNTOLD = Gauge("linewarden_queue_events_untold", "Transitions for which the queue had no room any more.")
LINE_ASK = Gauge(
    "linewarden_line_ask",
    "What reviewers ask of a line because of a recipe: 0 nothing, 1 slow it, 2 stop it, -1 not known (Redis is away).",
    ["line", "recipe"],
)
OVERDUE = Gauge("linewarden_queue_overdue_slots", "Slots older than their recipe allows, by line.", ["line"])
DECISIONS = Counter(
    "linewarden_station_decisions_total", "Decisions acknowledged by Kafka, by judgement.", ["judgement"]
)
DECISIONS_REFUSED = Counter(
    "linewarden_station_decisions_refused_total", "Decisions not recorded, by cause.", ["cause"]
)
DECISION_SECONDS = Histogram(
    "linewarden_station_decision_seconds",
    "From claim to decision, in seconds.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300, 600),
)
EVIDENCE_BYTES = Gauge("linewarden_station_evidence_bytes", "Bytes of evidence held in memory.")
EVIDENCE_UNREADABLE = Counter(
    "linewarden_station_evidence_unreadable_total", "Records of evidence that cannot be read."
)
SIGN_INS = Counter("linewarden_station_sign_ins_total", "Sign-ins by outcome: done, refused, limited.", ["outcome"])
BOOK_FAILURES = Counter("linewarden_station_book_failures_total", "Requests that the station's own book failed.")
HISTORY_UNREADABLE = Counter(
    "linewarden_station_history_unreadable_total", "Records that the histories cannot read, by topic.", ["topic"]
)
