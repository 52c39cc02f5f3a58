"""From a bundle's weights to the network that they belong to."""

import torch

from linewarden_vision.bundle import Bundle
from linewarden_vision.errors import BundleError
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork


def network_of(bundle: Bundle) -> DefectNetwork:
    """Build a bundle's network on the CPU, in eval mode, frozen, channels last.

    Raises BundleError when the weights belong to another network.
    """
    spec = bundle.card.network
    network = build_network(spec.name, spec.encoder, bundle.card.picture.channels, tap_channels=spec.tap_channels)
    try:
        network.load_state_dict(dict(bundle.weights))
    except RuntimeError as error:
        raise BundleError(f"the weights don't fit network {spec.name}/{spec.encoder}: {error}") from error
    network.requires_grad_(requires_grad=False)
    network.eval()
    network.to(memory_format=torch.channels_last)
    return network
