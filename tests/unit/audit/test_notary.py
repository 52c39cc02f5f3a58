"""Whatever is changed, dropped, put in or exchanged after it was chained is named, at its place."""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden.cli import main
from linewarden_audit.notary.anchors import Anchor
from linewarden_audit.notary.chain import Chain, link_of
from linewarden_audit.notary.notary import Notary, NotaryLimits, read_heads
from linewarden_audit.notary.signing import is_signed_by, make_key, read_key, signed
from linewarden_audit.notary.verify import (
    ChainComparison,
    ChainFault,
    ChainFinding,
    Found,
    PartitionCheck,
    PartitionReport,
)
from linewarden_audit.notary.verifying import Verified, Witness, keys_in_heads, verify_namespace
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError, Fenced, RetentionOvertook
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import ChainHead

NAMESPACE = Namespace("line1")
TOPIC = NAMESPACE.topic("decisions")


def record(offset: int, value: bytes, key: bytes = b"k", headers: tuple[tuple[str, bytes], ...] = ()) -> InRecord:
    return InRecord("t", 0, offset, 0, key, value, headers, 0)


def log(count: int) -> list[Found]:
    """Records with offsets that have gaps, as markers make them."""
    return [Found(2 * n, f"v{n}", link_of(record(2 * n, f"record {n}".encode()))) for n in range(count)]


def first_difference(chained: list[bytes], found: list[Found], base: int) -> ChainFinding | None:
    comparison = ChainComparison(found, base)
    for link in chained:
        comparison.chained(link)
    return comparison.finding()


def links(found: list[Found]) -> list[bytes]:
    return [one.link for one in found]


def test_a_link_tells_every_part_of_a_record_apart() -> None:
    whole = record(0, b"value", b"key", (("a", b"b"),))
    others = [
        replace(whole, value=b"valuf"),
        replace(whole, value=None),
        replace(whole, key=None),
        replace(whole, key=b"keyv", value=b"alue"),
        replace(whole, headers=(("ab", b""),)),
        replace(whole, headers=()),
        replace(whole, headers=(("a", b"b"), ("c", b"d"))),
    ]
    assert len({link_of(one) for one in [whole, *others]}) == len(others) + 1
    assert link_of(replace(whole, offset=7, timestamp_ms=9)) == link_of(whole)


@settings(max_examples=300)
@given(st.integers(2, 30), st.randoms(use_true_random=False), st.sampled_from(list(ChainFault)[2:6]))
def test_any_tampering_is_named_at_its_place(count: int, dice: random.Random, fault: ChainFault) -> None:
    found = log(count)
    chained = links(found)
    place = dice.randrange(count - 1)
    match fault:
        case ChainFault.CHANGED:
            flipped = bytearray(found[place].link)
            flipped[dice.randrange(32)] ^= 1 << dice.randrange(8)
            found[place] = replace(found[place], link=bytes(flipped))
        case ChainFault.MISSING:
            del found[place : place + dice.randint(1, 3)]
        case ChainFault.INSERTED:
            found.insert(place, Found(2 * place - 1, "forged", b"?" * 32))
        case ChainFault.MOVED:
            other = dice.randrange(place + 1, count)
            found[place], found[other] = (
                replace(found[place], link=found[other].link),
                replace(found[other], link=found[place].link),
            )
    finding = first_difference(chained, found, 100)
    assert finding is not None
    assert (finding.fault, finding.index) == (fault, 100 + place)


@given(st.integers(1, 20), st.integers(0, 20))
def test_what_lies_behind_the_last_link_is_not_judged(count: int, more: int) -> None:
    assert first_difference(links(log(count)), log(count + more), 0) is None


def test_a_cut_end_is_named() -> None:
    finding = first_difference(links(log(9)), log(6), 0)
    assert finding == ChainFinding(ChainFault.MISSING, 6, None, None, "the last 3 chained records are missing")


class Line:
    """Decisions in two partitions of an in-memory broker, and a notary over them."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.broker = MemoryBroker(self.clock)
        with self.broker.admin() as admin:
            provision_topics(admin, NAMESPACE, partitions=2)
        self.public = make_key(folder / "key.pem")
        self.key = read_key(folder / "key.pem")
        self.limits = NotaryLimits(records=5, poll_s=0.0)

    def put(self, *values: str, partition: int = 0) -> None:
        for value in values:
            self.broker.append(OutRecord(TOPIC, b"v", value.encode(), (), partition))

    def notary(self) -> Notary:
        made = Notary(self.broker, NAMESPACE, self.key, self.clock, self.limits)
        made.start()
        return made

    def chain_all(self) -> None:
        notary = self.notary()
        notary.step()
        notary.close()

    def faults(self, *keys: str) -> list[ChainFault]:
        return [report.finding.fault for report in self.reports(*keys) if report.finding is not None]

    def reports(self, *keys: str, anchors: Sequence[Anchor] = ()) -> list[PartitionReport]:
        return self.verified(*keys, anchors=anchors).partitions

    def verified(self, *keys: str, anchors: Sequence[Anchor] = ()) -> Verified:
        witness = Witness(self.clock.now_ms(), anchors=anchors)
        return verify_namespace(self.broker, NAMESPACE, keys or [self.public], witness)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_a_head_comes_after_enough_records_or_enough_time(line: Line) -> None:
    notary = line.notary()
    line.put("a", "b")
    notary.step()
    assert list(read_heads(line.broker, NAMESPACE)) == []
    line.clock.advance(11)
    notary.step()
    line.put("c", "d", "e", "f", "g")
    notary.step()
    assert [head.length for head in read_heads(line.broker, NAMESPACE)] == [2, 7]


def test_a_notary_that_died_is_followed_by_one_that_goes_on_with_the_same_chain(line: Line) -> None:
    line.put("a", "b")
    line.chain_all()
    line.put("c")
    died = line.notary()
    died.step()
    died.abandon()
    line.put("d", partition=1)
    line.chain_all()
    heads = list(read_heads(line.broker, NAMESPACE))
    assert [(head.partition, head.length) for head in heads] == [(0, 2), (0, 3), (1, 1)]
    expected = Chain().extended(link_of(r) for r in line.broker.records(TOPIC) if r.partition == 0)
    assert heads[1].head == expected.head.hex()
    assert line.faults() == []


def test_a_second_notary_fences_the_first(line: Line) -> None:
    first = line.notary()
    line.notary()
    line.put(*"abcde")
    with pytest.raises(Fenced):
        first.step()


def test_records_that_went_before_they_were_chained_end_the_notary(line: Line) -> None:
    line.put("a", "b")
    line.chain_all()
    line.put("c", "d")
    line.broker.log(Position(TOPIC, 0)).delete_before(3)
    with pytest.raises(RetentionOvertook):
        line.notary().step()


def test_what_retention_took_away_is_gone_and_the_rest_still_verifies(line: Line) -> None:
    for value in "abcd":
        line.put(value)
        line.chain_all()
    line.clock.advance(366 * 86_400)
    line.broker.log(Position(TOPIC, 0)).delete_before(2)
    (report,) = [one for one in line.reports() if one.chained]
    assert (report.gone, report.verified, report.finding) == (2, 2, None)


def test_records_that_are_gone_before_their_time_are_a_finding(line: Line) -> None:
    for value in "abcd":
        line.put(value)
        line.chain_all()
    line.clock.advance(30)
    for gone in (2, 4):
        line.broker.log(Position(TOPIC, 0)).delete_before(gone)
        assert line.faults() == [ChainFault.DELETED]


def test_the_retention_in_force_is_that_of_the_topic(line: Line) -> None:
    line.put("a", "b")
    line.chain_all()
    spec = line.broker.specs[TOPIC]
    line.broker.specs[TOPIC] = replace(spec, configs={**spec.configs, "retention.ms": "3600000"})
    line.broker.log(Position(TOPIC, 0)).delete_before(2)
    assert line.faults() == [ChainFault.DELETED]
    line.clock.advance(3_700)
    assert line.faults() == []
    line.broker.specs[TOPIC] = replace(spec, configs={**spec.configs, "retention.ms": "-1"})
    assert line.faults() == [ChainFault.DELETED]


def test_records_that_went_unsealed_are_a_finding(line: Line) -> None:
    line.put("a")
    line.chain_all()
    line.put("b")
    line.broker.log(Position(TOPIC, 0)).delete_before(2)
    assert line.faults() == [ChainFault.DELETED]


def test_a_record_may_be_without_a_head_for_a_minute_whether_the_notary_lives_or_not(line: Line) -> None:
    line.put("a")
    assert line.faults() == []
    line.clock.advance(61)
    assert line.faults() == [ChainFault.UNSEALED]
    line.chain_all()
    assert line.faults() == []
    line.put("b")
    line.clock.advance(61)
    assert line.faults() == [ChainFault.UNSEALED]


def test_a_record_among_the_heads_that_is_none_stops_nobody_and_is_named(line: Line) -> None:
    line.put("a")
    line.chain_all()
    heads = NAMESPACE.topic("chain-heads")
    for value in (b"?", None):
        line.broker.append(OutRecord(heads, b"x", value, (), 0))
    line.put("b")
    line.chain_all()
    found = line.verified()
    assert (found.holds, found.strays) == (True, [f"{heads}[0]@2", f"{heads}[0]@3"])


def test_a_changed_record_is_named_with_its_visit(line: Line) -> None:
    line.put("a", "b", "c")
    line.chain_all()
    entry = line.broker.log(Position(TOPIC, 0))._entries[1]
    assert entry.record is not None
    entry.record = replace(entry.record, value=b"B")
    (report,) = [one for one in line.reports() if not one.holds]
    assert report.finding is not None
    assert (report.finding.fault, report.finding.index, report.finding.offset) == (ChainFault.CHANGED, 1, 1)
    assert (report.finding.key, report.verified) == ("v", 1)


def test_heads_of_another_key_are_not_believed_although_they_fit(line: Line, tmp_path: Path) -> None:
    line.put("a")
    line.chain_all()
    assert line.faults(make_key(tmp_path / "other.pem")) == [ChainFault.SIGNATURE]
    assert keys_in_heads(line.broker, NAMESPACE) == [line.public]


def test_a_head_that_was_touched_or_taken_out_is_found(line: Line) -> None:
    for value in "abc":
        line.put(value)
        line.chain_all()
    heads = list(read_heads(line.broker, NAMESPACE))
    touched = heads[1].model_copy(update={"length": 9})
    assert not is_signed_by(touched, [line.public])
    check = PartitionCheck(TOPIC, 0, log(3), 0, [line.public])
    check.take(touched)
    assert check.report().finding is not None
    report = verified([heads[0], heads[2]], [], 10, line.public)
    assert report.finding is not None
    assert report.finding.fault is ChainFault.HEADS


def verified(heads: list[ChainHead], found: list[Found], first_kept: int, public: str) -> PartitionReport:
    check = PartitionCheck(TOPIC, 0, found, first_kept, [public])
    for head in heads:
        check.take(head)
    return check.report()


def test_what_is_kept_of_a_head_whose_oldest_records_are_gone_is_verified_too(line: Line) -> None:
    line.put(*"abcde")
    line.chain_all()
    (head,) = read_heads(line.broker, NAMESPACE)
    a, b, c, d, e = (Found(n, "v", link_of(one)) for n, one in enumerate(line.broker.records(TOPIC)))

    def told(*found: Found) -> tuple[int, int, tuple[ChainFault, int] | None]:
        report = verified([head], list(found), found[0].offset, line.public)
        finding = report.finding
        return report.gone, report.verified, None if finding is None else (finding.fault, finding.index)

    assert told(a, b, c, d, e) == (0, 5, None)
    assert told(c, d, e) == (2, 3, None)
    assert told(c, e) == (2, 1, (ChainFault.MISSING, 3))
    assert told(replace(c, link=b"?" * 32), d, e) == (2, 0, (ChainFault.CHANGED, 2))


def test_memory_does_not_grow_with_the_range(line: Line) -> None:
    def heads(count: int, each: int = 250) -> Iterator[ChainHead]:
        chain = Chain()
        for first in range(0, count, each):
            sealed = [link_of(record(n, b"%d" % n)) for n in range(first, first + each)]
            chain = chain.extended(sealed)
            head = ChainHead(
                topic=TOPIC,
                partition=0,
                next_offset=first + each,
                length=chain.length,
                head=chain.head.hex(),
                links=b"".join(sealed),
                public_key=line.public,
                signature=bytes(64),
                signed_ms=0,
            )
            yield signed(head, line.key)

    def peak(count: int) -> int:
        found = (Found(n, "v", link_of(record(n, b"%d" % n))) for n in range(count))
        tracemalloc.start()
        check = PartitionCheck(TOPIC, 0, found, 0, [line.public])
        for head in heads(count):
            check.take(head)
        assert check.report().verified == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1_000)
    assert peak(8_000) < 1.3 * peak(2_000)


def test_a_key_is_private_and_never_replaced(line: Line, tmp_path: Path) -> None:
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="choose a new file"):
        make_key(tmp_path / "key.pem")
    (tmp_path / "none.pem").write_text("?")
    with pytest.raises(ConfigurationError, match="audit key"):
        read_key(tmp_path / "none.pem")


def test_verify_exits_1_and_says_where(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("linewarden.commands.recorded.live", lambda: (line.broker, NAMESPACE))
    line.put("a", "b", "c")
    line.chain_all()
    monkeypatch.setattr(sys, "argv", ["linewarden", "audit", "verify", "--public-key", line.public])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "the chain holds" in capsys.readouterr().out
    line.broker.log(Position(TOPIC, 0))._entries.pop(1)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert f"{TOPIC}[0], place 1: a record that is missing" in capsys.readouterr().out
