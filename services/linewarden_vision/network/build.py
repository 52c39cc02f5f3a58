"""Networks by name."""

from typing import Literal

from linewarden_vision.network.interface import DefectNetwork

NetworkName = Literal["light", "nested"]


def build_network(name: NetworkName, encoder: str, channels: int, *, tap_channels: int = 64) -> DefectNetwork:
    """Build an untrained network in train mode; raises ValueError for an unsuitable encoder."""
    if name == "light":
        from linewarden_vision.network.light import LightNetwork  # noqa: PLC0415  # timm loads slowly

        return LightNetwork(encoder, channels, tap_channels=tap_channels)
    from linewarden_vision.network.nested import NestedNetwork  # noqa: PLC0415  # only training installs smp

    return NestedNetwork(encoder, channels, tap_channels=tap_channels)
