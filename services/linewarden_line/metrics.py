"""Every Prometheus metric of the line's process, with unit and meaning."""

from prometheus_client import Counter, Gauge

EPOCH = Gauge("linewarden_line_epoch", "How often the line's process was taken over.", ["line"])
AGAIN = Counter("linewarden_line_again_total", "Times the process began again because the broker was away.", ["line"])
WORD_TIME = Gauge(
    "linewarden_line_word_timestamp_seconds", "When the process last wrote its word, epoch seconds.", ["line"]
)
UNACKNOWLEDGED = Gauge(
    "linewarden_line_alarms_unacknowledged", "Alarms that nobody has acknowledged.", ["line", "priority"]
)
OLDEST_SECONDS = Gauge(
    "linewarden_line_alarm_oldest_seconds",
    "Age of the oldest alarm that nobody has acknowledged.",
    ["line", "priority"],
)
RAISED = Gauge("linewarden_line_alarms_raised", "Alarms of the last ten minutes that somebody has to act on.", ["line"])
FLOOD = Gauge("linewarden_line_alarm_flood", "1 while more of them come than anybody can act on.", ["line"])
FLOODS = Counter("linewarden_line_alarm_floods_total", "How often more came than anybody can act on.", ["line"])
DEMAND = Gauge("linewarden_line_demand", "What alarms ask the line for: 0 nothing, 1 slower, 2 a stop.", ["line"])
STEPS = Counter("linewarden_line_alarm_steps_total", "Steps in the lives of alarms.", ["line", "kind", "step"])
REQUESTS = Counter("linewarden_line_requests_total", "What people wanted done with alarms.", ["line", "doing", "done"])
