"""Writing a bundle as ONNX: the graph, and in its metadata all that its user needs to apply it."""

import json
from typing import Any

import torch

from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle
from linewarden_vision.card import PictureSpec
from linewarden_vision.export.checking import METADATA, ExportReport, check_export, covers_of, golden_sizes
from linewarden_vision.export.foreign import MOST_PICTURES, refuse_scores_alone
from linewarden_vision.export.graph import Doubt, Exported, ExportedPass
from linewarden_vision.prepare import inner_size
from linewarden_vision.tiles import GRID, Size, lay_out


def export_bundle(bundle: Bundle, size: Size | None = None) -> tuple[bytes, ExportReport]:
    """Return the ONNX file and the report of its gate; the batch is free, (height, width) are fixed.

    They are those of the bundle, or, where its inputs differ in size, those of most golden pictures unless
    ``size`` names others; the gate scores the golden pictures of that size. Raises GateError where the file
    repeats the golden answers not exactly enough or another distribution's trust score cannot be exported, ValueError
    where no golden picture has that size, ImportError without the extra ``export``.
    """
    sizes = golden_sizes(bundle)
    chosen = size or sizes.most_common(1)[0][0]
    if chosen not in sizes:
        known = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise ValueError(f"no golden picture has an input of {chosen[0]}x{chosen[1]}; there are {known}")
    model = _graph(bundle, chosen)
    return model, check_export(model, bundle)


def _graph(bundle: Bundle, size: Size) -> bytes:
    spec = bundle.card.picture
    network = network_of(bundle).to(memory_format=torch.contiguous_format)
    exported = ExportedPass(network, bundle.card, size).eval()
    example = torch.full((2, spec.channels, *size), spec.mean)
    batch = torch.export.Dim("batch", min=1, max=MOST_PICTURES)
    try:
        with torch.no_grad():
            program = torch.onnx.export(
                exported,
                (example, torch.tensor([size, size])),
                dynamo=True,
                verbose=False,
                input_names=["pictures", "native_size"],
                output_names=list(Exported._fields),
                dynamic_shapes=({0: batch}, {0: torch.export.Dim.AUTO}),  # one and the same axis
            )
    except Exception:  # whatever a foreign score or torch raises; it is told whose fault it is
        refuse_scores_alone(network, example, exported.names)
        raise
    if program is None:
        raise ValueError("torch gave no ONNX program")
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(_facts(bundle, size), sort_keys=True)
    return bytes(model.SerializeToString(deterministic=True))


def _facts(bundle: Bundle, size: Size) -> dict[str, Any]:
    card = bundle.card
    preparation = {
        "stretch": "resize each side to round(side * scale / 32) * 32, never to the input's size as such",
        "full": "resize by scale, then repeat the last row and column up to the input's size",
        "multiple": "resize by scale, then repeat the last row and column up to the next multiple of 32",
    }
    resizing = (
        "; OpenCV's INTER_AREA where that is fewer pixels, else INTER_LINEAR. Pictures whose sides lie within "
        "native_height and native_width (lowest, highest) become one input of this file; others are not judged by "
        "it, or tile by tile"
    )
    tiles = (
        "a picture of several tiles is judged only where mean and standard deviation of the whole scaled picture, "
        "before padding, lie within picture.brightness and picture.contrast, as undecidable asks of a single input;"
        " then every tile has to be decidable, and the worst tile decides. The line asks this of the whole picture "
        "alone, so a black or flat tile inside a good picture is judged there, and diverts here"
    )
    decision = (
        "divert where undecidable is not 0; else reject unless margin <= reject_above_margin; else divert unless "
        "suspicion < divert_from_suspicion; else pass. Written this way round a value that is not a number never "
        "passes"
    )
    pictures = (
        "pictures: float32 NCHW, RGB if 3 channels, grey levels 0 to 255 as the camera gave them (16 bits: level / "
        "white * 255), never scaled to 0..1 or normalised; native_size: int64 (batch, 2), height and width before "
        "any resizing"
    )
    return {
        "bundle_digest": bundle.digest,
        "name": card.name,
        "stage": card.stage,
        "input_size": list(size),
        "picture": card.picture.model_dump(mode="json"),
        "reject_above_margin": card.thresholds.defect.value,
        "divert_from_suspicion": card.thresholds.suspicion.value,
        "mask_logit": card.thresholds.mask.value,
        "mask_peak_logit": card.thresholds.mask_peak,
        "map_scales": card.map_scales.model_dump(mode="json"),
        "class_names": card.class_names,
        "gate_covers": covers_of(card),
        "input": pictures,
        "preparation": preparation[card.picture.pad] + resizing,
        "native_height": _native_sides(card.picture, size, 0),
        "native_width": _native_sides(card.picture, size, 1),
        "undecidable": {str(int(doubt)): doubt.name.lower() for doubt in Doubt},
        "decision": decision,
        "tiles": tiles,
    }


def _native_sides(spec: PictureSpec, size: Size, axis: int) -> list[int]:
    """The shortest and the longest native side that becomes one input of that size."""
    longest = int((max(spec.height, spec.width) + GRID) / spec.scale) + 1
    layouts = {side: lay_out(inner_size((side, side), spec), spec) for side in range(1, longest + 1)}
    fitting = [side for side, one in layouts.items() if one.padded[axis] == one.tile[axis] == size[axis]]
    return [min(fitting), max(fitting)]
