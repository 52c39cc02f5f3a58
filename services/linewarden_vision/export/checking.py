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
from linewarden_vision.export.graph import Doubt
from linewarden_vision.golden import GoldenAnswer
from linewarden_vision.prepare import Prepared, inner_size, prepare_picture
from linewarden_vision.stitching import passes
from linewarden_vision.tiles import Size, lay_out

METADATA = "linewarden"


class OnnxSession(Protocol):
    """The part of an ``onnxruntime.InferenceSession`` that is used here."""

    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, NDArray[Any]]) -> Sequence[Any]:
        """The named outputs (all for None) as arrays in that order, for arrays by the inputs' names."""

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
    what the bundle doubts, doubts what the bundle trusts without a second look, or trusts a picture that is not fit
    to be judged; ImportError without the extra ``export``.
    """
    import onnxruntime  # noqa: PLC0415 - only the extra "export" installs it

    try:
        session: OnnxSession = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        size = _checked_size(session, bundle)
        prepared = _prepared(bundle)
        rows = [row for row, one in enumerate(prepared) if one.tile == size]
        scores = _score(session, [prepared[row] for row in rows])
        if rows:
            _refuse_trust_in_the_unfit(session, prepared[rows[0]], bundle.card)
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


def _checked_size(session: OnnxSession, bundle: Bundle) -> Size:
    """Return the file's input size; raises GateError for a file of another bundle."""
    said = json.loads(dict(session.get_modelmeta().custom_metadata_map).get(METADATA, "{}"))
    digest = said.get("bundle_digest")
    if digest != bundle.digest:
        raise GateError(f"the file was exported from bundle {str(digest)[:12]}, not from {bundle.digest[:12]}")
    height, width = said["input_size"]
    return int(height), int(width)


def _score(session: OnnxSession, prepared: Sequence[Prepared]) -> list[tuple[float, float]]:
    """Margin and suspicion of each golden picture, the largest of its tiles."""
    found = np.full((len(prepared), 2), -np.inf)
    for tiles in passes(prepared, 16):
        natives = [prepared[tile.owner].native for tile in tiles]
        margins, suspicions, doubts, *rest = _run(session, [tile.pixels for tile in tiles], natives)
        if not all(np.isfinite(values).all() for values in (margins, suspicions, *rest)):
            raise GateError("the file gives values that are not finite")
        if doubts.any():
            named = ", ".join(sorted({Doubt(int(doubt)).name.lower() for doubt in doubts if doubt}))
            raise GateError(f"the file holds a golden picture, or a tile of one, for not decidable ({named})")
        for tile, margin, suspicion in zip(tiles, margins, suspicions, strict=True):
            found[tile.owner] = np.maximum(found[tile.owner], (float(margin), float(suspicion)))
    return [(float(margin), float(suspicion)) for margin, suspicion in found]


def _run(session: OnnxSession, pixels: Sequence[NDArray[Any]], natives: Sequence[Size]) -> Sequence[NDArray[Any]]:
    """Feed pictures HxWxC with their native (height, width)."""
    pictures = np.stack([np.moveaxis(np.asarray(one, np.float32), 2, 0) for one in pixels])
    feed: dict[str, NDArray[Any]] = {
        "pictures": np.ascontiguousarray(pictures),
        "native_size": np.asarray(natives, np.int64),
    }
    return session.run(None, feed)


def unfit_pictures(prepared: Prepared, card: Card) -> dict[str, tuple[NDArray[np.float32], Size]]:
    """Pictures that must never pass, by what is wrong with them, each with the native size it is shown under."""
    whole = np.asarray(prepared.pixels[: prepared.tile[0], : prepared.tile[1]], np.float32)
    native, broken = prepared.native, whole.copy()
    broken[0, 0] = np.nan
    pictures: dict[str, NDArray[np.float32]] = {
        "black": np.zeros_like(whole),
        "white": np.full_like(whole, 255),
        "flat": np.full_like(whole, sum(card.picture.brightness) / 2),
        "scaled to 0..1": np.asarray(whole / 255, np.float32),
        "normalised": np.asarray((whole - card.picture.mean) / card.picture.std, np.float32),
        "16 bits": whole * 257,
        "not a number": broken,
        "infinite": np.where(np.isnan(broken), np.float32(np.inf), broken),
    }
    shown = {name: (picture, native) for name, picture in pictures.items()} | {"of no size": (whole, (0, 0))}
    if lay_out(inner_size((1, 1), card.picture), card.picture).tile != prepared.tile:
        shown["of another size"] = (whole, (1, 1))
    return shown


def _refuse_trust_in_the_unfit(session: OnnxSession, prepared: Prepared, card: Card) -> None:
    unfit = unfit_pictures(prepared, card)
    pictures, natives = zip(*unfit.values(), strict=True)
    _, suspicions, doubts, *_ = _run(session, pictures, natives)
    for name, suspicion, doubt in zip(unfit, suspicions, doubts, strict=True):
        if doubt == Doubt.NONE or suspicion != 1.0:
            raise GateError(f"the exported file judges a picture that is {name}")


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
