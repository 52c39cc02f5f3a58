"""For notebooks and programs: judge pictures with a bundle, and read what a line recorded.

>>> import linewarden
>>> from linewarden_vision.synthetic.demo import demo_part
>>> inspector = linewarden.Inspector.load(linewarden.demo_bundle())
>>> found = inspector.inspect(demo_part(0).views[0].picture)
>>> found.verdict.value, found.routing.value
('OK', 'trusted_pass')
>>> found.mask.shape == found.picture.shape[:2]
True
>>> inspector.inspect(b"no picture").reasons[0][:9]
'not a pic'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np
import structlog
import typer
from numpy.typing import NDArray

from linewarden.commands.context import now_ms
from linewarden.commands.options import DEFAULT_INDEX, chosen, opened_index, selection_of
from linewarden.commands.recorded import live, recorded
from linewarden_domain.routing import routing_of
from linewarden_history.index.story import selected
from linewarden_history.reading import records_since
from linewarden_history.selection import Selection
from linewarden_schemas.capture import FrameMetadata
from linewarden_schemas.envelope import EnvelopeError, decode_frame
from linewarden_schemas.vocabulary import Routing, Verdict, VerdictRule
from linewarden_vision.inspecting.judging import thresholds_of_card, verdict_of
from linewarden_vision.inspecting.preparing import prepare
from linewarden_vision.inspecting.reasons import reasons_of
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import score_batch
from linewarden_vision.inspector import Inspector, ViewScore
from linewarden_vision.pictures.decoders import Picture
from linewarden_vision.pictures.reading import read_file, read_picture

if TYPE_CHECKING:
    import pyarrow as pa

_COLOURS = {Routing.TRUSTED_PASS: (60, 160, 60), Routing.DIVERTED: (230, 150, 0), Routing.REJECTED: (200, 40, 40)}
Source = str | Path | bytes | Picture
"""A picture: a file, its bytes, or its pixels, HxW or HxWx3 (RGB), uint8 or uint16."""


@dataclass(frozen=True, slots=True)
class PictureVerdict:
    """What a bundle says of one picture; a notebook shows it drawn.

    `suspicion` is how little an OK is to be believed, `routing` what becomes of it alone: an OK that is not trusted is
    diverted, like what cannot be decided. `mask` is bool and `picture` as decoded, both at native size; `heatmap` is
    uint8, one cell for each 8 x 8 pixels of the scaled picture. Where nothing could be judged they are None, like the
    scores, and `reasons` tell why.
    """

    verdict: Verdict
    routing: Routing
    reasons: tuple[str, ...]
    p_defect: float | None = None
    suspicion: float | None = None
    picture: Picture | None = None
    mask: NDArray[np.bool_] | None = None
    heatmap: NDArray[np.uint8] | None = None

    def drawn(self) -> NDArray[np.uint8] | None:
        """The picture (H, W, 3), RGB, in a frame of its routing's colour, with the mask outlined; None without one."""
        if self.picture is None:
            return None
        shown = _eight_bits(self.picture)
        if self.mask is not None:
            outlines, _ = cv2.findContours(self.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(shown, outlines, -1, _COLOURS[Routing.REJECTED], max(1, min(shown.shape[:2]) // 200))
        edge = max(2, round(0.02 * min(shown.shape[:2])))
        framed = cv2.copyMakeBorder(shown, *4 * (edge,), cv2.BORDER_CONSTANT, value=_COLOURS[self.routing])
        return np.asarray(framed, np.uint8)

    def _repr_png_(self) -> bytes | None:
        shown = self.drawn()
        return None if shown is None else cv2.imencode(".png", shown[..., ::-1])[1].tobytes()


class PictureInspector:
    """A bundle that passed its activation gate, for single pictures; for one thread at a time."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector
        """What scores: its card, device and precision."""

    @classmethod
    def load(cls, bundle: str | Path, *, device: str = "auto") -> Self:
        """Load, verify and gate the folder of a bundle; `device` is auto, cpu, cuda or cuda:1.

        Raises:
            BundleError: for a folder that holds no bundle, or a damaged one.
            GateError: where a golden picture gets another verdict here than when the bundle was made.
        """
        return cls(Inspector.load(Path(bundle), device=device))

    def inspect(self, picture: Source) -> PictureVerdict:
        """Judge one picture by the bundle's own thresholds; what cannot be judged is told, not raised."""
        return next(self.inspect_all([picture]))

    def inspect_all(self, pictures: Iterable[Source]) -> Iterator[PictureVerdict]:
        """Judge many, in their order, several in one device pass; memory does not grow with their number."""
        waiting = iter(pictures)
        while batch := [self._ready(one) for one in islice(waiting, 16)]:
            scores = iter(score_batch(self.inspector, [one for _, one in batch if not isinstance(one, PictureRefused)]))
            for picture, one in batch:
                yield self._judged(picture, one if isinstance(one, PictureRefused) else next(scores))

    def _ready(self, source: Source) -> tuple[Picture | None, object | PictureRefused]:
        """The picture as decoded, and what the network takes of it, or why not."""
        picture: Picture | None = None
        try:
            content = read_file(Path(source)) if isinstance(source, str | Path) else source
            picture = read_picture(content) if isinstance(content, bytes) else content
            return picture, prepare(self.inspector, picture)
        except PictureRefused as refused:
            return picture, refused

    def _judged(self, picture: Picture | None, answer: ViewScore | PictureRefused) -> PictureVerdict:
        if isinstance(answer, PictureRefused):
            return PictureVerdict(Verdict.NOT_DECIDABLE, Routing.DIVERTED, (answer.detail,), picture=picture)
        card = self.inspector.card
        doubt = self.inspector.standing.doubt(card, None, now_ms())
        limits = thresholds_of_card(card, doubt)
        verdict = verdict_of(VerdictRule.CLASSIFIER, answer, limits)
        return PictureVerdict(
            verdict=verdict,
            routing=routing_of(verdict, is_trusted=answer.suspicion < limits.suspicion),
            reasons=tuple(one.sentence for one in reasons_of(verdict, answer, limits, card, doubt)),
            p_defect=answer.p_defect,
            suspicion=answer.suspicion,
            picture=picture,
            mask=answer.mask,
            heatmap=answer.class_specific,
        )


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """A picture as it lies in the log; a notebook shows it."""

    meta: FrameMetadata
    payload: bytes

    def pixels(self) -> Picture:
        """HxW or HxWx3 (RGB), uint8 or uint16.

        Raises:
            PictureRefused: for what is no picture, or a damaged one.
        """
        return read_picture(self.payload)

    def _repr_png_(self) -> bytes:
        return cv2.imencode(".png", _eight_bits(self.pixels())[..., ::-1])[1].tobytes()


def parts(index: str | Path = DEFAULT_INDEX, *, follow: bool = True, **words: str) -> pa.Table:
    """The visits that fit every word, as an Arrow table in order of capture; its columns are there without a visit too.

    The words are those of `linewarden select`: `parts(begin="2026-11-01", routing="diverted").to_pandas()`. The index
    is read on from the topics that the environment names (`LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS`,
    `LINEWARDEN_NAMESPACE`) unless `follow` says no.

    Raises:
        ValueError: for a word that is none.
        IndexUnusable: for the index of another namespace.
    """
    import pyarrow as pa  # noqa: PLC0415 - who judges pictures alone needs it not

    columns = (
        "visit_id", "line_id", "station_id", "part_id", "lot_id", "product_id", "recipe", "recipe_digest",
        "captured_ms", "mode", "known_bad", "returned_from", "routing", "causes", "revision", "outcome", "final",
    )  # fmt: skip
    numbers = {"captured_ms", "known_bad", "revision", "final"}
    schema = pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in columns])
    selection = _selection(words)
    with opened_index(Path(index), live, follow=follow, hidden=True) as opened:
        return pa.Table.from_pylist(list(selected(opened, selection)), schema)


def pictures(
    archive: str | Path | None = None, *, index: str | Path = DEFAULT_INDEX, **words: str
) -> Iterator[RecordedPicture]:
    """The recorded pictures of a selection, from the live topic or from the folder of an archive.

    The words are those of `linewarden select`. What is no frame is passed over, and a warning tells how much that was.

    Raises:
        ValueError: for a word that is none.
        ArchiveDamaged: where the archive is not as it was written.
    """
    selection = _selection(words)
    unreadable = 0
    broker, namespace = recorded(None if archive is None else Path(archive))
    with chosen(selection, Path(index), lambda: (broker, namespace), hidden=True) as is_chosen:
        for record in records_since(broker, namespace.topic("frames"), selection.from_ms):
            try:
                frame = decode_frame(record.headers, record.value)
            except EnvelopeError:
                unreadable += 1
                continue
            if selection.holds_frame(frame.meta) and is_chosen(frame.meta.visit_id):
                yield RecordedPicture(frame.meta, frame.picture)
    if unreadable:
        structlog.get_logger(__name__).warning("records of frames are none, and were passed over", count=unreadable)


def demo_bundle() -> Path:
    """The folder of the demo's bundle, which judges the synthetic parts of `linewarden demo`."""
    return Path(__file__).parent / "assets" / "demo-bundle"


def _selection(words: dict[str, str]) -> Selection:
    try:
        return selection_of(**words)
    except TypeError as error:
        raise ValueError(f"no such word: {error}") from error
    except typer.BadParameter as error:
        raise ValueError(error.message) from error


def _eight_bits(picture: Picture) -> NDArray[np.uint8]:
    """(H, W, 3), RGB; 16 bits are stretched over their range."""
    shown = picture.astype(np.uint8)
    if picture.dtype != np.uint8:
        low, high = float(picture.min()), float(picture.max())
        shown = ((picture.astype(np.float32) - low) * (255.0 / max(1.0, high - low))).astype(np.uint8)
    return np.ascontiguousarray(shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2))
