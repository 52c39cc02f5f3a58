"""Writing a bundle as ONNX: the graph, and in its metadata all that its user needs to apply it."""

import io
import json
from typing import Any

import torch

from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle
from linewarden_vision.export.checking import METADATA, ExportReport, check_export, covers_of, golden_sizes
from linewarden_vision.export.graph import OUTPUTS, ExportedPass
from linewarden_vision.tiles import Size

_MOST_PICTURES = 4096


def export_bundle(bundle: Bundle, size: Size | None = None) -> tuple[bytes, ExportReport]:
    """Return the ONNX file and the report of its gate; the batch is free, (height, width) are fixed.

    They are those of the bundle, or, where its inputs differ in size, those of most golden pictures unless
    ``size`` names others; the gate scores the golden pictures of that size. Raises GateError where the file
    repeats the golden answers not exactly enough, ValueError where no golden picture has that size, ImportError
    without the extra ``export``.
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
    exported = ExportedPass(network, bundle.card).eval()
    example = torch.full((2, spec.channels, *size), spec.mean)
    with torch.no_grad():
        program = torch.onnx.export(
            exported,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["pictures"],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=_MOST_PICTURES)},),
        )
    if program is None:
        raise ValueError("torch gave no ONNX program")
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(_facts(bundle, size), sort_keys=True)
    file = io.BytesIO(model.SerializeToString(deterministic=True))
    return file.getvalue()


def _facts(bundle: Bundle, size: Size) -> dict[str, Any]:
    card = bundle.card
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
        "input": "float32 NCHW, grey levels 0 to 255, scaled and fitted as the picture settings say; RGB if 3 channels",
    }
