"""The gate of an exported file: the bundle's golden set, scored by ONNX Runtime and nothing of ours."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from linewarden_vision.bundle import Bundle
from linewarden_vision.card import Card
from linewarden_vision.errors import GateError
from linewarden_vision.golden import GoldenAnswer
from linewarden_vision.prepare import Prepared, prepare_picture
from linewarden_vision.stitching import passes
from linewarden_vision.tiles import Size

METADATA = "linewarden"
_TILES_AT_ONCE = 16


class Session(Protocol):
    """An ``onnxruntime.InferenceSession``."""

    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, NDArray[np.float32]]) -> Sequence[Any]:
        """Run the graph."""

    def get_modelmeta(self) -> Any:  # noqa: ANN401 - a type of the library
        """What the file says of itself."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What the gate measured: ``pictures`` golden ones of that input size, of ``golden`` in all, and what it covers.

    ``margin_deviation`` is the largest from a golden margin.
    ``diverted_more`` golden pictures are trusted by the bundle after a second look, and doubted by the export.
    """

    pictures: int
    golden: int
    height: int
    width: int
    margin_deviation: float
    diverted_more: int
    covers: str


def covers_of(card: Card) -> str:
    """Say which answers of a bundle's export are held to its golden set."""
    if card.trust.second is None:
        return "verdict and trust of every picture"
    return (
        "verdict of every picture; trust of those without a second look, which is not in the graph: "
        "pictures that would get one have suspicion 1 and divert"
    )


def check_export(model: bytes, bundle: Bundle) -> ExportReport:
    """Score the golden set with an exported file on the CPU.

    Raises GateError where the file is not this bundle's, gives values that are not finite, flips a verdict, trusts
    what the bundle doubts, or doubts what the bundle trusts without a second look; ImportError without the extra
    ``export``.
    """
    import onnxruntime  # noqa: PLC0415 - only the extra "export" installs it

    try:
        session: Session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        size = _checked_size(session, bundle)
        prepared = _prepared(bundle)
        rows = [row for row, one in enumerate(prepared) if one.tile == size]
        scores = _score(session, [prepared[row] for row in rows])
    except GateError:
        raise
    except Exception as error:  # the library's own errors have no common base but this
        raise GateError(f"ONNX Runtime cannot run the file: {str(error)[:300]}") from error
    if not rows:
        raise GateError(f"no golden picture has the file's input of {size[0]}x{size[1]}: nothing vouches for it")
    gate = bundle.card.trust.second.gate if bundle.card.trust.second else None
    answers = [bundle.golden.answers[row] for row in rows]
    more = sum(
        _check(bundle.card, row, answer, margin, suspicion, may_doubt=gate is not None and suspicion == 1.0)
        for row, answer, (margin, suspicion) in zip(rows, answers, scores, strict=True)
    )
    deviation = max(abs(margin - answer.margin) for answer, (margin, _) in zip(answers, scores, strict=True))
    return ExportReport(len(rows), len(bundle.golden.answers), *size, deviation, more, covers_of(bundle.card))


def golden_sizes(bundle: Bundle) -> Counter[Size]:
    """Count the golden pictures by the (height, width) of their input."""
    return Counter(one.tile for one in _prepared(bundle))


def _prepared(bundle: Bundle) -> list[Prepared]:
    return [prepare_picture(picture, bundle.card.picture) for picture in bundle.golden.pictures]


def _checked_size(session: Session, bundle: Bundle) -> Size:
    """Return the file's input size; raises GateError for a file of another bundle."""
    said = json.loads(dict(session.get_modelmeta().custom_metadata_map).get(METADATA, "{}"))
    digest = said.get("bundle_digest")
    if digest != bundle.digest:
        raise GateError(f"the file was exported from bundle {str(digest)[:12]}, not from {bundle.digest[:12]}")
    height, width = said["input_size"]
    return int(height), int(width)


def _score(session: Session, prepared: Sequence[Prepared]) -> list[tuple[float, float]]:
    """Margin and suspicion of each golden picture, the largest of its tiles."""
    found = np.full((len(prepared), 2), -np.inf)
    for tiles in passes(prepared, _TILES_AT_ONCE):
        pictures = np.stack([np.moveaxis(np.asarray(tile.pixels, np.float32), 2, 0) for tile in tiles])
        margins, suspicions, *rest = session.run(None, {"pictures": np.ascontiguousarray(pictures)})
        if not all(np.isfinite(values).all() for values in (margins, suspicions, *rest)):
            raise GateError("the file gives values that are not finite")
        for tile, margin, suspicion in zip(tiles, margins, suspicions, strict=True):
            found[tile.owner] = np.maximum(found[tile.owner], (float(margin), float(suspicion)))
    return [(float(margin), float(suspicion)) for margin, suspicion in found]


def _check(card: Card, index: int, answer: GoldenAnswer, margin: float, suspicion: float, *, may_doubt: bool) -> bool:
    """Tell whether a picture is doubted for want of a second look alone; raises GateError for any other flip."""
    limits = card.thresholds
    defect, doubtful = limits.is_defect(margin), limits.is_doubtful(suspicion)
    more = doubtful and not answer.doubtful
    if defect != answer.defect or (not defect and doubtful != answer.doubtful and not (more and may_doubt)):
        raise GateError(
            f"the exported file flips golden picture {index}: margin {margin:.4f} "
            f"(golden {answer.margin:.4f}), suspicion {suspicion:.4f} ({answer.suspicion:.4f})"
        )
    return not defect and more
