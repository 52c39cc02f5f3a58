"""Lines of a side channel: read by their form, numbered, and refused with a reason where they are none."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from linewarden_ingest.cameras.interface import PartInfo
from linewarden_ingest.triggers.desk import CounterMemory, LineSplitter, SourceAway, TriggerDesk, follow
from linewarden_ingest.triggers.parsing import MOST_LINE, LineFormat, LineRefused, LineTold
from linewarden_ingest.triggers.signal import ChannelNews, ChannelState, PartSignal, from_line, to_line
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.lifecycle import Stop
from linewarden_schemas.vocabulary import PartIdSource

PART = PartInfo("SN-1", PartIdSource.TRACKED, "L-7", "plate", encoder_position=-12)
SCANNER = LineFormat(form="pattern", pattern=r"(?P<serial>\S+)", counts=False)


def desk(form: LineFormat, news: list[ChannelNews], clock: ManualClock | None = None) -> TriggerDesk:
    return TriggerDesk("test", form, clock or ManualClock(1_000), news.append)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (
            LineFormat(),
            b'{"counter": 7, "time": 99, "serial": "SN-1", "lot": "L-7", "product": "plate", "encoder": -12, "x": {}}',
        ),
        (LineFormat(form="pairs"), b"counter=7 time=99, serial=SN-1;lot=L-7 ; product=plate encoder=-12 other="),
        (
            LineFormat(form="pairs", names={"counter": "nr", "serial": "part"}),
            b"nr=7,time=1970-01-01T01:00:00.099+01:00,part=SN-1,lot=L-7,product=plate,encoder=-12",
        ),
        (
            LineFormat(
                form="pattern",
                pattern="(?P<counter>[^;]*);(?P<time>[^;]*);(?P<serial>[^;]*);(?P<lot>[^;]*);(?P<product>[^;]*);(?P<encoder>.*)",
            ),
            b"7;99;SN-1;L-7;plate;-12",
        ),
    ],
)
def test_each_form_brings_the_same(form: LineFormat, line: bytes) -> None:
    assert form.read(line) == LineTold(7, 99, PART)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\xff\xfe", "utf-8"),
        (b"[" * 2_000, "recursion|JSON|Expecting"),
        (b"x" * (MOST_LINE + 1), "more than"),
        (b"[7]", "no object"),
        (b'{"counter": 7, "counter": 8}', "twice"),
        (b'{"counter": 7.5}', "no text"),
        (b'{"counter": true}', "no text"),
        (b'{"counter": [7]}', "unhashable|no text"),
        (b'{"counter": -1}', "no whole number"),
        (b'{"counter": 1e9}', "no text"),
        (b'{"counter": "12345678901"}', "no whole number"),
        (b'{"counter": 7, "serial": "a b"}', "not an id"),
        (b'{"counter": 7, "time": "2026-01-01T00:00:00"}', "zone"),
        (b'{"serial": "SN-1"}', "brings no counter"),
    ],
)
def test_rubbish_is_refused_with_its_reason(line: bytes, why: str) -> None:
    with pytest.raises(LineRefused, match=why):
        LineFormat().read(line)


def test_a_line_that_lacks_what_is_needed_or_says_nothing_is_refused() -> None:
    with pytest.raises(LineRefused, match="brings no time"):
        LineFormat(times="told").read(b'{"counter": 7}')
    with pytest.raises(LineRefused, match="nothing of a part"):
        LineFormat(counts=False).read(b"{}")
    with pytest.raises(LineRefused, match="does not match"):
        SCANNER.read(b"SN-1 SN-2")
    with pytest.raises(LineRefused, match="not pairs"):
        LineFormat(form="pairs").read(b"counter=7 rubbish")


@given(st.binary(max_size=200), st.sampled_from([LineFormat(), LineFormat(form="pairs"), SCANNER]))
def test_no_bytes_are_anything_but_told_or_refused(line: bytes, form: LineFormat) -> None:
    news: list[ChannelNews] = []
    assert (desk(form, news).line(line) is None) == bool(news)


def test_a_pattern_that_is_none_is_refused() -> None:
    for wrong in ({"form": "pattern"}, {"pattern": "x"}, {"form": "pattern", "pattern": "("}):
        with pytest.raises(ValidationError):
            LineFormat.model_validate(wrong)
    with pytest.raises(ValidationError, match="groups are counter"):
        LineFormat(form="pattern", pattern="(?P<colour>.*)")


def test_a_counter_that_jumps_or_stands_still_is_told_with_the_trigger_behind_it() -> None:
    news: list[ChannelNews] = []
    made = desk(LineFormat(form="pairs", last_counter=9), news)
    for counter in (7, 8, 9, 0, 1, 4, 4, 5):
        made.line(b"counter=%d" % counter)
    told = [(one.counter, one.doubt) for one in news if isinstance(one, PartSignal)]
    assert told == [
        *[(counter, None) for counter in (7, 8, 9, 0, 1)],
        (4, "the side channel's counter jumped from 1 to 4"),
        (4, "the side channel's counter jumped from 4 to 4"),
        (5, None),
    ]


def test_a_line_is_stamped_when_it_comes_and_named_by_what_it_tells_only_where_that_is_asked_for() -> None:
    news: list[ChannelNews] = []
    clock = ManualClock(5_000)
    desk(LineFormat(), news, clock).line(b'{"counter": 7, "time": 4900}')
    desk(LineFormat(times="told"), news, clock).line(b'{"counter": 7, "time": 4900}')
    assert news == [PartSignal(7, 5_000, 5_000), PartSignal(7, 4_900, 5_000)]


def test_lines_without_a_counter_are_numbered_as_they_come() -> None:
    news: list[ChannelNews] = []
    made = desk(SCANNER, news)
    for serial in (b"SN-1", b"SN-2"):
        made.line(serial)
    told = [(one.counter, one.part.part_id, one.doubt) for one in news if isinstance(one, PartSignal)]
    assert told == [(0, "SN-1", None), (1, "SN-2", None)]


@given(
    st.lists(st.from_regex(rb"[a-z]{0,9}(\r|\n|\r\n)", fullmatch=True), max_size=12),
    st.lists(st.integers(1, 20), min_size=1, max_size=9),
)
def test_a_stream_gives_the_same_lines_however_it_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream, splitter = b"".join(lines), LineSplitter()
    found: list[bytes] = []
    for at in cuts:
        found += splitter.feed(stream[:at])
        stream = stream[at:]
    found += splitter.feed(stream)
    assert found == [line.strip() for line in lines if line.strip()]
    assert not splitter.is_cut


def test_a_line_that_never_ends_comes_cut_once_and_the_next_is_whole() -> None:
    splitter = LineSplitter()
    [long] = [line for _ in range(9) for line in splitter.feed(b"x" * 1_000)]
    assert len(long) > MOST_LINE
    assert list(splitter.feed(b"x\nwhole\nhal")) == [b"whole"]
    assert splitter.is_cut


def test_a_stream_that_is_opened_within_a_line_begins_with_the_next() -> None:
    assert list(LineSplitter(is_torn=True).feed(b"23\ncounter=124\n")) == [b"counter=124"]


class Flapping:
    """A source that gives a line each time it is reached, which it is every third time."""

    def __init__(self) -> None:
        self.tries = 0

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        self.tries += 1
        if self.tries % 3 == 0:
            desk.here()
            desk.line(b"SN-%d" % self.tries)
        if self.tries == 6:
            until.set("test")
        raise SourceAway(f"try {self.tries}")


def test_a_source_that_is_away_is_told_and_tried_again_after_a_growing_while() -> None:
    news: list[ChannelNews] = []
    clock, source = ManualClock(0), Flapping()
    follow(source, desk(SCANNER, news, clock), clock, Stop())
    states = [one.away for one in news if isinstance(one, ChannelState)]
    assert states == ["try 1", "try 2", None, "try 3", "try 4", "try 5", None, "try 6"]
    assert [one.part.part_id for one in news if isinstance(one, PartSignal)] == ["SN-3", "SN-6"]
    assert 0.25 + 0.5 + 0.25 + 0.5 + 1.0 <= clock.monotonic() <= 0.5 + 1.0 + 0.5 + 1.0 + 2.0


class Unequipped:
    """A source whose library is not installed."""

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        import no_such_library  # type: ignore[import-not-found]  # noqa: F401, PLC0415


def test_a_source_whose_library_is_missing_says_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match=r"no_such_library is missing: pip install 'linewarden\[cameras\]'"):
        follow(Unequipped(), desk(SCANNER, []), ManualClock(), Stop())


@given(st.text(max_size=300))
def test_what_is_told_to_a_camera_is_one_short_line_and_reads_the_same(words: str) -> None:
    longest = PartInfo("s" * 128, PartIdSource.TRACKED, "l" * 128, "p" * 128, encoder_position=-(2**53))
    for news in (PartSignal(9_999_999_999, 2**53, 2**53, longest, words), ChannelState(words), ChannelState()):
        line = to_line(news)
        assert line.count(b"\n") == 1
        assert len(line) < 4_096
        assert from_line(line) == news


def test_a_counter_is_remembered_over_a_death_and_what_does_not_follow_it_is_a_jump(tmp_path: Path) -> None:
    path, news, form = tmp_path / "spool" / "triggers.counter", list[ChannelNews](), LineFormat(form="pairs")
    with closing(CounterMemory(path)) as memory:
        assert memory.read() is None
        first = TriggerDesk("test", form, ManualClock(1_000), news.append, memory)
        for counter in (4_294_967_295, 5, 6):
            first.line(b"counter=%d" % counter)
    with closing(CounterMemory(path)) as memory:
        second = TriggerDesk("test", form, ManualClock(1_000), news.append, memory)
        second.line(b"counter=9")
        second.line(b"counter=10")
    doubts = [one.doubt for one in news if isinstance(one, PartSignal)]
    assert doubts[2:] == [None, "the side channel's counter jumped from 6 to 9", None]
    path.write_bytes(b"torn")
    with closing(CounterMemory(path)) as memory:
        assert memory.read() is None
