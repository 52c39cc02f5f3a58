"""On Apache Kafka, whose markers leave holes between offsets: a shadow, closed periods, an archive's deletions."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from typer.testing import CliRunner, Result

from linewarden.cli import app
from linewarden_archive.archive import Archive
from linewarden_audit.periods import close_period
from linewarden_history.reading import records_since
from linewarden_history.selection import Selection
from linewarden_replay.inspecting import ReplayPlan, Setting
from linewarden_replay.replay import run as rerun
from linewarden_replay.shadow.comparing import ShadowBounds
from linewarden_replay.shadow.shadow import Shadowed
from linewarden_replay.shadow.shadow import run as run_shadow
from linewarden_replay.shadow.standing import ShadowStanding
from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import Fenced
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import recipe_record
from linewarden_runtime.records import OutRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.recipe import TimeBudget
from linewarden_schemas.topics import CATALOGUE
from linewarden_schemas.vocabulary import Cause, Routing
from tests.integration.inspect.test_worker_on_tansu import FAR_MS, PARTITIONS, running, send
from tests.support import shift
from tests.support.bundles import digest_in, random_picture
from tests.support.frames import capture_record, metadata, picture_bytes, recipe
from tests.support.route_line import RouteLine, turn_until, turn_until_owned
from tests.support.shift import AT, capture, disposition, inspection, passed, slot_open, visit, waiting
from tests.support.topics import Watcher, provisioned, publish
from tests.unit.audit.test_periods import TOPICS

pytestmark = pytest.mark.kafka

VISITS, MORE = 30, 6
GROUPS = ("inspect", "keeper", "route", "projector")
PATIENT = {"max_skew_ms": 60_000, "spool_horizon_ms": FAR_MS}
"""What is late is not looked at here: visits are told to have been captured in another year."""


class Beside:
    """A shadow of `b` beside a line that is judged by `a`; it stops and goes on as often as it is asked to."""

    def __init__(self, broker: KafkaBroker, line: Namespace, store: Path, kept: Path) -> None:
        self.broker, self.line, self._kept = broker, line, kept
        self.own = Namespace(f"shadow.{line.name}")
        setting = Setting(digest_in(store, "b"))
        self.plan = ReplayPlan(Selection(0, FAR_MS), store, setting, "cpu", name=line.name)
        self.joined = Event()

    def run(self, frames: int) -> Shadowed:
        bounds = ShadowBounds(frames, for_s=60.0, tell_s=0.1)
        clock = SystemClock()
        return run_shadow(
            self.broker, self.line, self.plan, bounds, Stop(), clock=clock, results=self._kept, tell=self._told
        )

    def _told(self, standing: ShadowStanding) -> None:
        if standing.behind is not None:
            self.joined.set()

    def committed(self) -> int:
        with self.broker.admin() as admin:
            return sum(admin.committed(self.own.group("inspect")).values())

    def said(self) -> list[str]:
        return [one.frame_id for one in inspections(self.broker, self.own) if one.is_simulated]


def inspections(broker: KafkaBroker, of: Namespace) -> list[Inspection]:
    records = records_since(broker, of.topic("inspections"), 0)
    found = [decode(record.headers, record.value).message for record in records]
    return [one for one in found if isinstance(one, Inspection)]


def live_state(broker: KafkaBroker, line: Namespace) -> dict[str, dict[Position, int]]:
    """Ends of all live topics but the workers' heartbeats, and what all live groups committed."""
    with broker.admin() as admin:
        state = {name: admin.committed(line.group(name)) for name in GROUPS}
    return state | {name: ends(broker, line.topic(name)) for name in CATALOGUE if name != "workers"}


def ends(broker: KafkaBroker, topic: str) -> dict[Position, int]:
    places = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(places, 0)) as reader:
        return reader.end_offsets(places)


def names(server: ApacheKafka) -> set[str]:
    """Of all groups and topics that the broker knows."""
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap_servers)) as admin:
        return {one["group_id"] for one in admin.list_groups()} | set(admin.list_topics())


def captured(broker: KafkaBroker, line: Namespace, numbers: range) -> None:
    """Captures and frames of whole visits, as ingest publishes them."""
    payloads = {number: picture_bytes(random_picture(number)) for number in numbers}
    metas = {n: metadata(payload, n, decide_by_ms=FAR_MS) for n, payload in payloads.items()}
    publish(broker, *(capture_record(line, meta, n, partitions=PARTITIONS) for n, meta in metas.items()))
    send(broker, line, numbers, version=1)


def records_of(line: Namespace, *messages: Message) -> list[OutRecord]:
    made = []
    for one in messages:
        sent = encode(one, id="x", source="/test", time_ms=AT)
        of_visit = str(getattr(one, "visit_id", "none"))
        key = str(getattr(one, "slot_id", of_visit)) if TOPICS[type(one).__name__] == "reinspections" else of_visit
        topic = line.topic(TOPICS[type(one).__name__])
        made.append(OutRecord(topic, key.encode(), sent.value, sent.headers, partition_of(of_visit, PARTITIONS)))
    return made


def commit(broker: KafkaBroker, line: Namespace, *messages: Message) -> None:
    """Write messages in one transaction, which leaves a marker in each partition that it touched."""
    with broker.transactional_producer(line.transactional_id("test")) as producer:
        producer.init()
        producer.transact(records_of(line, *messages))


def never(broker: KafkaBroker, line: Namespace, *messages: Message) -> None:
    """Write messages in a transaction that is aborted when they have arrived: they lie in the log all the same."""
    with closing(KafkaProducer(**broker.settings.transactional_producer(line.transactional_id("test")))) as client:
        client.init_transactions()
        client.begin_transaction()
        for one in records_of(line, *messages):
            client.send(one.topic, one.value, one.key, list(one.headers), one.partition).get(30)
        client.abort_transaction()


def assert_has_holes(broker: KafkaBroker, line: Namespace, name: str) -> None:
    topic = line.topic(name)
    assert len(list(records_since(broker, topic, 0))) < sum(ends(broker, topic).values())


@pytest.fixture
def told(apache_kafka: KafkaBroker, namespace: str) -> Namespace:
    """Four visits that passed, one that waits for a person, and an answer and a routing that were never committed."""
    return told_of(apache_kafka, Namespace(namespace))


def told_of(broker: KafkaBroker, line: Namespace) -> Namespace:
    """Write them into a new line."""
    provisioned(broker, line, PARTITIONS)
    commit(broker, line, *passed(0), *passed(1))
    never(broker, line, disposition(1, Routing.REJECTED), inspection(1, p=0.9))
    held = disposition(2, Routing.TRUSTED_PASS, lot_id="L7")
    commit(broker, line, capture(2, lot_id="L7"), inspection(2), held, *passed(3), *waiting(4))
    return line


@pytest.fixture
def told_now(apache_kafka: KafkaBroker, told: Namespace, monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """The same visits, happening now: the broker stamps its own time, and a pass after its deadline is none."""
    line = Namespace(f"{told.name}-now")
    monkeypatch.setattr(shift, "AT", SystemClock().now_ms())
    monkeypatch.setattr(shift, "BUDGET", 60_000)
    monkeypatch.setenv("LINEWARDEN_NAMESPACE", line.name)
    told_of(apache_kafka, line)
    described = shift.recipe("top").model_copy(update={"time": TimeBudget(decide_by_ms=60_000)})
    publish(apache_kafka, recipe_record(line, described, "/test"))
    return line


@pytest.fixture
def commands(apache_server: ApacheKafka, told: Namespace, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS", apache_server.bootstrap_servers)
    monkeypatch.setenv("LINEWARDEN_NAMESPACE", told.name)
    return CliRunner()


def call(runner: CliRunner, *words: str) -> Result:
    return runner.invoke(app, list(words), catch_exceptions=False)


def test_a_shadow_goes_on_from_its_commits_and_leaves_offsets_groups_and_topics_of_the_line_alone(
    apache_kafka: KafkaBroker, apache_server: ApacheKafka, namespace: str, bundle_store: Path, tmp_path: Path
) -> None:
    line = Namespace(namespace)
    provisioned(apache_kafka, line, PARTITIONS)
    publish(apache_kafka, recipe_record(line, recipe(digest_in(bundle_store, "a"), time=PATIENT), "/test"))
    never(apache_kafka, line, inspection(0, p=0.9), inspection(1))
    beside = Beside(apache_kafka, line, bundle_store, tmp_path / "kept")
    with ExitStack() as held:
        live = held.enter_context(closing(RouteLine(apache_kafka, namespace, PARTITIONS, has_topics=True)))
        routed = held.enter_context(Watcher(apache_kafka, line.topic("dispositions"), Disposition))
        router = live.router()
        held.enter_context(running(apache_kafka, line, bundle_store, "0"))
        turn_until_owned(live, router)
        known = names(apache_server)
        with ThreadPoolExecutor() as pool:
            begun = pool.submit(beside.run, 10)
            turn_until(lambda: beside.joined.is_set() or begun.done(), router)
            captured(apache_kafka, line, range(VISITS))
            turn_until(lambda: begun.done() and len(routed.poll(0.05)) >= VISITS, router)
        first = begun.result().report
        assert 10 <= first.frames < VISITS, "it ended with its batch"
        assert beside.committed() == first.frames
        captured(apache_kafka, line, range(VISITS, VISITS + MORE))
        turn_until(lambda: len(routed.poll(0.05)) >= VISITS + MORE, router)
        before = live_state(apache_kafka, line)
        found = beside.run(VISITS + MORE - first.frames)
        assert live_state(apache_kafka, line) == before

    assert (found.report.frames, found.report.counts.resumed) == (VISITS + MORE, first.frames)
    assert (found.standing.behind, beside.committed()) == (0, VISITS + MORE)
    assert sorted(beside.said()) == sorted(one.frame_id for one in inspections(apache_kafka, line))
    assert names(apache_server) - known == {beside.own.group("inspect"), beside.own.topic("inspections")}
    again = rerun(apache_kafka, line, ReplayPlan(Selection(0, FAR_MS), bundle_store, beside.plan.setting, "cpu"))
    assert (found.report.by_kind, found.report.by_routing) == (again.by_kind, again.by_routing)
    assert (found.report.containment, found.report.differing) == (again.containment, again.differing)
    assert found.report.by_kind["not_recorded"] == 0 < found.report.differing
    assert_has_holes(apache_kafka, line, "inspections")


def test_a_period_is_closed_once_and_what_comes_later_about_it_is_named(
    apache_kafka: KafkaBroker, commands: CliRunner, told_now: Namespace
) -> None:
    told = told_now

    def close() -> tuple[int, dict[str, Any]]:
        done = call(commands, "audit", "balance", "--close", "--by", "anna", "--json")
        return done.exit_code, json.loads(done.output)

    def stretches(period: dict[str, Any], end: str) -> dict[tuple[str, int], int]:
        return {(one["topic"], one["partition"]): one[end] for one in period["stretches"]}

    code, closed = close()
    assert code == 0, closed
    first = closed["period"]
    assert (code, first["visits"], first["final"], first["open_ids"]) == (0, 5, 4, [visit(4)])
    assert all(
        offset == ends(apache_kafka, t)[Position(t, p)] for (t, p), offset in stretches(first, "to_offset").items()
    )
    code, closed = close()
    again = closed["period"]
    assert (code, again["number"], again["visits"], again["carried"]) == (0, 1, 1, 1), (
        "what is closed is not closed again"
    )
    assert stretches(again, "from_offset") == stretches(again, "to_offset") == stretches(first, "to_offset")

    late: dict[str, Any] = {"frame_id": f"{visit(0)}.side.1-5", "visit_id": visit(0), "view_id": "side"}
    anew: dict[str, Any] = {"revision": 1, "final": False, "alarm": "a worse view came"}
    worse = disposition(0, Routing.REJECTED, Cause.REJECT_REVIEW, **anew)
    asked = slot_open(0, cause=Cause.REJECT_REVIEW, shown=((late["frame_id"], "side"),))
    commit(apache_kafka, told, capture(5, **late), inspection(5, p=0.9, **late), worse, asked)
    code, closed = close()
    assert code == 0, closed["findings"]
    assert (closed["period"]["reopened"], closed["period"]["carried"]) == (1, 1)

    def meanwhile(name: str, count: int) -> None:
        if (name, count) == ("captures", 1):
            assert close()[0] == 0

    with pytest.raises(Fenced):
        close_period(apache_kafka, told, SystemClock().now_ms(), "ben", progress=meanwhile)
    commit(apache_kafka, told, disposition(2, Routing.REJECTED))
    code, refused = close()
    assert (code, refused["doubled"], refused["period"]) == (1, [visit(2)], None)
    listed = call(commands, "audit", "periods", "--json")
    periods = json.loads(listed.output)
    assert (listed.exit_code, periods["holds"], [one["number"] for one in periods["periods"]]) == (
        0,
        True,
        [0, 1, 2, 3],
    )
    assert_has_holes(apache_kafka, told, "dispositions")


def test_an_archive_deletes_what_is_due_but_the_lot_on_hold_and_goes_on_from_where_it_ended(
    apache_kafka: KafkaBroker, told: Namespace, commands: CliRunner, tmp_path: Path
) -> None:
    folder, rules = str(tmp_path / "archive"), tmp_path / "rules.toml"
    rules.write_text('[[rule]]\ntopics = ["dispositions", "inspections"]\ndays = 30\n')

    def kept(topic: str) -> set[str]:
        found = [decode(one.headers, one.value).message for one in Archive(Path(folder)).records(topic)]
        return {str(getattr(one, "visit_id", None)) for one in found}

    assert json.loads(call(commands, "archive", "write", folder, "--json").output)["records"] == 16
    assert call(commands, "hold", "add", folder, "L7", "--reason", "claim 12", "--by", "ann").exit_code == 0
    call(commands, "retention", "apply", folder, "--policy", str(rules), "--by", "ann", "--yes")
    assert kept("dispositions") == kept("inspections") == {visit(2), visit(4)}, "on hold, and without a last word"
    commit(apache_kafka, told, *passed(5))
    assert json.loads(call(commands, "archive", "write", folder, "--json").output)["records"] == 3
    assert call(commands, "archive", "verify", folder).exit_code == 0
    call(commands, "hold", "release", folder, "L7", "--reason", "settled", "--by", "ann")
    call(commands, "retention", "apply", folder, "--policy", str(rules), "--by", "ann", "--yes")
    assert kept("dispositions") == kept("inspections") == {visit(4)}
    assert call(commands, "archive", "verify", folder).exit_code == 0
    assert len(kept("captures")) == 6, "of which no rule speaks"
