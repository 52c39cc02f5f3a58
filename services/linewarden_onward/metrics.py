"""Every Prometheus metric of onward, with unit and meaning."""

from prometheus_client import Counter, Gauge

TOLD = Counter("linewarden_onward_told_total", "Revisions that the receiver acknowledged.", ["output"])
PERMISSIONS = Counter("linewarden_onward_permissions_total", "Permissions given: a gate may open.", ["output"])
REFUSED = Counter(
    "linewarden_onward_refused_total", "Revisions that the receiver will never take, by cause.", ["output", "cause"]
)
PASSED_OVER = Counter(
    "linewarden_onward_passed_over_total", "Dispositions that are not the receiver's, by cause.", ["output", "cause"]
)
AWAY = Counter("linewarden_onward_away_total", "Times the receiver was away, by what was tried.", ["output", "doing"])
ACTUATIONS = Counter("linewarden_onward_actuations_total", "Reports of what a gate did, written.", ["output"])
EPOCH = Gauge("linewarden_onward_epoch", "How often the output was taken over.", ["output"])
LAG = Gauge("linewarden_onward_lag_records", "Dispositions not yet told and committed.", ["output"])
OLDEST_SECONDS = Gauge(
    "linewarden_onward_oldest_seconds", "Age of the oldest disposition that is being told, in seconds.", ["output"]
)
