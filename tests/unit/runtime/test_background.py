"""Work beside the main thread: waited for at the end, and its failure is everybody's."""

from __future__ import annotations

import sys
import threading

import pytest

from linewarden_runtime.background import Background
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.lifecycle import Stop


def fail(_until: Stop) -> None:
    raise BrokerUnavailable("gone")


def fail_when_asked(until: Stop) -> None:
    until.event.wait()
    raise BrokerUnavailable("gone")


def test_a_failure_asks_the_process_to_stop_and_is_raised_at_the_end_of_the_block() -> None:
    stop = Stop()
    with pytest.raises(BrokerUnavailable), Background("forget", fail, stop):
        stop.event.wait()
    assert stop.reason == "forget failed"


def test_what_the_block_itself_raises_goes_before_a_failure_of_the_work() -> None:
    with pytest.raises(ZeroDivisionError), Background("forget", fail_when_asked, Stop()):
        raise ZeroDivisionError


def test_also_what_is_no_exception_of_ours_ends_the_process() -> None:
    stop = Stop()
    work = Background("web", lambda _until: sys.exit(3), stop).start()
    with pytest.raises(SystemExit):
        work.result()
    assert stop.is_set()


def test_leaving_asks_the_work_to_return_and_waits_for_it_and_that_stops_nobody() -> None:
    stop, done = Stop(), []

    def work(until: Stop) -> None:
        until.event.wait()
        done.append(threading.current_thread().name)

    with Background("books", work, stop):
        assert not done
    assert done == ["books"]
    assert not stop.is_set()


def test_work_that_does_not_end_is_waited_for_no_longer_than_is_said() -> None:
    slow = Background("slow", fail_when_asked, Stop()).start()
    slow.result(0.0)
    slow.until.set("test")
    with pytest.raises(BrokerUnavailable):
        slow.result()
