"""A file is read when it is finished, as far as that shows from outside."""

from __future__ import annotations

from linewarden_ingest.cameras.arrivals import Arrivals, Stamp


def stamp(size: int = 100, mtime_ns: int = 1, inode: int = 7, ctime_ns: int = 1) -> Stamp:
    return Stamp(size, mtime_ns, inode, ctime_ns)


def test_a_file_is_ready_when_it_has_not_changed_for_the_stated_time() -> None:
    arrivals = Arrivals(0.5, 60.0)
    arrivals.look({"a.png": stamp(10)}, (), 0.0)
    assert arrivals.ready(0.4) == []
    arrivals.look({"a.png": stamp(20, 2)}, (), 0.4)
    assert arrivals.ready(0.8) == []
    assert arrivals.next_at() == 0.9
    assert arrivals.ready(0.9) == ["a.png"]


def test_an_old_modification_time_does_not_make_a_file_ready() -> None:
    arrivals = Arrivals(0.5, 60.0)
    arrivals.look({"a.png": stamp(mtime_ns=0)}, (), 1e9)
    assert arrivals.ready(1e9 + 0.1) == []


def test_each_sign_of_a_change_begins_the_wait_anew() -> None:
    for changed in (stamp(size=101), stamp(mtime_ns=2), stamp(inode=8), stamp(ctime_ns=2)):
        arrivals = Arrivals(0.5, 60.0)
        arrivals.look({"a.png": stamp()}, (), 0.0)
        arrivals.look({"a.png": changed}, (), 0.4)
        assert arrivals.ready(0.6) == []
        assert arrivals.is_as_seen("a.png", changed)
        assert not arrivals.is_as_seen("a.png", stamp())


def test_a_file_that_was_renamed_into_place_is_ready_at_once() -> None:
    arrivals = Arrivals(0.5, 60.0)
    arrivals.look({"a.png": stamp(), "b.png": stamp(inode=8)}, {"a.png"}, 0.0)
    assert arrivals.ready(0.0) == ["a.png"]


def test_of_many_that_wait_the_oldest_comes_first() -> None:
    arrivals = Arrivals(0.5, 60.0)
    arrivals.look({f"{n}.png": stamp(mtime_ns=age, inode=n) for n, age in enumerate((30, 10, 20, 10))}, (), 0.0)
    assert arrivals.ready(1.0) == ["1.png", "3.png", "2.png", "0.png"]


def test_what_is_not_whole_is_looked_at_again_and_a_last_time_when_it_is_overdue() -> None:
    arrivals = Arrivals(0.5, 10.0)
    arrivals.look({"a.png": stamp()}, (), 0.0)
    arrivals.put_off("a.png", 0.5)
    assert arrivals.ready(1.4) == []
    assert arrivals.ready(1.5) == ["a.png"]
    arrivals.put_off("a.png", 9.9)
    assert not arrivals.is_overdue("a.png", 9.9)
    assert arrivals.ready(10.0) == ["a.png"]
    assert arrivals.is_overdue("a.png", 10.0)


def test_a_file_that_never_stands_still_becomes_overdue_all_the_same_and_another_in_its_place_begins_anew() -> None:
    arrivals = Arrivals(0.5, 1.0)
    for turn in range(11):
        arrivals.look({"a.png": stamp(turn)}, (), turn / 10)
    assert arrivals.ready(1.0) == ["a.png"]
    arrivals.look({"a.png": stamp(inode=8)}, (), 1.0)
    assert not arrivals.is_overdue("a.png", 1.1)
    assert arrivals.ready(1.1) == []


def test_a_file_that_is_gone_is_told_once_unless_it_has_another_name_now() -> None:
    arrivals = Arrivals(0.5, 60.0)
    arrivals.look({"a.png": stamp(), "b.png": stamp(inode=8)}, (), 0.0)
    assert arrivals.look({"c.png": stamp(inode=8)}, (), 0.1) == ["a.png"]
    assert arrivals.look({"c.png": stamp(inode=8)}, (), 0.2) == []
    arrivals.forget("c.png")
    assert arrivals.look({}, (), 0.3) == []
    assert arrivals.next_at() == float("inf")
