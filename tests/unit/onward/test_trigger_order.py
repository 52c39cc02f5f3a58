"""A simulated belt has its parts in the order of their triggers, whatever order partitions bring them in."""

from __future__ import annotations

from linewarden_onward.simulated_plc import TriggerOrder


def test_the_first_waits_for_those_before_it_and_then_each_comes_at_once_in_its_turn() -> None:
    order = TriggerOrder(patience_ms=100)
    order.add(8, 0)
    order.add(7, 40)
    assert order.due(99) == []
    assert order.due(140) == [7, 8]
    order.add(10, 200)
    assert order.due(201) == []
    order.add(9, 202)
    assert order.due(202) == [9, 10]


def test_one_that_does_not_come_is_waited_for_no_longer_than_stated() -> None:
    order = TriggerOrder(patience_ms=100)
    order.add(1, 0)
    assert order.due(100) == [1]
    order.add(3, 100)
    assert order.due(199) == []
    assert order.due(200) == [3]


def test_one_that_comes_when_its_turn_is_over_is_given_at_once() -> None:
    order = TriggerOrder(patience_ms=100)
    order.add(5, 0)
    assert order.due(100) == [5]
    order.add(4, 150)
    assert order.due(150) == [4]
    order.add(6, 151)
    assert order.due(151) == [6]
