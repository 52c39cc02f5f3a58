"""Writing a bundle as ONNX: the graph, and in its metadata all that its user needs to apply it."""

import io
import json
from typing import Any

import torch

from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle
from linewarden_vision.export.checking import METADATA, ExportReport, check_export, covers_of
from linewarden_vision.export.graph import OUTPUTS, ExportedPass

_MOST_PICTURES = 4096


def export_bundle(bundle: Bundle) -> tuple[bytes, ExportReport]:
    """Return the ONNX file and the report of its gate; the batch is free, height and width are the bundle's.

    Raises GateError where the file repeats the golden answers not exactly enough, ValueError for a bundle whose
    input has no fixed size, ImportError without the extra ``export``.
    """
    if bundle.card.picture.pad != "full":
        raise ValueError("the bundle pads to multiples of 32, so its input has no fixed size; export needs pad 'full'")
    model = _graph(bundle)
    return model, check_export(model, bundle)


def _graph(bundle: Bundle) -> bytes:
    spec = bundle.card.picture
    network = network_of(bundle).to(memory_format=torch.contiguous_format)
    exported = ExportedPass(network, bundle.card).eval()
    example = torch.full((2, spec.channels, spec.height, spec.width), spec.mean)
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
    entry.key, entry.value = METADATA, json.dumps(_facts(bundle), sort_keys=True)
    file = io.BytesIO(model.SerializeToString(deterministic=True))
    return file.getvalue()


def _facts(bundle: Bundle) -> dict[str, Any]:
    card = bundle.card
    return {
        "bundle_digest": bundle.digest,
        "name": card.name,
        "stage": card.stage,
        "picture": card.picture.model_dump(mode="json"),
        "reject_above_margin": card.thresholds.defect.value,
        "divert_from_suspicion": card.thresholds.suspicion.value,
        "mask_logit": card.thresholds.mask.value,
        "map_scales": card.map_scales.model_dump(mode="json"),
        "class_names": card.class_names,
        "gate_covers": covers_of(card),
        "input": "float32 NCHW, grey levels 0 to 255, at the bundle's scale, padded by its own edge; RGB if 3 channels",
    }
