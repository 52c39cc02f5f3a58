"""`linewarden doctor`: looks at everything the line needs and says, a line each, what to change."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from linewarden_runtime.errors import ConfigurationError, RuntimeFault
from linewarden_runtime.topic_settings import deviations
from linewarden_schemas.recipe import TimeBudget
from linewarden_schemas.topics import CATALOGUE

from .clocks import node_clocks
from .context import Context, context


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is well, and what to do where it is not."""

    check: str
    good: bool
    advice: str = ""


def examine() -> list[Finding]:
    """Every finding; a check whose dependency is away says so instead of stopping the others."""
    here = context()
    findings = [*_python(), *_cameras()]
    for check, look in (("Kafka", _kafka), ("clocks", _clocks), ("Redis", _redis)):
        findings.extend(_safely(check, here, look))
    return findings


def _safely(check: str, here: Context, look: Callable[[Context], Iterator[Finding]]) -> list[Finding]:
    import redis  # noqa: PLC0415 - not before it is needed

    try:
        return list(look(here))
    except (RuntimeFault, redis.RedisError, OSError) as error:
        return [Finding(check, good=False, advice=f"not reachable: {error}")]


def _python() -> Iterator[Finding]:
    yield Finding(f"Python {sys.version.split()[0]}", sys.version_info >= (3, 11), "needs Python 3.11 or newer")
    yield Finding(
        "crc32c",
        importlib.util.find_spec("crc32c") is not None,
        "pip install crc32c: without it every picture's checksum is computed in pure Python",
    )


def _cameras() -> Iterator[Finding]:
    """The kinds of camera that other distributions bring."""
    from linewarden_ingest.cameras.kinds import brought, options_of  # noqa: PLC0415 - only doctor looks at ingest

    for kind, who in brought().items():
        check = f"camera of kind {kind}: {who}"
        try:
            options_of(kind)
        except ConfigurationError as error:
            yield Finding(check, good=False, advice=str(error))
        else:
            yield Finding(check, good=True)


def _kafka(here: Context) -> Iterator[Finding]:
    limit = here.settings.kafka.max_record_bytes
    with here.broker.admin() as admin:
        there = admin.topics()
        for topic in CATALOGUE.values():
            name = here.namespace.topic(topic.name)
            if name not in there:
                yield Finding(name, good=False, advice="missing: linewarden topics create")
        named = [name for name in CATALOGUE if here.namespace.topic(name) in there]
        found = deviations(admin, here.namespace, named, stamps=here.broker.append_time)
    yield from (Finding(f"{one.topic}: {one.setting}", good=False, advice=str(one)) for one in found)
    if named and not found:
        yield Finding(f"settings of {len(named)} topics", good=True)
    largest = max(topic.max_record_bytes for topic in CATALOGUE.values())
    yield Finding(
        "producer: largest record", limit >= largest, f"set LINEWARDEN_KAFKA__MAX_RECORD_BYTES to {largest} or more"
    )


def _clocks(here: Context) -> Iterator[Finding]:
    """Each node's clock beside the broker's, as the node told it last."""
    if not here.broker.append_time:
        yield Finding("append times: this broker keeps the producers' time, no mode for production", good=True)
        return
    allowed_ms = TimeBudget().max_skew_ms
    if here.namespace.topic("captures") not in _topics(here):
        return
    for clock in node_clocks(here.broker, here.namespace):
        side = "ahead of" if clock.error_ms > 0 else "behind"
        wrong = f"its clock is {abs(clock.error_ms) / 1000:.1f} s {side} the broker's: chronyc makestep, timedatectl"
        yield Finding(f"{clock.node}: clock", abs(clock.error_ms) <= allowed_ms, wrong)


def _topics(here: Context) -> frozenset[str]:
    with here.broker.admin() as admin:
        return admin.topics()


def _redis(here: Context) -> Iterator[Finding]:
    from linewarden_runtime.redis_client import connect  # noqa: PLC0415

    client = connect(here.settings.redis)
    memory = client.config_get("maxmemory-policy")
    policy = str(memory.get("maxmemory-policy", "?")) if isinstance(memory, dict) else "?"
    yield Finding(
        "Redis: maxmemory-policy", policy == "noeviction", f"{policy}: CONFIG SET maxmemory-policy noeviction"
    )
    stored = client.config_get("appendonly")
    kept = str(stored.get("appendonly", "?")) if isinstance(stored, dict) else "?"
    yield Finding("Redis: appendonly", kept == "yes", f"{kept}: CONFIG SET appendonly yes")
