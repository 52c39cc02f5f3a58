"""Every Prometheus metric of the line's process, with unit and meaning."""

from prometheus_client import Counter, Gauge

EPOCH = Gauge("linewarden_line_epoch", "How often the line's process was taken over.", ["line"])
AGAIN = Counter("linewarden_line_again_total", "Times the process began again because the broker was away.", ["line"])
