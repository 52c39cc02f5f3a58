"""`linewarden doctor`: looks at everything the line needs and says, a line each, what to change."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from linewarden.commands.context import Connection, connect, now_ms
from linewarden.commands.options import clock_of
from linewarden_domain.alarms import is_kept
from linewarden_domain.plugins import Kinds
from linewarden_runtime.alarm_book import AlarmBook
from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.errors import ConfigurationError, RuntimeFault
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord
from linewarden_runtime.topic_settings import deviations
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import TimeBudget
from linewarden_schemas.topics import CATALOGUE

_UNREAD_S = 15.0
"""A camera is asked several times a second."""
_MOST_LAG = 100
"""Dispositions not yet told to an output before that is worth a word."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check: what was looked at, whether it is well, and what to do where it is not."""

    check: str
    good: bool
    advice: str = ""


def examine() -> list[HealthCheck]:
    """Every finding; a check whose dependency is away says so instead of stopping the others."""
    import redis  # noqa: PLC0415 - not before it is needed

    here = connect()
    findings = [
        HealthCheck(f"Python {sys.version.split()[0]}", sys.version_info >= (3, 11), "needs Python 3.11 or newer"),
        HealthCheck(
            "crc32c",
            importlib.util.find_spec("crc32c") is not None,
            "pip install crc32c: without it every picture's checksum is computed in pure Python",
        ),
        *_cameras(),
        *_outputs(),
    ]
    for check, look in (
        *(("Kafka", _kafka), ("clocks", _clocks), ("conditions", _conditions)),
        *(("outputs", _lags), ("alarms", _alarms), ("Redis", _redis)),
    ):
        try:
            findings += look(here)
        except (RuntimeFault, redis.RedisError, OSError) as error:
            findings.append(HealthCheck(check, good=False, advice=f"not reachable: {error}"))
    return findings


def _cameras() -> Iterator[HealthCheck]:
    """The kinds of camera that other distributions bring."""
    from linewarden_ingest.cameras.kinds import KINDS  # noqa: PLC0415 - only doctor looks at ingest

    return _brought(KINDS)


def _outputs() -> Iterator[HealthCheck]:
    """The kinds of output that other distributions bring."""
    from linewarden_onward.kinds import KINDS  # noqa: PLC0415 - only doctor looks at onward

    return _brought(KINDS)


def _brought(kinds: Kinds[Any]) -> Iterator[HealthCheck]:
    for kind, who in kinds.brought().items():
        check = f"{kinds.noun} of kind {kind}: {who}"
        try:
            kinds.options_of(kind)
        except ConfigurationError as error:
            yield HealthCheck(check, good=False, advice=str(error))
        else:
            yield HealthCheck(check, good=True)


def _kafka(here: Connection) -> Iterator[HealthCheck]:
    limit = here.settings.kafka.max_record_bytes
    with here.broker.admin() as admin:
        there = admin.topics()
        for topic in CATALOGUE.values():
            name = here.namespace.topic(topic.name)
            if name not in there:
                yield HealthCheck(name, good=False, advice="missing: linewarden topics create")
        named = [name for name in CATALOGUE if here.namespace.topic(name) in there]
        found = deviations(admin, here.namespace, named, stamps=here.broker.append_time)
    yield from (HealthCheck(f"{one.topic}: {one.setting}", good=False, advice=str(one)) for one in found)
    if named and not found:
        yield HealthCheck(f"settings of {len(named)} topics", good=True)
    largest = max(topic.max_record_bytes for topic in CATALOGUE.values())
    yield HealthCheck(
        "producer: largest record", limit >= largest, f"set LINEWARDEN_KAFKA__MAX_RECORD_BYTES to {largest} or more"
    )


def _clocks(here: Connection) -> Iterator[HealthCheck]:
    """Each node's clock beside the broker's, as the node told it last."""
    if not here.broker.append_time:
        yield HealthCheck("append times: this broker keeps the producers' time, no mode for production", good=True)
        return
    allowed_ms = TimeBudget().max_skew_ms
    with here.broker.admin() as admin:
        if here.namespace.topic("captures") not in admin.topics():
            return
    for clock in node_clocks(here.broker, here.namespace):
        side = "ahead of" if clock.error_ms > 0 else "behind"
        wrong = f"its clock is {abs(clock.error_ms) / 1000:.1f} s {side} the broker's: chronyc makestep, timedatectl"
        yield HealthCheck(f"{clock.node}: clock", abs(clock.error_ms) <= allowed_ms, wrong)


def _conditions(here: Connection) -> Iterator[HealthCheck]:
    """What each camera said of itself in its last heartbeat."""
    with here.broker.admin() as admin:
        if here.namespace.topic("captures") not in admin.topics():
            return
    newest: dict[tuple[str, str], CameraHeartbeat] = {}
    for record in _newest_records(here.broker, here.namespace.topic("captures")):
        beat = _heartbeat(record)
        if beat is not None:
            known = newest.setdefault((beat.line_id, beat.camera_id), beat)
            newest[beat.line_id, beat.camera_id] = max(known, beat, key=lambda one: one.at_ms)
    for (line_id, camera_id), beat in sorted(newest.items()):
        wrong = [f"{', '.join(beat.conditions)}: linewarden camera show {camera_id}"] if beat.conditions else []
        unread_s = 0.0 if beat.last_read_ms is None else (beat.at_ms - beat.last_read_ms) / 1000
        if unread_s > _UNREAD_S:
            wrong.append(f"not read for {unread_s:.0f} s: it hangs, or ingest holds it, as its log says")
        yield HealthCheck(f"camera {camera_id}, line {line_id}", not wrong, "; ".join(wrong))


def _lags(here: Connection) -> Iterator[HealthCheck]:
    """How far each output to the plant is behind; a few records are under way, or markers that nobody reads."""
    from linewarden_onward.tenure import last_words  # noqa: PLC0415 - only doctor looks at onward

    topic = here.namespace.topic("dispositions")
    with here.broker.admin() as admin:
        if not {topic, here.namespace.topic("outputs")} <= admin.topics():
            return
        places = positions_of(here.broker, topic)
        with here.broker.reader(dict.fromkeys(places, 0)) as reader:
            ends = reader.end_offsets(places)
        for output_id, (state, _) in sorted(last_words(here.broker, here.namespace).items()):
            told = admin.committed(here.namespace.group(f"onward-{output_id}"))
            lag = sum(max(0, end - told.get(place, end)) for place, end in ends.items())
            advice = (
                f"{lag} dispositions are not told; see /readyz of onward on {state.instance}: is its receiver away?"
            )
            yield HealthCheck(f"output {output_id} ({state.kind}): told", lag <= _MOST_LAG, advice)


def _alarms(here: Connection) -> Iterator[HealthCheck]:
    """Whether somebody keeps the alarms of each line that ever had somebody, and whether a high one waits."""
    with here.broker.admin() as admin:
        if not {here.namespace.topic(name) for name in ("alarms", "alarm-events")} <= admin.topics():
            return
    now = now_ms()
    with AlarmBook(here.broker, here.namespace, now) as book:
        for line_id, word in sorted(book.words().items()):
            advice = f"not said since {clock_of(word.at_ms)} by {word.instance}: linewarden run line"
            yield HealthCheck(f"alarms of {line_id}: kept", is_kept(word, now), advice)
            high = 0 if word.load is None else word.load.high
            advice = f"{high} high ones wait for somebody: linewarden alarm list --line {line_id}"
            yield HealthCheck(f"alarms of {line_id}: acknowledged", not high, advice)


def _redis(here: Connection) -> Iterator[HealthCheck]:
    from linewarden_runtime.redis_client import connect  # noqa: PLC0415

    client = connect(here.settings.redis)
    for setting, wanted in (("maxmemory-policy", "noeviction"), ("appendonly", "yes")):
        told = client.config_get(setting)
        found = str(told.get(setting, "?")) if isinstance(told, dict) else "?"
        yield HealthCheck(f"Redis: {setting}", found == wanted, f"{found}: CONFIG SET {setting} {wanted}")


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """A node, and by how much its clock was ahead of the broker's when it told so last, by the broker's time."""

    node: str
    error_ms: int
    told_ms: int


def node_clocks(broker: Broker, namespace: Namespace) -> list[ClockOffset]:
    """The newest word of each node, by name."""
    newest: dict[str, ClockOffset] = {}
    for topic in ("captures", "route-state"):
        for record in _newest_records(broker, namespace.topic(topic)):
            told = _of_camera(record, broker.append_time) if topic == "captures" else _of_route(record)
            if told is not None and (told.node not in newest or newest[told.node].told_ms <= told.told_ms):
                newest[told.node] = told
    return [newest[node] for node in sorted(newest)]


def _newest_records(broker: Broker, topic: str) -> Iterator[InRecord]:
    """The newest records of each partition, among which the newest word of everybody is."""
    places = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(places, 0)) as reader:
        beginnings, ends = reader.beginning_offsets(places), reader.end_offsets(places)
        for place in places:
            reader.seek(place, max(beginnings[place], ends[place] - 2_000))
        yield from read_to_end(reader)


def _heartbeat(record: InRecord) -> CameraHeartbeat | None:
    if dict(record.headers).get("ce_type") != CameraHeartbeat.TYPE.encode():
        return None
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError:
        return None
    return message if isinstance(message, CameraHeartbeat) else None


def _of_camera(record: InRecord, is_stamped: bool) -> ClockOffset | None:
    message = _heartbeat(record)
    if message is None:
        return None
    error_ms = message.clock_error_ms
    if error_ms is None and is_stamped:
        error_ms = message.at_ms - record.timestamp_ms
    name = f"node of camera {message.camera_id}, line {message.line_id}"
    return None if error_ms is None else ClockOffset(name, error_ms, record.timestamp_ms)


def _of_route(record: InRecord) -> ClockOffset | None:
    headers = dict(record.headers)
    if record.key != b"clock:probe" or not headers.get("clock-error-ms"):
        return None
    name = f"node {headers.get('node', b'?').decode(errors='replace')} of route"
    return ClockOffset(name, int(headers["clock-error-ms"]), record.timestamp_ms)
