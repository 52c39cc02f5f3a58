"""Every Prometheus metric of the runtime, with unit and meaning; stages declare theirs likewise."""

import platform
from importlib.metadata import version
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# A series more for each, of a moment that a restart forgets and nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
BUILD = Gauge(
    "linewarden_build_info",
    "1, with the version of the code and of Python.",
    ["version", "python"],
    multiprocess_mode="livemax",
)
BUILD.labels(version("linewarden"), platform.python_version()).set(1)
RECORDS_READ = Counter("linewarden_records_read_total", "Records handed to a stage.", ["group"])
RECORDS_DONE = Counter("linewarden_records_done_total", "Records whose offset was committed.", ["group"])
RECORDS_DROPPED = Counter(
    "linewarden_records_dropped_total",
    "Records in flight given up without a commit, to be read again, by cause.",
    ["group", "cause"],
)
RECORDS_WRITTEN = Counter("linewarden_records_written_total", "Records acknowledged, by topic.", ["topic"])
LIVE: Literal["livemostrecent"] = "livemostrecent"
"""Of every gauge: of several processes that tell it the newest word of a living one counts; a dead one's is gone."""
IN_FLIGHT_BYTES = Gauge(
    "linewarden_in_flight_bytes", "Bytes read and not yet committed.", ["group"], multiprocess_mode=LIVE
)
TRANSACTIONS = Counter(
    "linewarden_transactions_total", "Transactions by outcome: committed, failed, fenced.", ["group", "outcome"]
)
TRANSACTION_SECONDS = Histogram(
    "linewarden_transaction_seconds",
    "Duration of committed transactions, in seconds.",
    ["group"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
OFFSETS_RELEASED = Counter(
    "linewarden_offsets_released_total", "Times that pending offsets of an ended transaction were dropped.", ["group"]
)
SLOW_DOWNS = Counter("linewarden_slow_downs_total", "Times a dependency asked to slow down.", ["group"])
DEAD_LETTERS = Counter("linewarden_dead_letters_total", "Records dead-lettered, by cause.", ["service", "cause"])
UNACKED_BYTES = Gauge(
    "linewarden_unacked_bytes", "Bytes sent and not acknowledged.", ["sender"], multiprocess_mode=LIVE
)
UNACKED_AGE_SECONDS = Gauge(
    "linewarden_unacked_age_seconds",
    "Age of the oldest record not acknowledged, in seconds.",
    ["sender"],
    multiprocess_mode=LIVE,
)
PRODUCERS_REPLACED = Counter(
    "linewarden_producers_replaced_total", "Producers thrown away because they stopped delivering.", ["sender"]
)
WATCHDOG_EXITS = Counter(
    "linewarden_watchdog_exits_total", "Calls that did not come back in time, by section.", ["section"]
)
CLOCK_ERROR_SECONDS = Gauge(
    "linewarden_clock_error_seconds",
    "By how much the process's wall clock is ahead of the broker's, in seconds; negative where it is behind.",
    ["process"],
    multiprocess_mode=LIVE,
)
ANCHORS_LOST = Counter(
    "linewarden_clock_anchors_lost_total",
    "Times the broker's time was not known any more, by cause: a step of the wall clock, or no anchor for a minute.",
    ["process", "cause"],
)
UNREADABLE = Counter(
    "linewarden_unreadable_settings_total",
    "Records of topics that are taken whole that cannot be read or do not belong there, by topic.",
    ["topic"],
)
BOOKS_AGAIN = Counter(
    "linewarden_books_read_again_total",
    "Times recipes, line states or activations were read from their beginning, since what was to be read next is gone.",
    ["topic"],
)
RECIPE_FAILURES = Counter(
    "linewarden_recipe_refresh_failures_total", "Times the broker did not answer whoever asked for a recipe."
)
STAGE_STOPPED = Gauge(
    "linewarden_stage_stopped",
    "1 while the stage stands still because too many records could not be handled.",
    multiprocess_mode="livemax",
)
OVERTAKEN = Counter(
    "linewarden_readers_overtaken_total",
    "Times that records were deleted by retention before a reader that takes a topic whole came to them, by topic.",
    ["topic"],
)
