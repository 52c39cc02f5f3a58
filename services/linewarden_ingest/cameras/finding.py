"""Which of the GenICam cameras that answer is meant, and control of it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from linewarden_ingest.cameras.aravis import Aravis, AravisDevice
from linewarden_ingest.cameras.device import FoundCamera
from linewarden_ingest.cameras.interface import CameraFault
from linewarden_runtime.errors import ConfigurationError


def chosen(found: Sequence[FoundCamera], name: str | None) -> FoundCamera:
    """The camera of this name, or the only one.

    Raises:
        ConfigurationError: where several could be meant.
        CameraFault: where none answers to it; it may come.
    """
    meant = [one for one in found if name is None or one.is_called(name)]
    listed = "; ".join(map(_listed, found)) or "none"
    if not meant:
        raise CameraFault(f"no camera {name or 'at all'} answers; found: {listed}")
    if len(meant) > 1:
        raise ConfigurationError(f"several cameras could be meant by device = {name!r}; name one of {listed}")
    return meant[0]


def _listed(camera: FoundCamera) -> str:
    address = f", address {camera.address}" if camera.address else ""
    return f"{camera.device_id} (serial {camera.serial}{address})"


def opened(library: Aravis, name: str | None, interface: IPv4Address | None) -> AravisDevice:
    """The camera of this name, or the only one, under our control; its answers go to an address of this machine.

    Raises:
        ConfigurationError: where several could be meant, or it is not at the network that `interface` is of.
        CameraFault: where it does not answer, or somebody else controls it.
    """
    here = None if interface is None else str(interface)
    if name is None or not _is_address(name):
        camera = chosen(library.found(), name)
        if here is not None and camera.protocol != "GigEVision":
            raise ConfigurationError(f"camera {camera.device_id} is of {camera.protocol}; interface is for GigE Vision")
        name = camera.device_id if here is None else camera.address
    device = library.open(name, here)
    if not device.is_ours:
        device.close()
        raise CameraFault(f"camera {name} is under the control of another program, or was until a moment ago")
    return device


def _is_address(name: str) -> bool:
    try:
        IPv4Address(name)
    except ValueError:
        return False
    return True
