"""The rows of the matrix, in their order: a name, what is done in words, what it runs on, and the strike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

from tests.faults.matrix.bed import DISK, Needs
from tests.faults.matrix.results import line_of
from tests.faults.matrix.strikes import Strike, brokers, clocks, disks, network, processes, redis_faults, versions

_SMALL_SEGMENTS = {
    "LINEWARDEN_INGEST__SPOOL__SEGMENT_BYTES": str(1 << 20),
    "LINEWARDEN_INGEST__SPOOL__CAPACITY_BYTES": str(1 << 30),
}
_SYNCED = {"log.flush.interval.messages": "1"}
"""A single broker that may lose power has to sync what it acknowledges; with several their number is the guarantee."""


@dataclass(frozen=True)
class Row:
    """One row. `module`: where its strike lies, whose text is part of what a result is keyed by."""

    name: str
    words: str
    strike: Strike
    module: ModuleType
    needs: Needs = field(default_factory=Needs)
    may_run: Callable[[], str | None] = lambda: None

    @property
    def covers(self) -> tuple[str, ...]:
        """Folders whose sources a result is keyed by."""
        return line_of("reinspect")

    def why_not(self) -> str | None:
        """Why it cannot run here, and what to do about it; None where it can."""
        return self.needs.why_not() or self.may_run()


def _row(name: str, words: str, strike: Strike, module: ModuleType, needs: Needs | None = None) -> Row:
    return Row(name, words, strike, module, needs or Needs())


ROWS: tuple[Row, ...] = (
    _row("kill-ingest", "SIGKILL of ingest", processes.kill("ingest"), processes),
    _row("kill-inspect", "SIGKILL of inspect", processes.kill("inspect"), processes),
    _row("kill-route", "SIGKILL of route", processes.kill("route"), processes),
    _row(
        "kill-queue",
        "SIGKILL of keeper, projector, station and whoever decides there, together",
        processes.kill("keeper", "projector", "station", "person"),
        processes,
    ),
    _row(
        "freeze-inspect",
        "SIGSTOP of inspect past its session, beside a second member",
        processes.freeze("inspect", 8.0),
        processes,
        Needs(seconds=("inspect",)),
    ),
    _row(
        "freeze-route",
        "SIGSTOP of route past its session and its transactions, beside a second member",
        processes.freeze("route", 11.0),
        processes,
        Needs(seconds=("route",)),
    ),
    _row("kill-broker", "SIGKILL of the only broker", brokers.only_one, brokers),
    _row(
        "leader-change",
        "three brokers: the leader of a partition of frames or captures dies",
        brokers.leader_changes,
        brokers,
        Needs(nodes=3),
    ),
    _row(
        "minority",
        "three brokers: a minority is lost, the transaction coordinator with it, and comes back",
        brokers.minority,
        brokers,
        Needs(nodes=3),
    ),
    _row("tcp-latency", "TCP: 50 to 400 ms more each way", network.latency, network, Needs(proxied=True)),
    _row("tcp-reset", "TCP: connections reset", network.reset, network, Needs(proxied=True)),
    _row("tcp-half-open", "TCP: connections half-open", network.half_open, network, Needs(proxied=True)),
    _row("tcp-one-way", "TCP: answers are lost", network.one_way, network, Needs(proxied=True)),
    _row(
        "spool-full",
        "the disk of the spool is full",
        disks.spool_full,
        disks,
        Needs(volumes={"spool": 64}, settings=_SMALL_SEGMENTS),
    ),
    _row("broker-full", "the disk of the broker is full", disks.broker_full, disks, Needs(volumes={"broker": 1024})),
    _row(
        "redis-full",
        "Redis has no room, in memory or on disk",
        redis_faults.no_room,
        redis_faults,
        Needs(volumes={"redis": 64}),
    ),
    _row(
        "power-cut",
        "power fails under ingest, broker and Redis: what was not synced is gone",
        disks.power_cut,
        disks,
        Needs(volumes={DISK: 1024}, node=_SYNCED, settings=_SMALL_SEGMENTS),
    ),
    _row(
        "clock-steps",
        "the wall clock of ingest, inspect or route steps while its monotonic clock stands still",
        clocks.step,
        clocks,
        Needs(clocks=("ingest", "inspect", "route")),
    ),
    _row("redis-old-copy", "Redis fails over to an older copy", redis_faults.old_copy, redis_faults),
    Row(
        "rolling-restart",
        f"rolling restart with two versions side by side (beside {versions.BEFORE})",
        versions.rolling,
        versions,
        Needs(seconds=("inspect", "route")),
        may_run=versions.why_not,
    ),
)


def named(names: list[str]) -> list[Row]:
    """Rows by name, all for none; raises SystemExit for a name that is none."""
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        raise SystemExit(f"no row {', '.join(sorted(unknown))}; rows: {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not names or row.name in names]
