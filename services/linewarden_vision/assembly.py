"""From a bundle's weights to the network that they belong to."""

import torch

from linewarden_vision.bundle import Bundle
from linewarden_vision.errors import BundleError
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.novelty import NOVELTY_FILE, NoveltyBank
from linewarden_vision.trust.registry import find_cheap


def network_of(bundle: Bundle) -> DefectNetwork:
    """Build a bundle's network on the CPU, in eval mode, frozen, channels last.

    Raises BundleError when the weights belong to another network, or the card names a score that needs a bank of good
    patches, and there is none.
    """
    spec = bundle.card.network
    network = build_network(spec.name, spec.encoder, bundle.card.picture.channels, tap_channels=spec.tap_channels)
    try:
        network.load_state_dict(dict(bundle.weights))
    except RuntimeError as error:
        raise BundleError(f"the weights don't fit network {spec.name}/{spec.encoder}: {error}") from error
    if NOVELTY_FILE in bundle.extra:
        network.novelty = NoveltyBank.from_file(bundle.extra[NOVELTY_FILE])
    else:
        for part in bundle.card.trust.ingredients:
            if "novelty" in find_cheap(part.name).needs:
                raise BundleError(f"the card counts on {part.name}, but {NOVELTY_FILE} is missing")
    network.requires_grad_(requires_grad=False)
    network.eval()
    network.to(memory_format=torch.channels_last)
    return network
