"""Whatever is done to an archive is named: file, topic, partition and offset."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden.cli import main
from linewarden_archive.archive import Archive
from linewarden_archive.chain import verify_chain
from linewarden_archive.entries import ArchiveSegment, Entry
from linewarden_archive.findings import ArchiveFinding, Wrong
from linewarden_archive.manifest import append
from linewarden_archive.pictures import write_pictures
from linewarden_archive.places import MANIFEST, contents_path, ending_of, segment_path
from linewarden_archive.segments import write_segment
from linewarden_archive.tables import write_table
from linewarden_archive.verify import verify_archive
from linewarden_audit.notary.notary import Notary, NotaryLimits
from linewarden_audit.notary.signing import make_key, read_key
from linewarden_audit.notary.verify import ChainFault, PartitionReport
from linewarden_runtime.records import InRecord
from tests.unit.archive.kept import LINE, Line

COUNT = 11
Act = Callable[[list[InRecord], int], list[InRecord]]


class Sealed:
    """An archive of chained decisions and of frames, which can be put back as it was."""

    def __init__(self, root: Path) -> None:
        line = Line(root / "archive")
        line.put_raw("decisions", *(f"decision {number}".encode() for number in range(COUNT)))
        line.put_frames(6)
        self.public = make_key(root / "key.pem")
        for _ in range(2):
            notary = Notary(line.broker, LINE, read_key(root / "key.pem"), line.clock, NotaryLimits(4, poll_s=0.0))
            notary.start()
            notary.step()
            notary.close()
            line.put_raw("dispositions", b"routed")
        self.root, self.archive = line.root, line.archive()
        self.files = {path: path.read_bytes() for path in line.root.rglob("*") if path.is_file()}

    def put_back(self) -> None:
        for path in {path for path in self.root.rglob("*") if path.is_file()} - self.files.keys():
            path.unlink()
        for path, content in self.files.items():
            path.write_bytes(content)

    def records(self, segment: ArchiveSegment) -> list[InRecord]:
        return self.archive.read(segment)

    def findings(self) -> tuple[ArchiveFinding, ...]:
        return verify_archive(self.root).findings

    def rewrite(self, segment: ArchiveSegment, records: list[InRecord]) -> None:
        """The file alone, by somebody who knows its format."""
        written = write_pictures(records) if ending_of(segment.topic) == "mcap" else write_table(records, segment.topic)
        segment_path(self.root, segment.place).write_bytes(written)

    def forge(self, segment: ArchiveSegment, records: list[InRecord]) -> None:
        """File, list and manifest, so that they fit each other again."""
        forged = write_segment(self.root, segment.topic, records, segment.at_ms)
        self.sign([forged if entry == segment else entry for entry in self.archive.entries], None)

    def sign(self, entries: list[Entry], key: Ed25519PrivateKey | None) -> None:
        """A new manifest."""
        (self.root / MANIFEST).unlink()
        last = None
        for entry in entries:
            last = append(self.root, entry, last, key)

    def chain(self) -> PartitionReport:
        return next(one for one in verify_chain(Archive(self.root), [self.public]) if one.topic.endswith("decisions"))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return Sealed(tmp_path_factory.mktemp("sealed"))


@pytest.fixture(autouse=True)
def _whole(sealed: Sealed) -> None:
    sealed.put_back()


def flip(records: list[InRecord], at: int) -> list[InRecord]:
    value = bytearray(records[at].value or b"?")
    value[0] ^= 1
    return [*records[:at], replace(records[at], value=bytes(value)), *records[at + 1 :]]


def drop(records: list[InRecord], at: int) -> list[InRecord]:
    return records[:at] + records[at + 1 :]


def swap(records: list[InRecord], at: int) -> list[InRecord]:
    order = [*records[:at], records[at + 1], records[at], *records[at + 2 :]]
    return [replace(one, offset=was.offset) for one, was in zip(order, records, strict=True)]


def test_an_untouched_archive_holds_and_its_chain_too(sealed: Sealed) -> None:
    assert sealed.findings() == ()
    assert (sealed.chain().verified, sealed.chain().gone, sealed.chain().finding) == (COUNT, 0, None)


@pytest.mark.parametrize("topic", ["decisions", "frames"])
@pytest.mark.parametrize(
    ("act", "fault"), [(flip, ChainFault.CHANGED), (drop, ChainFault.MISSING), (swap, ChainFault.MOVED)]
)
def test_a_record_that_was_touched_in_its_file_is_named_by_its_offset(
    sealed: Sealed, act: Act, fault: ChainFault, topic: str
) -> None:
    segment = next(one for one in sealed.archive.segments(topic) if one.records >= 3)
    records = sealed.records(segment)
    sealed.rewrite(segment, act(records, 1))
    (finding,) = sealed.findings()
    assert (finding.topic, finding.partition, finding.offset) == (topic, segment.partition, records[1].offset)
    assert finding.records.startswith(fault.value)


@pytest.mark.parametrize(
    ("act", "fault"), [(flip, ChainFault.CHANGED), (drop, ChainFault.MISSING), (swap, ChainFault.MOVED)]
)
def test_a_record_that_was_touched_by_somebody_who_made_everything_fit_again_breaks_the_chain(
    sealed: Sealed, act: Act, fault: ChainFault
) -> None:
    segment = sealed.archive.segments("decisions")[1]
    sealed.forge(segment, act(sealed.records(segment), 2))
    assert sealed.findings() == ()
    finding = sealed.chain().finding
    assert finding is not None
    assert (finding.fault, finding.index) == (fault, 6)


def test_a_cut_segment_is_named_with_its_first_record_that_cannot_be_read(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = sealed.archive.segments("decisions")[1]
    path = segment_path(sealed.root, segment.place)
    path.write_bytes(path.read_bytes()[:-100])
    (finding,) = sealed.findings()
    assert (finding.wrong, finding.topic, finding.partition, finding.offset) == (Wrong.CUT, "decisions", 0, 4)
    chained = sealed.chain().finding
    assert chained is not None
    assert (chained.fault, chained.index) == (ChainFault.MISSING, 4)
    for command in (["archive", "verify", str(sealed.root)], ["audit", "verify", "--archive", str(sealed.root)]):
        monkeypatch.setattr(sys, "argv", ["linewarden", *command])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        assert "decisions[0]@4" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["linewarden", "audit", "verify", "--archive", str(sealed.root), "--json"])
    with pytest.raises(SystemExit):
        main()
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["files"]["findings"][0]["offset"]) == (False, 4)


def test_pictures_before_and_behind_a_damaged_place_can_still_be_read(sealed: Sealed) -> None:
    segment = max(sealed.archive.segments("frames"), key=lambda one: one.records)
    path = segment_path(sealed.root, segment.place)
    content = bytearray(path.read_bytes())
    content[content.index(b"\x89PNG") + 9] ^= 1
    path.write_bytes(content)
    (finding,) = sealed.findings()
    assert (finding.wrong, finding.offset) == (Wrong.CHANGED, segment.first_offset)
    assert finding.bytes
    path.write_bytes(path.read_bytes()[: len(content) // 2])
    (finding,) = sealed.findings()
    assert finding.wrong is Wrong.CUT
    assert finding.topic == "frames"


def test_a_file_that_is_missing_or_was_put_in_is_named(sealed: Sealed) -> None:
    segment = sealed.archive.segments("decisions")[0]
    segment_path(sealed.root, segment.place).unlink()
    contents_path(sealed.root, sealed.archive.segments("frames")[0].place).unlink()
    (sealed.root / "decisions" / "note.txt").write_text("?")
    found = {(one.wrong, one.file.split("/")[0], one.offset) for one in sealed.findings()}
    assert found == {
        (Wrong.MISSING, "decisions", 0),
        (Wrong.MISSING, "frames", None),
        (Wrong.ADDED, "decisions", None),
    }


def test_lines_taken_from_the_end_are_told_by_a_head_that_was_kept_elsewhere(sealed: Sealed) -> None:
    manifest = sealed.root / MANIFEST
    *kept, _last, _ = manifest.read_bytes().split(b"\n")
    manifest.write_bytes(b"\n".join([*kept, b""]))
    report = verify_archive(sealed.root, head=sealed.archive.head)
    assert Wrong.HEAD in {one.wrong for one in report.findings}


def test_a_line_that_says_the_same_in_other_bytes_does_not_fit(sealed: Sealed) -> None:
    manifest = sealed.root / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b',"entry"', b', "entry"', 1))
    assert {one.wrong for one in sealed.findings()} == {Wrong.LINE}


def test_a_signed_manifest_is_believed_from_a_trusted_key_alone(sealed: Sealed, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.pem")
    sealed.sign(sealed.archive.entries, read_key(tmp_path / "other.pem"))
    assert verify_archive(sealed.root, [other]).holds
    report = verify_archive(sealed.root, [sealed.public])
    assert {one.wrong for one in report.findings} >= {Wrong.LINE}
    manifest = sealed.root / MANIFEST
    begun = manifest.read_bytes().index(b'"signature":"') + 13
    manifest.write_bytes(manifest.read_bytes()[:begun] + b"AAAA" + manifest.read_bytes()[begun + 4 :])
    assert [str(one) for one in sealed.findings() if "signature does not fit" in one.detail]


@settings(max_examples=60)
@given(st.data())
def test_any_byte_that_is_changed_cut_or_added_anywhere_is_found(sealed: Sealed, data: st.DataObject) -> None:
    sealed.put_back()
    path = data.draw(st.sampled_from(sorted(path for path in sealed.files if path.suffix != ".lock")))
    content = bytearray(sealed.files[path])
    place = data.draw(st.integers(0, len(content) - 1))
    act = data.draw(st.sampled_from(["flip", "cut", "insert", "swap"]))
    if act == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    elif act == "cut":
        del content[place:]
    elif act == "insert":
        content.insert(place, data.draw(st.integers(0, 255)))
    else:
        content[place], content[place - 1] = content[place - 1], content[place]
    if content == sealed.files[path]:
        return
    path.write_bytes(content)
    head = sealed.archive.head  # whole lines can be cut from the end of a manifest; a head kept elsewhere tells
    found = verify_archive(sealed.root, head=head).findings
    assert any(one.file == path.relative_to(sealed.root).as_posix() or one.wrong is Wrong.LINE for one in found)


@settings(max_examples=30)
@given(st.data())
def test_any_record_touched_by_somebody_who_makes_everything_fit_is_named_at_its_place(
    sealed: Sealed, data: st.DataObject
) -> None:
    sealed.put_back()
    number = data.draw(st.integers(0, len(sealed.archive.segments("decisions")) - 1))
    segment = sealed.archive.segments("decisions")[number]
    records = sealed.records(segment)
    at = data.draw(st.integers(0, len(records) - 2))
    act, fault = data.draw(
        st.sampled_from([(flip, ChainFault.CHANGED), (drop, ChainFault.MISSING), (swap, ChainFault.MOVED)])
    )
    if (number, at, act) == (0, 0, drop):
        return  # the oldest record of all is gone as if by retention: `gone` counts it
    sealed.forge(segment, act(records, at))
    finding = sealed.chain().finding
    assert finding is not None
    before = sum(one.records for one in sealed.archive.segments("decisions")[:number])
    assert (finding.fault, finding.index) == (fault, before + at)
