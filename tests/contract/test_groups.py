from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from linewarden_runtime.errors import CommitRefused, OffsetMissing
from linewarden_runtime.ports import Broker, Consumer, Start
from linewarden_runtime.records import OutRecord, Position, next_offsets
from tests.contract.conftest import Traits
from tests.support.reading import poll_until, take, values, write

Topic = Callable[..., str]


def test_a_new_group_starts_at_the_oldest_record_and_commits_that(broker: Broker, topic: Topic, namespace: str) -> None:
    name = topic()
    write(broker, [OutRecord(name, b"k", b"before the group was known")])
    with broker.consumer(group=f"{namespace}.g", topics=[name]) as consumer:
        assert values(take(consumer, 1)) == [b"before the group was known"]
        assert consumer.committed(consumer.assignment()) == {Position(name, 0): 0}


def test_a_group_that_may_not_choose_refuses_to_start(broker: Broker, topic: Topic, namespace: str) -> None:
    name = topic()
    with (
        broker.consumer(group=f"{namespace}.g", topics=[name], start=Start.REFUSE) as consumer,
        pytest.raises(OffsetMissing),
    ):
        poll_until(consumer, lambda: False)


def test_a_group_goes_on_at_its_named_offsets(broker: Broker, topic: Topic, namespace: str) -> None:
    name = topic()
    write(broker, [OutRecord(name, b"k", str(n).encode()) for n in range(5)])
    with broker.consumer(group=f"{namespace}.g", topics=[name]) as consumer:
        records = take(consumer, 5)
        consumer.commit(next_offsets(records[:2]))
    with broker.consumer(group=f"{namespace}.g", topics=[name]) as consumer:
        assert values(take(consumer, 3)) == [b"2", b"3", b"4"]


def test_a_member_that_polls_is_stable_and_may_commit(broker: Broker, topic: Topic, namespace: str) -> None:
    name = topic()
    with broker.consumer(group=f"{namespace}.g", topics=[name]) as consumer:
        assert not consumer.group().may_commit
        poll_until(consumer, lambda: bool(consumer.assignment()))
        group = consumer.group()
    assert group.may_commit
    assert group.group == f"{namespace}.g"


def _both_settled(first: Consumer, second: Consumer) -> None:
    """Let both poll, each on its own thread as in its own process, until they share one generation."""

    def settled() -> bool:
        groups = (first.group(), second.group())
        return groups[0].generation == groups[1].generation and all(g.may_commit for g in groups)

    with ThreadPoolExecutor(1) as others:
        polling = others.submit(poll_until, second, lambda: settled() and bool(second.assignment()))
        poll_until(first, lambda: settled() and polling.done())
        polling.result()


def test_joined_topics_are_split_alike_over_members(broker: Broker, topic: Topic, namespace: str) -> None:
    names = [topic("a", 4), topic("b", 4)]
    with (
        broker.consumer(group=f"{namespace}.g", topics=names) as first,
        broker.consumer(group=f"{namespace}.g", topics=names) as second,
    ):
        poll_until(first, lambda: bool(first.assignment()))
        _both_settled(first, second)
        for member in (first, second):
            numbers = [{p.partition for p in member.assignment() if p.topic == name} for name in names]
            assert numbers[0] == numbers[1]
            assert len(numbers[0]) == 2
        assert not first.assignment() & second.assignment()


def test_a_rebalance_begins_a_new_generation_and_rewinds_to_what_was_committed(
    broker: Broker, topic: Topic, namespace: str
) -> None:
    name = topic(partitions=2)
    write(broker, [OutRecord(name, b"k", str(n).encode(), partition=n % 2) for n in range(4)])
    with broker.consumer(group=f"{namespace}.g", topics=[name]) as first:
        before = [take(first, 4), first.group()]
        with broker.consumer(group=f"{namespace}.g", topics=[name]) as second:
            _both_settled(first, second)
            assert not first.group().same_generation(before[1])  # type: ignore[arg-type]
            (mine,) = first.assignment()
            first.seek(mine, 0)
            assert values(take(first, 2)) == [str(n).encode() for n in (mine.partition, mine.partition + 2)]


def test_a_commit_of_a_member_thrown_out_is_refused(
    broker: Broker, topic: Topic, namespace: str, expel: Callable[[Consumer], None]
) -> None:
    name = topic()
    write(broker, [OutRecord(name, b"k", b"")])
    with broker.consumer(group=f"{namespace}.g", topics=[name]) as consumer:
        records = take(consumer, 1)
        expel(consumer)
        with pytest.raises(CommitRefused):
            consumer.commit(next_offsets(records))


def test_a_static_member_that_returns_causes_no_rebalance(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    if not traits.static_members_return:
        pytest.xfail("this broker makes a static member wait for its session")
    name = topic()
    group = f"{namespace}.g"
    with broker.consumer(group=group, topics=[name], instance="s-0") as first:
        poll_until(first, lambda: bool(first.assignment()))
        generation = first.group().generation
    with broker.consumer(group=group, topics=[name], instance="s-0") as second:
        poll_until(second, lambda: bool(second.assignment()))
        assert second.group().generation == generation
