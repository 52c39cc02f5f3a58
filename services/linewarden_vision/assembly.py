"""From a bundle's weights to the network that they belong to."""

import torch

from linewarden_vision.bundle import Bundle
from linewarden_vision.errors import BundleError
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.novelty import NOVELTY_FILE, NoveltyBank


def network_of(bundle: Bundle) -> DefectNetwork:
    """Build a bundle's network on the CPU, in eval mode, frozen, channels last.

    Raises BundleError when the weights belong to another network, or the card asks for a novelty that has no bank.
    """
    spec = bundle.card.network
    network = build_network(spec.name, spec.encoder, bundle.card.picture.channels, tap_channels=spec.tap_channels)
    try:
        network.load_state_dict(dict(bundle.weights))
    except RuntimeError as error:
        raise BundleError(f"the weights don't fit network {spec.name}/{spec.encoder}: {error}") from error
    if NOVELTY_FILE in bundle.extra:
        network.novelty = NoveltyBank.from_file(bundle.extra[NOVELTY_FILE])
    elif any(part.name == "novelty" for part in bundle.card.trust.ingredients):
        raise BundleError(f"the card counts on novelty, but {NOVELTY_FILE} is missing")
    network.requires_grad_(requires_grad=False)
    network.eval()
    network.to(memory_format=torch.channels_last)
    return network
