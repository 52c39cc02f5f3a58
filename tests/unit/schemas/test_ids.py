"""Ids and physical names are valid wherever they are used: topics, keys, file names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewarden_schemas.ids import (
    MOST_ID,
    MOST_VISIT_ID,
    InvalidId,
    Namespace,
    check_id,
    decision_id,
    frame_id,
    number_in,
    slot_id,
    trigger_in,
    visit_id,
)

names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)


@given(
    names, names, st.integers(0, 2**42), st.integers(0, 999_999), names, st.integers(0, 2**32), st.integers(0, 2**48)
)
def test_ids_of_a_visit_derive_from_it_and_tell_captures_apart(
    line: str, station: str, at: int, n: int, view: str, epoch: int, seq: int
) -> None:
    visit = visit_id(line, station, at, n)
    assert frame_id(visit, view, epoch, seq).startswith(visit)
    assert number_in(frame_id(visit, view, epoch, seq)) == (epoch, seq)
    assert slot_id(visit, 0, 1).startswith(visit)
    assert frame_id(visit, view, epoch, seq) != frame_id(visit, view, epoch, seq + 1)


def test_the_same_request_has_the_same_decision_id_and_another_has_another() -> None:
    assert decision_id("s", "a", "t") == decision_id("s", "a", "t")
    assert len({decision_id("s", "a", "t"), decision_id("s", "a", "u"), decision_id("s", "at", "")}) == 3


@pytest.mark.parametrize("bad", ["", "a b", "../x", "a/b", "ä", "x" * 129, "a\n"])
def test_what_could_break_a_topic_a_key_or_a_path_is_no_id(bad: str) -> None:
    with pytest.raises(InvalidId):
        check_id(bad)


@pytest.mark.parametrize("bad", ["", "Line1", "a.b.c", "line 1", ".x", "replay."])
def test_what_is_not_one_or_two_lower_case_words_is_no_namespace(bad: str) -> None:
    with pytest.raises(InvalidId):
        Namespace(bad)


def test_a_namespace_prefixes_everything_physical() -> None:
    line = Namespace("line1")
    assert line.topic("frames") == "line1.frames"
    assert line.group("inspect") == "line1.inspect"
    assert line.transactional_id("route-3") == "line1.route-3"
    assert line.redis_prefix() == "{line1.rq}"
    assert line.logical("line1.frames") == "frames"


def test_a_topic_of_another_namespace_has_no_logical_name_here() -> None:
    with pytest.raises(InvalidId, match="line2"):
        Namespace("line1").logical("line2.frames")


def test_a_visit_whose_slots_would_have_no_ids_is_none() -> None:
    longest = "l" * (MOST_VISIT_ID - len(".s.1700000000000.000001"))
    assert len(slot_id(visit_id(longest, "s", 1_700_000_000_000, 1), 999, 99_999_999)) == MOST_ID
    with pytest.raises(InvalidId, match="allowed"):
        visit_id(f"{longest}l", "s", 1_700_000_000_000, 1)


@pytest.mark.parametrize("other", ["v1.top", "v1.top.1-", "v1.top.x-1", "v1.top.1-2.r0", "1-2"])
def test_an_id_of_other_software_has_no_number(other: str) -> None:
    assert number_in(other) is None


def test_only_replay_and_shadow_are_isolated() -> None:
    assert Namespace("replay.run1").is_isolated
    assert Namespace("shadow.new").is_isolated
    assert not Namespace("replay").is_isolated
    assert not Namespace("line1").is_isolated


@pytest.mark.parametrize(("trigger_ms", "counter"), [(0, 0), (1_764_000_000_000, 7), (2**53, 12_345_678)])
def test_the_trigger_of_a_visit_is_in_its_id(trigger_ms: int, counter: int) -> None:
    assert trigger_in(visit_id("line1", "st.1", trigger_ms, counter)) == (trigger_ms, counter)


@pytest.mark.parametrize("other", ["part-7", "line1.st1.1764000000000", "line1.st1.12.000007", "1764000000000.000007"])
def test_an_id_that_was_made_otherwise_has_no_trigger(other: str) -> None:
    assert trigger_in(other) is None
