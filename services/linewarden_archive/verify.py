"""Hold every file of an archive against its manifest, and name what is not as it was written."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from linewarden_archive.errors import ArchiveDamaged
from linewarden_runtime.errors import ConfigurationError

from .archive import current, is_being_written
from .contents import Contents
from .damage import name_damage
from .entries import Entry, Gap, Opened, Segment
from .findings import ArchiveReport, Finding, Wrong
from .manifest import Broken, Line, read_lines
from .places import LOCK, MANIFEST, UNFINISHED, contents_path, read_plain, segment_path
from .segments import read_contents

Looked = Callable[[Segment], None]
_MADE = (UNFINISHED, ".mcap", ".parquet", ".contents.gz")
_LEFT = "a run that was killed leaves such, and the next one of its kind takes it over"


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
    findings = [*_of_lines(lines, broken, head), *_of_order(entries)]
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
        deleted=sum(one.deletion.records for one in entries if isinstance(one, Segment) and one.deletion),
        gaps=sum(isinstance(entry, Gap) for entry in entries),
        unfinished=sum(one.wrong is Wrong.ADDED for one in added) if is_written else 0,
        findings=tuple(findings),
    )


def _of_lines(lines: list[Line], broken: list[Broken], head: str | None) -> Iterator[Finding]:
    for one in broken:
        yield Finding(Wrong.LINE, MANIFEST, f"line {one.number}: {one.detail}")
    if not broken and (not lines or not isinstance(lines[0].entry, Opened)):
        yield Finding(Wrong.NOT_OPENED, MANIFEST)
    if head is not None and head not in {line.digest for line in lines}:
        yield Finding(Wrong.HEAD, MANIFEST, f"no line has the digest {head}: lines were taken from its end")


def _of_order(entries: list[Entry]) -> Iterator[Finding]:
    """Within a partition each segment begins at or behind the end of the one before, and generations are counted."""
    ends: defaultdict[tuple[str, int], int] = defaultdict(int)
    generations: dict[tuple[str, int, int], int] = {}
    for one in entries:
        if isinstance(one, Segment) and one.generation:
            if generations.get(one.place[:3]) != one.generation - 1:
                yield Finding(Wrong.ORDER, MANIFEST, f"{one.place}, generation {one.generation}: not the next one")
            generations[one.place[:3]] = one.generation
        elif isinstance(one, Segment | Gap):
            at = (one.topic, one.partition)
            if one.first_offset < ends[at]:
                detail = f"{one.topic}[{one.partition}]@{one.first_offset} begins before {ends[at]}"
                yield Finding(Wrong.ORDER, MANIFEST, f"{detail}, where the one before ends")
            ends[at] = max(ends[at], one.next_offset)
            generations[one.topic, one.partition, one.first_offset] = 0


def _of_segment(root: Path, segment: Segment) -> Iterator[Finding]:
    path, beside = segment_path(root, segment.place), contents_path(root, segment.place)
    contents: Contents | None = None
    try:
        contents = read_contents(root, segment)
    except ConfigurationError as error:
        yield Finding(Wrong.LINK, _name(root, beside), str(error))
    except ArchiveDamaged as error:
        wrong = Wrong.CHANGED if beside.exists() else Wrong.MISSING
        yield Finding(wrong, _name(root, beside), str(error))
    if not segment.records:
        return
    try:
        content = read_plain(root, path)
    except FileNotFoundError:
        told = f"all {segment.records} records up to offset {segment.next_offset - 1} are missing"
        yield Finding(
            Wrong.MISSING,
            _name(root, path),
            topic=segment.topic,
            partition=segment.partition,
            offset=segment.first_offset,
            records=told,
        )
        return
    except (ConfigurationError, OSError) as error:
        yield Finding(Wrong.LINK, _name(root, path), str(error))
        return
    if hashlib.sha256(content).hexdigest() != segment.sha256:
        yield name_damage(_name(root, path), content, segment, contents)


def _not_told_of(root: Path, files: list[Path], segments: list[Segment]) -> Iterator[Finding]:
    told = {contents_path(root, one.place) for one in segments}
    told |= {segment_path(root, one.place) for one in segments if one.records}
    for path in files:
        if path.is_symlink():
            yield Finding(Wrong.LINK, _name(root, path))
        elif path not in told and path not in {root / MANIFEST, root / LOCK}:
            yield Finding(Wrong.ADDED, _name(root, path), _LEFT if path.name.endswith(_MADE) else "")


def _files(root: Path) -> Iterator[Path]:
    """Everything below the root that is no folder; links are named and never followed."""
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
