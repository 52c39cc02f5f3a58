"""Told in order, acknowledged before it is committed, once at least; and nothing opens in doubt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from linewarden_onward.interface import GateAct, Notice, OutputAway, OutputRefused, OutputRun
from linewarden_onward.metrics import PASSED_OVER
from linewarden_onward.teller import Teller, Telling
from linewarden_onward.testing import BUDGET_MS, NAMESPACE, PARTITIONS, TrialPlant, decided
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError, DeadLetterCapExceeded, Fenced, TransactionFailed
from linewarden_runtime.health import Health
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_schemas.vocabulary import Cause, Routing
from tests.unit.onward.outputs import PlayedOptions, PlayedReceiver


@pytest.fixture
def options() -> PlayedOptions:
    return PlayedOptions(output_id="plc1")


@pytest.fixture
def receiver(options: PlayedOptions) -> PlayedReceiver:
    return options.receiver


@pytest.fixture
def plant(options: PlayedOptions) -> Iterator[TrialPlant]:
    with TrialPlant(options) as made:
        yield made


def clock_of(plant: TrialPlant) -> ManualClock:
    assert isinstance(plant.clock, ManualClock)
    return plant.clock


def test_it_is_told_in_the_order_of_each_partition_and_committed_after(
    plant: TrialPlant, receiver: PlayedReceiver
) -> None:
    said = [plant.passed(number) for number in range(9)]
    plant.turn()
    for partition in range(PARTITIONS):
        here = [f"{one.visit_id}:0" for one in said if partition_of(one.visit_id, PARTITIONS) == partition]
        assert [key for key in receiver.keys if key in here] == here
    assert sorted(receiver.keys) == sorted(f"{one.visit_id}:0" for one in said)
    assert plant.committed() == 9
    assert [one.permission.sequence for one in receiver.told if one.permission] == list(range(1, 10))


def test_nothing_is_committed_before_it_is_acknowledged(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    receiver.faults = [("tell", OutputAway("no answer"))]
    said = plant.passed(1)
    plant.turn()
    assert (receiver.tries, receiver.told, plant.committed()) == ([[f"{said.visit_id}:0"]], [], 0)
    assert "no answer" in plant.health.waiting()["output"]
    clock_of(plant).advance(1.0)
    plant.turn()
    assert (receiver.keys, plant.committed()) == ([f"{said.visit_id}:0"], 1)
    assert plant.health.waiting() == {}


def test_who_dies_between_telling_and_commit_is_followed_by_one_that_tells_it_again(
    options: PlayedOptions, receiver: PlayedReceiver
) -> None:
    first = TrialPlant(options)
    said = first.passed(1)
    first.turn(1)
    first.turn(1)
    assert (receiver.keys, first.committed()) == ([f"{said.visit_id}:0"], 0)
    with TrialPlant(options, first.broker) as heir:
        heir.turn()
        assert (receiver.keys, heir.committed()) == ([f"{said.visit_id}:0"] * 2, 1)


def test_what_is_away_is_tried_ever_more_seldom_and_beats_all_the_while(
    plant: TrialPlant, receiver: PlayedReceiver
) -> None:
    receiver.faults = [("tell", OutputAway("no answer")) for _ in range(100)]
    plant.passed(1)
    for _ in range(60):
        plant.turn(1)
        clock_of(plant).advance(0.5)
    assert 5 <= len(receiver.tries) <= 20
    assert receiver.beats >= 59


def test_a_receiver_that_asks_for_a_while_gets_it(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    receiver.faults = [("tell", OutputAway("busy", retry_after_s=60.0))]
    plant.passed(1)
    plant.turn()
    clock_of(plant).advance(50.0)
    plant.turn()
    assert len(receiver.tries) == 1
    clock_of(plant).advance(10.0)
    plant.turn()
    assert len(receiver.told) == 1


def test_an_output_that_does_not_open_is_opened_again(options: PlayedOptions, receiver: PlayedReceiver) -> None:
    receiver.faults = [("open", OutputAway("not there"))]
    with TrialPlant(options) as plant:
        plant.passed(1)
        plant.turn()
        assert receiver.opened == 0
        assert "not there" in plant.health.waiting()["output"]
        clock_of(plant).advance(1.0)
        plant.turn()
        assert (receiver.opened, len(receiver.told)) == (1, 1)


def test_an_output_whose_library_is_missing_says_what_to_install(
    options: PlayedOptions, receiver: PlayedReceiver
) -> None:
    receiver.faults = [("open", ModuleNotFoundError("No module named 'paho'", name="paho"))]
    with TrialPlant(options) as plant, pytest.raises(ConfigurationError, match=r"needs paho.*linewarden\[onward\]"):
        plant.turn()


def test_it_beats_between_those_of_a_backlog(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    for number in range(40):
        plant.passed(number)
    plant.turn(2)
    assert max(len(keys) for keys in receiver.tries) <= 8
    assert receiver.beats >= len(receiver.tries)


def test_an_output_that_hangs_is_watched(options: PlayedOptions, receiver: PlayedReceiver) -> None:
    watched: list[str] = []

    @contextmanager
    def guard(doing: str) -> Iterator[None]:
        watched.append(doing)
        yield

    run = OutputRun("line1", 1, ManualClock(), threading.Event(), lambda: 1)
    teller = Teller(options, run, lambda: True, Health(), guard=guard)
    teller.hand_over([Telling(decided(1, 1), 1)])
    teller.turn()
    teller.close()
    assert watched == ["open", "tell", "beat", "close"]


def test_a_permission_is_not_told_once_it_has_expired(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    receiver.faults = [("tell", OutputAway("no answer"))]
    plant.passed(1)
    plant.turn()
    clock_of(plant).advance(BUDGET_MS / 1000)
    plant.turn()
    assert [one.permission for one in receiver.told] == [None]


def test_what_is_told_again_in_time_has_the_same_sequence(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    receiver.faults = [("tell", OutputAway("no answer"))]
    plant.passed(1)
    plant.turn()
    clock_of(plant).advance(0.6)
    plant.turn()
    assert [one.permission.sequence for one in receiver.told if one.permission] == [1]


def test_simulated_parts_and_later_revisions_are_told_without_a_permission(
    plant: TrialPlant, receiver: PlayedReceiver
) -> None:
    plant.passed(1, is_simulated=True)
    plant.passed(2, revision=1)
    plant.turn()
    assert [one.permission for one in receiver.told] == [None, None]
    assert [one.disposition.is_simulated for one in receiver.told if one.key.endswith(":0")] == [True]


def test_a_pass_that_was_taken_back_before_it_was_told_has_no_permission(
    plant: TrialPlant, receiver: PlayedReceiver
) -> None:
    said = plant.passed(1)
    plant.decide(said.model_copy(update={"revision": 1, "routing": Routing.DIVERTED, "causes": (Cause.LATE,)}))
    plant.turn()
    assert (len(receiver.told), receiver.permitted) == (2, [])


def test_simulated_parts_open_where_it_is_set_and_that_is_told(
    options: PlayedOptions, receiver: PlayedReceiver
) -> None:
    with TrialPlant(options, simulated_opens=True) as plant:
        plant.passed(1, is_simulated=True)
        plant.turn()
        assert len(receiver.permitted) == 1
        assert "open the gate" in plant.health.ailments()["simulated parts"]


def test_while_the_brokers_time_is_not_known_nothing_opens(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    outputs = NAMESPACE.topic("outputs")
    plant.broker.specs[outputs] = replace(plant.broker.specs[outputs], configs={})  # stamped by nobody any more
    clock_of(plant).set_wall(plant.clock.now_ms() + 10_000)  # what was known of the broker's time is gone
    plant.passed(1)
    plant.turn()
    assert [one.permission for one in receiver.told] == [None]
    assert "nothing opens" in plant.health.ailments()["broker time"]


def test_a_machine_that_slept_tells_nothing_before_it_has_said_its_word_again(
    plant: TrialPlant, receiver: PlayedReceiver
) -> None:
    plant.turn()
    plant.passed(1)
    plant.loop.step()
    clock_of(plant).set_wall(plant.clock.now_ms() + 3_600_000)  # its monotonic clock stood still
    plant.loop.teller.turn()
    assert receiver.told == []
    plant.turn()
    assert len(receiver.told) == 1


def test_what_is_refused_is_a_dead_letter_and_the_next_is_told(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    said = [
        decided(number, plant.clock.now_ms(), visit_id=f"line1.st1.{1_764_000_000_000}.{1:06d}", revision=number)
        for number in range(3)
    ]
    receiver.faults = [("tell", OutputRefused(Notice(said[1]), "not mine", cause="http-422"))]
    plant.decide(*said)
    plant.turn()
    assert receiver.keys == [f"{said[2].visit_id}:2"]  # the first of them was told in the refused call
    (letter,) = plant.letters()
    assert (letter.cause, letter.detail, letter.visit_id) == ("http-422", "not mine", said[1].visit_id)
    assert plant.committed() == 3


def test_too_many_refusals_stop_it_once_they_are_committed(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    for number in range(60):
        plant.passed(number)
    receiver.refuses = "no"
    with pytest.raises(DeadLetterCapExceeded):
        plant.turn()
    assert (len(plant.letters()), plant.committed()) == (60, 60)


def test_what_is_no_disposition_is_a_dead_letter_and_another_lines_is_passed_over(
    plant: TrialPlant, receiver: PlayedReceiver
) -> None:
    plant.broker.append(OutRecord(NAMESPACE.topic("dispositions"), b"visit", b"what?"))
    plant.passed(1, line_id="line2")
    said = plant.passed(2)
    plant.turn()
    assert receiver.keys == [f"{said.visit_id}:0"]
    assert [one.cause for one in plant.letters()] == ["unreadable"]
    assert plant.committed() == 3


def test_a_known_bad_is_no_part_of_the_plants_and_is_counted(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    counted = PASSED_OVER.labels(output="plc1", cause="known_bad")._value
    before = counted.get()
    plant.passed(1, routing=Routing.DIVERTED, final=False, causes=(Cause.KNOWN_BAD,))
    said = plant.passed(1)
    plant.turn()
    assert (receiver.keys, plant.committed(), counted.get() - before) == ([f"{said.visit_id}:0"], 2, 1)


def test_what_a_gate_did_is_written_beside_its_visit(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    said = plant.passed(1)
    plant.turn()
    receiver.acts = [
        GateAct(said.visit_id, Routing.TRUSTED_PASS, Routing.DIVERTED, 5, "jammed", bin_full=True),
        GateAct("line1.st1.1764000000000.000009", Routing.TRUSTED_PASS, None, 6),
    ]
    plant.turn(2)
    known, unknown = sorted(plant.actuations(), key=lambda one: one.at_ms)
    assert (known.visit_id, known.intended, known.actual, known.detail) == (
        said.visit_id,
        "trusted_pass",
        "diverted",
        "jammed",
    )
    assert (known.output_id, known.epoch, known.sequence, known.is_simulated) == ("plc1", 1, 1, False)
    assert known.bin_full is True
    assert (unknown.actual, unknown.sequence, unknown.is_simulated) == (None, None, None)
    assert unknown.bin_full is None
    places = {one.key: one.partition for one in plant.broker.records(NAMESPACE.topic("actuations"))}
    assert places[said.visit_id.encode()] == partition_of(said.visit_id, PARTITIONS)


def test_a_member_that_stands_nowhere_yet_has_no_position_to_ask_for(
    plant: TrialPlant, receiver: PlayedReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = plant.loop
    loop._consumer.poll(0.0)
    assert loop._consumer.assignment()
    monkeypatch.setattr(loop, "_read", lambda: None)  # its first transaction failed, so it has not gone on
    monkeypatch.setattr(loop._consumer, "position", lambda _: pytest.fail("a group without offsets has none"))
    clock_of(plant).advance(60.0)
    loop.step()
    assert receiver.keys == []


def test_a_failed_transaction_loses_nothing(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    said = plant.passed(1)
    plant.turn(2)
    receiver.acts = [GateAct(said.visit_id, Routing.TRUSTED_PASS, Routing.TRUSTED_PASS, 5)]
    plant.loop.teller.turn()
    plant.broker.faults.order(Fault.SEND, Fault.INIT, Fault.COMMIT_LOST)
    plant.turn(4)
    assert (receiver.keys, plant.committed()) == ([f"{said.visit_id}:0"], 1)
    assert {one.visit_id for one in plant.actuations()} == {said.visit_id}
    assert {one.epoch for one in plant.states()} == {1}


def test_an_eviction_from_the_group_tells_nothing_twice_and_leaves_nothing_out(
    plant: TrialPlant, receiver: PlayedReceiver
) -> None:
    said = [plant.passed(number) for number in range(4)]
    plant.turn(2)
    plant.broker.evict(NAMESPACE.group("onward-plc1"))
    said += [plant.passed(number) for number in range(4, 8)]
    plant.turn(6)
    assert sorted(receiver.keys) == sorted(f"{one.visit_id}:0" for one in said)
    assert plant.committed() == 8


def test_the_first_start_is_at_the_end_and_committed_at_once(options: PlayedOptions, receiver: PlayedReceiver) -> None:
    with TrialPlant(PlayedOptions(output_id="other")) as other:
        broker = other.broker
        other.passed(1)
        first = TrialPlant(options, broker, start="latest")
        first.turn()
        assert (receiver.told, first.committed()) == ([], 1)
        said = first.passed(2)
        with TrialPlant(options, broker, start="latest") as heir:
            heir.turn()
        assert receiver.keys == [f"{said.visit_id}:0"]


def test_the_heir_raises_the_epoch_and_the_one_before_says_nothing_more(
    options: PlayedOptions, receiver: PlayedReceiver
) -> None:
    old = TrialPlant(options)
    old.passed(1)
    old.turn()
    heirs = PlayedOptions(output_id="plc1")
    with TrialPlant(heirs, old.broker) as heir:
        assert [one.epoch for one in heir.states() if one.epoch == 2]
        assert heirs.receiver.opened == 0
        heir.passed(2)
        told = len(receiver.told)
        old.loop.teller.turn()
        with pytest.raises(Fenced):
            old.turn(10)
        heir.turn()
        assert len(receiver.told) == told
        assert [one.permission.epoch for one in heirs.receiver.told if one.permission] == [2]


def test_who_stood_still_tells_nothing_before_its_word_is_renewed(plant: TrialPlant, receiver: PlayedReceiver) -> None:
    plant.passed(1)
    plant.turn(1)  # handed over, and turned once
    told = len(receiver.told)
    plant.passed(2)
    plant.loop.step()
    plant.loop.step()
    clock_of(plant).advance(10.0)  # as SIGSTOP does, with something in hand
    plant.loop.teller.turn()
    assert len(receiver.told) == told
    assert receiver.run is not None
    assert receiver.run.now_ms() is None
    plant.turn()
    assert len(receiver.told) == 2


def test_the_heir_waits_until_the_last_word_of_the_one_before_is_over(options: PlayedOptions) -> None:
    old = TrialPlant(options)
    clock = clock_of(old)
    old.turn()
    before = clock.monotonic()
    with TrialPlant(options, old.broker):
        assert 2.5 <= clock.monotonic() - before <= 3.5
        before = clock.monotonic()
    clock.advance(60.0)
    before = clock.monotonic()
    with TrialPlant(options, old.broker):
        assert clock.monotonic() - before < 0.5


def test_a_process_that_lost_its_output_does_not_take_it_back_after_a_failure(options: PlayedOptions) -> None:
    old = TrialPlant(options)
    old.turn()
    with TrialPlant(options, old.broker) as heir:
        with pytest.raises(Fenced, match="epoch 2"):
            old.loop._tenure.retake()
        heir.passed(1)
        heir.turn()
        assert heir.committed() == 1


def test_a_broker_that_never_confirms_ends_the_process(plant: TrialPlant) -> None:
    plant.turn()
    clock_of(plant).advance(2.0)
    plant.broker.faults.order(Fault.SEND, *[Fault.INIT] * 10)
    with pytest.raises(TransactionFailed):
        plant.turn(3)


def test_each_output_has_offsets_and_epochs_of_its_own() -> None:
    one, two = PlayedOptions(output_id="one"), PlayedOptions(output_id="two")
    with TrialPlant(one) as first:
        assert isinstance(first.broker, MemoryBroker)
        with TrialPlant(two, first.broker) as second:
            first.passed(1)
            first.turn()
            second.turn()
            assert (len(one.receiver.told), len(two.receiver.told)) == (1, 1)
            assert {(state.output_id, state.epoch) for state in first.states()} == {("one", 1), ("two", 1)}


def test_a_member_that_was_put_out_while_it_owes_a_commit_polls_long_enough_to_come_back(
    plant: TrialPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join is finished in a poll that waits; with none the offsets are owed, and nothing is read, for ever."""
    plant.passed(1)
    plant.loop.step()
    plant.loop.step()  # the first finds where the group stands
    plant.loop.teller.turn()
    consumer, waits = plant.loop._consumer, list[float]()
    out, poll = replace(consumer.group(), stable=False), consumer.poll

    def polled(wait_s: float, most: int | None = None) -> list[InRecord]:
        waits.append(wait_s)
        return poll(0.0, most)

    monkeypatch.setattr(plant.loop, "_idle_poll_s", 0.25)
    monkeypatch.setattr(consumer, "poll", polled)
    with monkeypatch.context() as patch:
        patch.setattr(consumer, "group", lambda: out)
        plant.loop.step()
    assert (waits, plant.committed()) == ([0.25], 0)
    plant.turn()
    assert plant.committed() == 1
