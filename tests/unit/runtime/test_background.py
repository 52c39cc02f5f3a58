"""Work beside the main thread: waited for at the end, and its failure is everybody's."""

from __future__ import annotations

import sys
import threading

import pytest

from linewarden_runtime.background import Background
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.lifecycle import Stop


def test_a_failure_asks_the_process_to_stop_and_is_raised_where_the_work_is_waited_for() -> None:
    stop = Stop()

    def fail() -> None:
        raise BrokerUnavailable("gone")

    with Background("forget", fail, stop) as work:
        stop.event.wait()
    assert stop.reason == "forget failed"
    with pytest.raises(BrokerUnavailable):
        work.result()


def test_also_what_is_no_exception_of_ours_ends_the_process() -> None:
    stop = Stop()
    work = Background("web", sys.exit, stop).start()
    with pytest.raises(SystemExit):
        work.result()
    assert stop.is_set()


def test_leaving_waits_for_the_work_and_its_end_stops_nobody() -> None:
    stop, until, done = Stop(), threading.Event(), []

    def work() -> None:
        until.wait()
        done.append(threading.current_thread().name)

    with Background("books", work, stop) as books:
        until.set()
    assert done == ["books"]
    books.result()
    assert not stop.is_set()


def test_work_that_does_not_end_is_waited_for_no_longer_than_is_said() -> None:
    until = Stop()

    def work() -> None:
        until.event.wait()
        raise BrokerUnavailable("gone")

    slow = Background("slow", work, Stop()).start()
    slow.result(0.0)
    until.set("test")
    with pytest.raises(BrokerUnavailable):
        slow.result()
