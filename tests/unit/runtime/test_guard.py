"""A simulation can not write to a live line, however it is set up; each refusal is tried."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linewarden_runtime.errors import GroupNotStable, LiveTopicRefused
from linewarden_runtime.guard import IsolatedBroker, IsolatedProducer
from linewarden_runtime.ports import Broker, TopicSpec
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.ids import InvalidId, Namespace
from linewarden_schemas.topics import CATALOGUE

LIVE = Namespace("line1")
OWN = Namespace("replay.r1")
SHADOW = Namespace("shadow.r1")
OTHERS = (LIVE, Namespace("replay"), Namespace("replay.r2"), Namespace("shadow.r2"), Namespace("line1-replay"))
"""A live line, and names that look like the own one."""
SERVICES = ("inspect", "keeper", "route", "projector")


@pytest.fixture
def broker() -> Iterator[MemoryBroker]:
    made = MemoryBroker()
    with made.admin() as admin:
        for namespace in (*OTHERS, OWN, SHADOW):
            provision_topics(admin, namespace, 2)
        for service in SERVICES:
            admin.provision(LIVE.group(service), [LIVE.topic("frames")])
    before = live_state(made)
    yield made
    assert live_state(made) == before


def live_state(broker: MemoryBroker) -> object:
    """Everything that a live line can see: records, epochs of identities, offsets and members of groups."""
    live = [name for name in broker.specs if not name.startswith((OWN.name + ".", SHADOW.name + "."))]
    with broker.admin() as admin:
        offsets = {service: admin.committed(LIVE.group(service)) for service in SERVICES}
    epochs = {name: epoch for name, epoch in broker.epochs.items() if not name.startswith((OWN.name, SHADOW.name))}
    members = {service: sorted(broker.group(LIVE.group(service)).members) for service in SERVICES}
    return {name: broker.records(name) for name in live}, epochs, offsets, members


def _snapshot(group: str) -> GroupSnapshot:
    return GroupSnapshot(group, "m", 1, None, stable=True)


Attempt = Callable[[Broker, Namespace], object]
ATTEMPTS: dict[str, Attempt] = {
    "join a group": lambda at, of: at.consumer(group=of.group("inspect"), topics=[of.topic("frames")]),
    "take an identity": lambda at, of: at.transactional_producer(of.transactional_id("route-0")),
    "take an identity that writes": lambda at, of: at.transactional_producer(
        OWN.transactional_id("route-0"), [Position(of.topic("dispositions"), 0)]
    ),
    "make a topic": lambda at, of: at.admin().create_topics([TopicSpec(of.topic("new"), 1)]),
    "delete a topic": lambda at, of: at.admin().delete_topics([of.topic("dispositions")]),
    "commit first offsets": lambda at, of: at.admin().provision(of.group("inspect"), [of.topic("frames")]),
    "commit for a group": lambda at, of: at.transactional_producer(OWN.transactional_id("r")).transact(
        [], {Position(of.topic("frames"), 0): 5}, _snapshot(of.group("inspect"))
    ),
    "drop offsets of a group": lambda at, of: at.transactional_producer(OWN.transactional_id("r")).release_offsets(
        [Position(of.topic("frames"), 0)], _snapshot(of.group("inspect"))
    ),
}


@pytest.mark.parametrize("of", OTHERS, ids=lambda one: one.name)
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_no_group_identity_or_topic_of_another_namespace_is_reached(
    attempt: Attempt, of: Namespace, broker: MemoryBroker
) -> None:
    with pytest.raises(LiveTopicRefused, match=of.name):
        attempt(IsolatedBroker(broker, OWN), of)


@pytest.mark.parametrize("of", OTHERS, ids=lambda one: one.name)
def test_no_topic_of_the_catalogue_is_written_in_or_outside_transactions(of: Namespace, broker: MemoryBroker) -> None:
    guarded = IsolatedBroker(broker, OWN)
    for name in CATALOGUE:
        record = OutRecord(of.topic(name), b"k", b"v")
        with guarded.producer() as plain, pytest.raises(LiveTopicRefused):
            plain.send(record)
        with guarded.transactional_producer(OWN.transactional_id("r")) as identity:
            identity.init()
            with pytest.raises(LiveTopicRefused):
                identity.transact([OutRecord(OWN.topic(name), b"k", b"v"), record])
        assert broker.records(OWN.topic(name)) == [], "what stands beside a refused record is not sent either"


@pytest.mark.parametrize("namespace", [LIVE, Namespace("replay"), Namespace("line1-replay")], ids=lambda one: one.name)
def test_a_live_namespace_makes_no_guard(namespace: Namespace, broker: MemoryBroker) -> None:
    with pytest.raises(LiveTopicRefused, match="live namespace"):
        IsolatedBroker(broker, namespace)
    with broker.producer() as plain, pytest.raises(LiveTopicRefused, match="live namespace"):
        IsolatedProducer(plain, namespace)


@pytest.mark.parametrize("name", ["", "../line1", "a.b", "x.line1", "line1\n", "Line1", ".."])
def test_a_name_of_a_run_that_leads_elsewhere_is_no_namespace(name: str) -> None:
    with pytest.raises(InvalidId):
        Namespace(f"replay.{name}")


@pytest.mark.parametrize("own", [OWN, SHADOW], ids=lambda one: one.name)
def test_what_is_its_own_works_and_everything_can_be_read(own: Namespace, broker: MemoryBroker) -> None:
    guarded = IsolatedBroker(broker, own)
    with guarded.producer() as plain:
        plain.send(OutRecord(own.topic("inspections"), b"k", b"v")).result(5)
    with guarded.transactional_producer(own.transactional_id("r")) as identity:
        identity.init()
        identity.transact([OutRecord(own.topic("inspections"), b"k", b"v")])
        unstable = GroupSnapshot(own.group("r"), "", -1, None, stable=False)
        with pytest.raises(GroupNotStable):  # the guard let it through, and the producer looks at the rest
            identity.transact([], {Position(LIVE.topic("frames"), 0): 1}, unstable)
    assert len(broker.records(own.topic("inspections"))) == 2
    with guarded.consumer(group=own.group("inspect"), topics=[LIVE.topic("frames")]) as consumer:
        assert consumer.partitions(LIVE.topic("frames")) == 2
    with guarded.reader({Position(LIVE.topic("frames"), 0): 0}) as reader:
        assert reader.poll(0.0) == []
    with guarded.admin() as admin:
        assert admin.describe(LIVE.topic("frames")).partitions == 2
        assert LIVE.topic("frames") in admin.topics()
        admin.delete_topics([own.topic("inspections")])


SERVICES_FOLDER = Path(__file__).parents[3] / "services"
READS_THE_LOG = ("linewarden_history", "linewarden_audit", "linewarden_archive", "linewarden_replay")
SOURCES = [path for package in READS_THE_LOG for path in (SERVICES_FOLDER / package).rglob("*.py")]
AUDITS = {Path("linewarden_audit/notary/notary.py"), Path("linewarden_audit/periods.py")}
"""What writes to a live namespace on purpose, and is no simulation: signed heads and closed periods."""


def test_what_reads_the_log_knows_neither_redis_nor_the_queue() -> None:
    for path in SOURCES:
        text = path.read_text()
        for word in ("import redis", "redis_client", "linewarden_reinspect"):
            assert word not in text, path


def test_whoever_makes_a_client_that_writes_goes_through_the_guard() -> None:
    makes = re.compile(r"\.(?:producer|transactional_producer|consumer)\(")
    found = {path.relative_to(SERVICES_FOLDER) for path in SOURCES if makes.search(path.read_text())}
    unguarded = {path for path in found - AUDITS if "Isolated" not in (SERVICES_FOLDER / path).read_text()}
    assert unguarded == set()
    assert found >= AUDITS, "the search finds what it looks for"
