"""Hold every file of an archive against its manifest, and name what is not as it was written."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from linewarden_archive.archive import current, is_being_written
from linewarden_archive.contents import Contents
from linewarden_archive.entries import ArchiveSegment, Entry, Looked, Opened, RetentionGap
from linewarden_archive.findings import ArchiveDamaged, ArchiveFinding, ArchiveReport, Wrong
from linewarden_archive.manifest import read_lines
from linewarden_archive.places import LOCK, MANIFEST, UNFINISHED, contents_path, read_plain, segment_path
from linewarden_archive.segments import read_contents, salvage_segment
from linewarden_audit.notary.verify import ChainComparison, ChainFault, Found, found_in
from linewarden_runtime.errors import ConfigurationError


def verify_archive(
    root: Path, trusted: Collection[str] = (), head: str | None = None, looked: Looked = lambda _segment: None
) -> ArchiveReport:
    """Verify manifest, lists and segments.

    With keys, every line must be signed by one of them; with a head (the digest of a line, kept elsewhere), the
    manifest must still hold that line. Raises ArchiveDamaged where there is no manifest.
    """
    files = list(_files(root))  # before the manifest: what a running writer adds meanwhile is in neither
    lines, broken = read_lines(root, trusted)
    entries = [line.entry for line in lines]
    segments = current(entries)
    findings = [ArchiveFinding(Wrong.LINE, MANIFEST, f"line {one.number}: {one.detail}") for one in broken]
    if not broken and (not lines or not isinstance(lines[0].entry, Opened)):
        findings.append(ArchiveFinding(Wrong.NOT_OPENED, MANIFEST))
    if head is not None and head not in {line.digest for line in lines}:
        told = f"no line has the digest {head}: lines were taken from its end"
        findings.append(ArchiveFinding(Wrong.HEAD, MANIFEST, told))
    findings += _of_order(entries)
    for segment in segments:
        findings += _of_segment(root, segment)
        looked(segment)
    added = list(_not_told_of(root, files, segments))
    is_written = is_being_written(root)
    findings += [one for one in added if not (is_written and one.wrong is Wrong.ADDED)]
    return ArchiveReport(
        root=str(root),
        head=lines[-1].digest if lines else None,
        segments=len(segments),
        records=sum(one.records for one in segments),
        bytes=sum(one.size for one in segments),
        deleted=sum(one.deletion.records for one in entries if isinstance(one, ArchiveSegment) and one.deletion),
        gaps=sum(isinstance(entry, RetentionGap) for entry in entries),
        unfinished=sum(one.wrong is Wrong.ADDED for one in added) if is_written else 0,
        findings=tuple(findings),
    )


def _of_order(entries: list[Entry]) -> Iterator[ArchiveFinding]:
    """Within a partition each segment begins at or behind the end of the one before, and generations are counted."""
    ends: defaultdict[tuple[str, int], int] = defaultdict(int)
    generations: dict[tuple[str, int, int], int] = {}
    for one in entries:
        if isinstance(one, ArchiveSegment) and one.generation:
            if generations.get(one.place[:3]) != one.generation - 1:
                yield ArchiveFinding(
                    Wrong.ORDER, MANIFEST, f"{one.place}, generation {one.generation}: not the next one"
                )
            generations[one.place[:3]] = one.generation
        elif isinstance(one, ArchiveSegment | RetentionGap):
            at = (one.topic, one.partition)
            if one.first_offset < ends[at]:
                detail = f"{one.topic}[{one.partition}]@{one.first_offset} begins before {ends[at]}"
                yield ArchiveFinding(Wrong.ORDER, MANIFEST, f"{detail}, where the one before ends")
            ends[at] = max(ends[at], one.next_offset)
            generations[one.topic, one.partition, one.first_offset] = 0


def _of_segment(root: Path, segment: ArchiveSegment) -> Iterator[ArchiveFinding]:
    path, beside = segment_path(root, segment.place), contents_path(root, segment.place)
    contents: Contents | None = None
    try:
        contents = read_contents(root, segment)
    except ConfigurationError as error:
        yield ArchiveFinding(Wrong.LINK, _name(root, beside), str(error))
    except ArchiveDamaged as error:
        wrong = Wrong.CHANGED if beside.exists() else Wrong.MISSING
        yield ArchiveFinding(wrong, _name(root, beside), str(error))
    if not segment.records:
        return
    try:
        content = read_plain(root, path)
    except FileNotFoundError:
        told = f"all {segment.records} records up to offset {segment.next_offset - 1} are missing"
        yield ArchiveFinding(
            Wrong.MISSING,
            _name(root, path),
            topic=segment.topic,
            partition=segment.partition,
            offset=segment.first_offset,
            records=told,
        )
        return
    except (ConfigurationError, OSError) as error:
        yield ArchiveFinding(Wrong.LINK, _name(root, path), str(error))
        return
    if hashlib.sha256(content).hexdigest() != segment.sha256:
        yield _damage(_name(root, path), content, segment, contents)


def _not_told_of(root: Path, files: list[Path], segments: list[ArchiveSegment]) -> Iterator[ArchiveFinding]:
    told = {contents_path(root, one.place) for one in segments}
    told |= {segment_path(root, one.place) for one in segments if one.records}
    for path in files:
        if path.is_symlink():
            yield ArchiveFinding(Wrong.LINK, _name(root, path))
        elif path not in told and path not in {root / MANIFEST, root / LOCK}:
            is_ours = path.name.endswith((UNFINISHED, ".mcap", ".parquet", ".contents.gz"))
            left = "a run that was killed leaves such, and the next one of its kind takes it over"
            yield ArchiveFinding(Wrong.ADDED, _name(root, path), left if is_ours else "")


def _files(root: Path) -> Iterator[Path]:
    """Everything below the root that is no folder; links are named and never followed."""
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _damage(file: str, content: bytes, segment: ArchiveSegment, contents: Contents | None) -> ArchiveFinding:
    """Name the bytes by blocks of 4 KiB, and the first record; without its list only that the file was changed."""
    length = len(content)
    wrong = Wrong.CUT if length < segment.size else Wrong.LONGER if length > segment.size else Wrong.CHANGED
    detail = "" if length == segment.size else f"{length} bytes instead of {segment.size}"
    if contents is None:
        return ArchiveFinding(wrong, file, detail or "its list of contents is of no use, so the place is not known")
    ranges = [(begin, min(end, max(length, segment.size))) for begin, end in contents.damaged(content)]
    found = [found_in(one) for one in salvage_segment(content, segment, segment.topic)]
    offset, told = _first_touched(contents, found)
    finding = ArchiveFinding(wrong, file, detail, tuple(ranges), records=told)
    if offset is None:
        return finding
    return replace(finding, topic=segment.topic, partition=segment.partition, offset=offset)


def _first_touched(contents: Contents, found: Sequence[Found]) -> tuple[int | None, str]:
    """The first record that is not as it was, by the offset that it had, and what became of it; None where all are."""
    places = list(contents.kept())
    comparison = ChainComparison(found)
    for place in places:
        comparison.chained(contents.links[place])
    finding = comparison.finding()
    if finding is None and comparison.unsealed:
        return found[len(places)].offset, ChainFault.INSERTED.value
    if finding is None:
        return None, "every record can still be read as it was"
    at = places[finding.index]
    was_there = finding.fault is not ChainFault.INSERTED
    offset = contents.offsets[at] if was_there else finding.offset
    told = f"{finding.fault.value} ({contents.keys[at] if was_there else finding.key})"
    lost = len(places) - len(found)
    return offset, f"{told}, {lost} in all are missing or not to be read" if lost > 0 else told
