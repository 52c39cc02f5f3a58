"""The run: pictures are decoded in threads, scored in batches, and answered in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linewarden_inspect.offline.listing import ListedPicture, Listing
from linewarden_inspect.offline.map_files import MapNames, write_maps
from linewarden_inspect.offline.results import PartsInOrder, Result, scored, undecided
from linewarden_inspect.offline.summary import FolderSummary
from linewarden_schemas.vocabulary import Routing, Undecidable, VerdictRule
from linewarden_vision.inspecting.preparing import prepare
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import Scorer, score_batch
from linewarden_vision.inspector import ViewScore
from linewarden_vision.pictures.reading import read_file, read_picture


@dataclass(frozen=True, slots=True)
class Options:
    """`maps` is the folder of PNG files, None for none; at most `batch` pictures are scored together.

    A qualification has to hold at `at_ms` (epoch ms), or every OK diverts.
    """

    maps: Path | None = None
    batch: int = 16
    threads: int = 2
    rule: VerdictRule = VerdictRule.CLASSIFIER
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    """A picture ready for the device, or why it is not."""

    entry: ListedPicture
    prepared: Any
    refused: PictureRefused | None = None


def inspect_listing(
    listing: Listing,
    scorer: Scorer,
    options: Options,
    *,
    write: Callable[[str], object],
    clock: Callable[[], float],
    on_done: Callable[[int], object] = lambda _: None,
) -> FolderSummary:
    """Answer every picture of a listing: `write` gets one line each, in order; `on_done` hears how many.

    The same pictures, bundle and machine give the same lines. Raises OSError where maps cannot be written.
    """
    begun = clock()
    summary = FolderSummary(scorer, listing.skipped)

    def tell(result: Result, routing: Routing) -> None:
        write(result.line(routing) + "\n")

    parts = PartsInOrder((entry.part_id for entry in listing.entries), tell)
    with ThreadPoolExecutor(options.threads, thread_name_prefix="pictures") as pool:
        for batch in _batches(_read_ahead(listing, scorer, pool, 2 * options.threads), options.batch):
            answers = iter(score_batch(scorer, [one.prepared for one in batch if one.refused is None]))
            tasks = [pool.submit(_result, one.entry, one.refused or next(answers), scorer, options) for one in batch]
            for task in tasks:
                result = task.result()
                summary.add(result)
                parts.add(result)
            on_done(len(batch))
    summary.routings.update(parts.routings.values())
    summary.seconds = clock() - begun
    return summary


def _read_ahead(listing: Listing, scorer: Scorer, pool: ThreadPoolExecutor, ahead: int) -> Iterator[_Read]:
    """Pictures in order, at most `ahead` of them decoded before they are asked for."""
    waiting: deque[Future[_Read]] = deque()
    for entry in listing.entries:
        waiting.append(pool.submit(_read, entry, scorer))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(entry: ListedPicture, scorer: Scorer) -> _Read:
    try:
        if entry.refused is not None:
            raise entry.refused
        return _Read(entry, prepare(scorer, read_picture(read_file(entry.path))))
    except PictureRefused as refused:
        return _Read(entry, None, refused)
    except MemoryError:
        return _Read(entry, None, PictureRefused(Undecidable.TOO_LARGE, "there is not enough memory to decode it"))


def _batches(pictures: Iterator[_Read], most: int) -> Iterator[list[_Read]]:
    """Batches by count and by pixels, so that a run of huge pictures needs no more memory than one."""
    batch: list[_Read] = []
    pixels = 0
    for picture in pictures:
        batch.append(picture)
        pixels += 0 if picture.refused else int(picture.prepared.pixels.size)
        if len(batch) >= most or pixels >= 64_000_000:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _result(entry: ListedPicture, answer: ViewScore | PictureRefused, scorer: Scorer, options: Options) -> Result:
    if isinstance(answer, PictureRefused):
        return undecided(entry, answer)
    names: MapNames | None = None
    if options.maps is not None:
        names = write_maps(options.maps, entry.image, answer)
    doubt = scorer.standing.doubt(scorer.card, None, options.at_ms)
    return scored(entry, answer, scorer.card, names, options.rule, doubt)
