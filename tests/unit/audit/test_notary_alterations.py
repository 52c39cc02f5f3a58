"""One thing altered at a time, over everything that a chained record, a head and an anchor hold: each is named.

Whoever does not have the key is found by the heads. Whoever has it can rewrite records with their heads, and is found
by the anchors, which lie elsewhere.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden.cli import main
from linewarden_audit.notary.anchors import Anchor, AnchorFile, from_paper
from linewarden_audit.notary.chain import Chain, link_of
from linewarden_audit.notary.notary import Notary, NotaryLimits
from linewarden_audit.notary.signing import make_key, public_text, read_key, signed
from linewarden_audit.notary.verify import ChainFault
from linewarden_audit.notary.verifying import Verified, Witness, verify_namespace
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import ChainHead

NAMESPACE = Namespace("line1")
TOPIC, OTHER, HEADS = (NAMESPACE.topic(name) for name in ("decisions", "dispositions", "chain-heads"))
PLACES = [Position(TOPIC, 0), Position(TOPIC, 1), Position(OTHER, 0), Position(OTHER, 1)]

UNNAMED = {
    "record offset": "markers take offsets too, and an archive that is restored has others",
    "head key": "every head names its partition itself, under its signature",
    "head ce_id": "as the key; the envelope of a head says nothing that its signed value does not",
    "head ce_source": "as above",
    "head ce_time": "as above; the signed value carries its own time",
    "head content-type": "as above",
    "head timestamp_ms": "as above",
}
"""Alterations that cannot matter, each with its reason."""


@dataclass
class Log:
    """What lies in the topics, as one may alter it."""

    records: dict[Position, list[InRecord]]

    def copy(self) -> Log:
        return Log({place: list(records) for place, records in self.records.items()})


Alter = Callable[[Log], None]


class Scene:
    """Records in two partitions of both topics, sealed in several heads, and anchored."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.public = make_key(folder / "key.pem")
        self.key: Ed25519PrivateKey = read_key(folder / "key.pem")
        self.anchors = AnchorFile(folder / "anchors")
        broker = self._empty()
        notary = Notary(
            broker, NAMESPACE, self.key, self.clock, NotaryLimits(records=2, poll_s=0.0), anchors=self.anchors
        )
        notary.start()
        for round_ in range(2):
            for place in PLACES:
                for number in range(2):
                    header = (("ce_id", f"{round_}.{number}".encode()), ("traceparent", b"t"))
                    value = f"{place} {round_}.{number}".encode()
                    broker.append(OutRecord(place.topic, b"visit", value, header, place.partition))
                    self.clock.advance(0.05)
            for _ in range(4):
                notary.step()
        notary.close()
        self.log = Log({place: self._lying(broker, place) for place in [*PLACES, Position(HEADS, 0)]})

    def broker(self, log: Log) -> MemoryBroker:
        """A broker that holds this."""
        broker = self._empty()
        for place, records in log.records.items():
            for one in records:
                out = OutRecord(place.topic, one.key, one.value, one.headers, place.partition)
                broker.log(place).append(out, one.timestamp_ms)
        return broker

    def verified(self, log: Log, *anchors: Anchor) -> Verified:
        witness = Witness(self.clock.now_ms() + 120_000, anchors=anchors)
        return verify_namespace(self.broker(log), NAMESPACE, [self.public], witness)

    def resealed(self, log: Log, place: Position) -> Log:
        """The log with all heads of a partition made anew by somebody who has the key."""
        heads = [self._head(one) for one in log.records[Position(HEADS, 0)]]
        found = log.copy()
        made, begun, chain = [], 0, Chain()
        for record, head in zip(log.records[Position(HEADS, 0)], heads, strict=True):
            if (head.topic, head.partition) != place:
                made.append(record)
                continue
            count = len(head.links) // 32
            sealed = log.records[place][begun : begun + count]
            begun, chain = begun + count, chain.extended(map(link_of, sealed))
            links = b"".join(map(link_of, sealed))
            times = [one.timestamp_ms for one in sealed]
            fields = {"links": links, "head": chain.head.hex(), "length": chain.length}
            made.append(self.signed(record, head, **fields, first_ms=min(times), last_ms=max(times)))
        found.records[Position(HEADS, 0)] = made
        return found

    def signed(self, record: InRecord, of: ChainHead, /, **changes: object) -> InRecord:
        """A head with changes, signed by whoever has the key."""
        again = signed(of.model_copy(update=changes), self.key)
        return replace(record, value=encode(again, id="h", source="/n", time_ms=again.signed_ms).value)

    @staticmethod
    def _head(record: InRecord) -> ChainHead:
        message = decode(record.headers, record.value).message
        assert isinstance(message, ChainHead)
        return message

    def heads(self) -> list[tuple[int, InRecord, ChainHead]]:
        """Every head, with its place among them."""
        records = self.log.records[Position(HEADS, 0)]
        return [(number, record, self._head(record)) for number, record in enumerate(records)]

    def _empty(self) -> MemoryBroker:
        broker = MemoryBroker(self.clock)
        with broker.admin() as admin:
            provision_topics(admin, NAMESPACE, 2)
        return broker

    @staticmethod
    def _lying(broker: MemoryBroker, place: Position) -> list[InRecord]:
        return [one for one in broker.records(place.topic) if one.partition == place.partition]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


def altered(record: InRecord) -> Iterator[tuple[str, InRecord]]:
    """Each part of a record changed."""
    yield "key", replace(record, key=b"other")
    yield "key", replace(record, key=None)
    yield "timestamp_ms", replace(record, timestamp_ms=record.timestamp_ms + 86_400_000)
    yield "timestamp_ms", replace(record, timestamp_ms=record.timestamp_ms - 86_400_000)
    value = record.value or b""
    yield "value", replace(record, value=None)
    for at in range(0, len(value), 1 + len(value) // 5):
        yield "value", replace(record, value=value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :])
    for number, (name, content) in enumerate(record.headers):
        others = record.headers[:number], record.headers[number + 1 :]
        yield name, replace(record, headers=(*others[0], (name, content + b"x"), *others[1]))
        yield name, replace(record, headers=(*others[0], *others[1]))


def in_place(records: list[InRecord], kind: str) -> Iterator[tuple[str, list[InRecord]]]:
    """Every record of a partition altered, dropped, doubled or exchanged, and the end cut off."""
    for at, record in enumerate(records):
        for what, other in altered(record):
            yield f"{kind} {what}", [*records[:at], other, *records[at + 1 :]]
        yield f"{kind} dropped", [*records[:at], *records[at + 1 :]]
        yield f"{kind} doubled", [*records[: at + 1], *records[at:]]
        yield f"{kind}s cut off", records[:at]
        if at + 1 < len(records):
            yield f"{kind}s exchanged", [*records[:at], records[at + 1], record, *records[at + 2 :]]


def test_untouched_everything_holds(scene: Scene) -> None:
    found = scene.verified(scene.log, *scene.anchors.read().anchors)
    assert found.holds
    assert [one.chained for one in found.partitions] == [4, 4, 4, 4]


def test_whatever_is_altered_in_a_record_without_the_key_is_named(scene: Scene) -> None:
    place = PLACES[0]
    for what, records in in_place(scene.log.records[place], "record"):
        log = scene.log.copy()
        log.records[place] = records
        named = [one.partition for one in scene.verified(log).partitions if not one.holds]
        assert named == [place.partition], what


def test_a_record_that_is_moved_to_another_partition_is_named_in_both(scene: Scene) -> None:
    for at in range(4):
        log = scene.log.copy()
        log.records[PLACES[1]].append(log.records[PLACES[0]].pop(at))
        named = [one.finding.fault for one in scene.verified(log).partitions if one.finding is not None]
        assert named == [ChainFault.MISSING, ChainFault.UNSEALED], "there it is one that no head covers"


def test_whatever_is_altered_in_a_head_without_the_key_is_named(scene: Scene) -> None:
    anchors = scene.anchors.read().anchors
    unnamed = set()
    for what, records in in_place(scene.log.records[Position(HEADS, 0)], "head"):
        log = scene.log.copy()
        log.records[Position(HEADS, 0)] = records
        found = scene.verified(log, *anchors)
        if found.holds:
            unnamed.add(what)
    of_partitions = {"heads exchanged"}  # of two partitions: each follows on its own
    assert unnamed - of_partitions <= UNNAMED.keys()
    assert unnamed - of_partitions == {what for what in UNNAMED if what.startswith("head ")}, "the list is stale"


def test_each_field_of_a_head_that_is_signed_anew_with_the_key_is_named_by_the_anchor_alone(scene: Scene) -> None:
    anchors = scene.anchors.read().anchors
    for number, record, head in scene.heads():
        for name, value in json.loads(record.value or b"").items():
            if name in {"signature", "public_key"}:
                continue  # the signature follows from the rest; another key is not trusted
            other = value + 1 if isinstance(value, int) else getattr(head, name)
            if isinstance(other, str):
                other = other[:-1] + ("0" if other[-1] != "0" else "1")
            if isinstance(other, bytes):
                other = bytes([other[0] ^ 1]) + other[1:]
            log = scene.log.copy()
            log.records[Position(HEADS, 0)][number] = scene.signed(record, head, **{name: other})
            assert not scene.verified(log, *anchors).holds, (number, name)


def test_whoever_has_the_key_and_rewrites_a_record_with_all_its_heads_is_found_by_the_anchor(scene: Scene) -> None:
    anchors, place = scene.anchors.read().anchors, PLACES[2]
    for what, records in in_place(scene.log.records[place], "record"):
        if what in {"record timestamp_ms", "records cut off", "record dropped", "record doubled"}:
            continue  # the first is found by the heads; the others are below
        log = scene.log.copy()
        log.records[place] = records
        rewritten = scene.resealed(log, place)
        assert scene.verified(rewritten).holds, "without an anchor nobody can tell"
        (finding,) = [one.finding for one in scene.verified(rewritten, *anchors).partitions if one.finding is not None]
        assert finding.fault is ChainFault.ANCHOR, what


def test_a_tail_that_is_cut_off_with_its_heads_is_found_by_the_anchor(scene: Scene) -> None:
    place = PLACES[3]
    of_place = [number for number, _, head in scene.heads() if (head.topic, head.partition) == place]
    for kept in range(2):
        log = scene.log.copy()
        del log.records[place][2 * kept :]
        gone = set(of_place[kept:])
        heads = log.records[Position(HEADS, 0)]
        log.records[Position(HEADS, 0)] = [one for number, one in enumerate(heads) if number not in gone]
        assert scene.verified(log).holds
        for anchor in (scene.anchors.read().anchors, [from_paper(str(one)) for one in scene.anchors.read().anchors]):
            (finding,) = [one.finding for one in scene.verified(log, *anchor).partitions if one.finding is not None]
            assert finding.fault is ChainFault.ANCHOR


def test_whatever_is_altered_in_an_anchor_or_its_file_is_named(scene: Scene, tmp_path: Path) -> None:
    text = (scene.anchors._path).read_text()
    copy = AnchorFile(tmp_path / "anchors")
    lines = text.splitlines(keepends=True)
    variants = [text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :] for at in range(0, len(text), 5)]
    variants += ["".join([*lines[:at], *lines[at + 1 :]]) for at in range(len(lines) - 1)]
    variants += ["".join([*lines[: at + 1], *lines[at:]]) for at in range(len(lines))]
    for variant in variants:
        if "\n" not in variant[-1:]:
            continue
        (tmp_path / "anchors").write_text(variant)
        read = copy.read()
        assert read.broken is not None or not scene.verified(scene.log, *read.anchors).holds, variant


def test_each_part_of_an_anchor_alone_is_held_against_the_heads(scene: Scene) -> None:
    for anchor in scene.anchors.read().anchors:
        others = [
            replace(anchor, topic=NAMESPACE.topic("captures")),
            replace(anchor, partition=7),
            replace(anchor, length=anchor.length + 1),
            replace(anchor, length=anchor.length - 1),
            replace(anchor, head="0" * 64),
            replace(anchor, seal="0" * 64),
        ]
        for other in others:
            assert not scene.verified(scene.log, other).holds
            assert not scene.verified(scene.log, from_paper(str(other))).holds


def test_a_stranger_with_a_key_of_their_own_is_named(scene: Scene, tmp_path: Path) -> None:
    make_key(tmp_path / "mine")
    mine = read_key(tmp_path / "mine")
    for number, record, head in scene.heads():
        forged = signed(head.model_copy(update={"public_key": public_text(mine.public_key())}), mine)
        log = scene.log.copy()
        value = encode(forged, id="h", source="/n", time_ms=0).value
        log.records[Position(HEADS, 0)][number] = replace(record, value=value)
        faults = [one.finding.fault for one in scene.verified(log).partitions if one.finding is not None]
        assert ChainFault.SIGNATURE in faults


def test_anchors_are_put_down_printed_and_held_against(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(log: Log, *words: str) -> tuple[int, str]:
        monkeypatch.setattr("linewarden.commands.recorded.live", lambda: (scene.broker(log), NAMESPACE))
        monkeypatch.setattr("linewarden.commands.notary.now_ms", lambda: scene.clock.now_ms() + 120_000)
        monkeypatch.setattr(sys, "argv", ["linewarden", "audit", *words, "--public-key", scene.public])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    file = str(tmp_path / "anchors")
    code, told = run(scene.log, "anchor", "--print", "--file", file)
    assert code == 0
    lines = told.splitlines()[1:]
    assert len(lines) == 4
    assert len(AnchorFile(tmp_path / "anchors").read().anchors) == 4
    place, cut = PLACES[3], scene.log.copy()
    del cut.records[place][2:]
    last = [number for number, _, head in scene.heads() if (head.topic, head.partition) == place][-1]
    del cut.records[Position(HEADS, 0)][last]
    assert run(cut, "verify")[0] == 0
    assert run(cut, "verify", "--file", file)[0] == 1
    (line,) = [one for one in lines if one.startswith(f"{place.topic}[{place.partition}]")]
    code, told = run(cut, "verify", "--anchor", line.lower())
    assert (code, "not what was anchored" in told) == (1, True)
    assert run(scene.log, "verify", "--file", file, "--json")[0] == 0
    assert len(AnchorFile(tmp_path / "anchors").read().anchors) == 8, "what was verified is anchored"
    with (tmp_path / "anchors").open("a") as torn:
        torn.write("2026-01-01T00:00 line1.dec")
    assert run(scene.log, "verify", "--file", file)[0] == 0
    assert AnchorFile(tmp_path / "anchors").read().broken is None
