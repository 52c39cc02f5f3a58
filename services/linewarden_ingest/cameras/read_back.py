"""Settings of a GenICam camera, read back: cameras refuse, round and limit without a word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from linewarden_ingest.cameras.device import GenicamDevice, GenicamError
from linewarden_runtime.errors import ConfigurationError


def put_feature(device: GenicamDevice, feature: str, wanted: str | int) -> None:
    """Set a feature of the camera by its own name and read it back; raises as `put` does."""
    kind, name = "string" if isinstance(wanted, str) else "integer", feature.encode()
    put(device, feature, wanted, [f"set_{kind}", name], [f"get_{kind}", name])


def put(
    device: GenicamDevice,
    what: str,
    wanted: str | float,
    write: list[Any],
    read: list[Any],
    names: Mapping[Any, str] | None = None,
) -> None:
    """Set by the call `write` and read back by the call `read`, as `GenicamDevice.ask` takes them.

    `names` are those of values that are only codes.

    Raises:
        ConfigurationError: where it is not as it was set, by more than a hundredth where it is no whole number.
        GenicamError: where the camera does not answer.
    """
    names, refusal = names or {}, ""
    told = names.get(wanted, wanted)
    try:
        device.ask(*write, wanted.encode() if isinstance(wanted, str) else wanted)
    except GenicamError as error:
        if not error.is_of_settings:
            raise
        refusal = f" ({error})"
    try:
        got = device.ask(*read)
    except GenicamError as error:
        if not error.is_of_settings:
            raise
        raise ConfigurationError(f"{what} is set to {told}, but the camera has none: {error}") from error
    if isinstance(got, bytes):
        got = got.decode()
    same = got == wanted if isinstance(wanted, str | int) else math.isclose(got, wanted, rel_tol=0.01)
    if refusal or not same:
        raise ConfigurationError(f"{what} is set to {told}, but the camera has {names.get(got, got)}{refusal}")


def count_edges(device: GenicamDevice, counter: str, line: str) -> None:
    """Have a counter of the camera count the edges of its trigger line from now on, by the names of GenICam's SFNC.

    Raises as `put` does.
    """
    put_feature(device, "CounterSelector", counter)
    put_feature(device, "CounterEventSource", line)
    if device.has("CounterEventActivation"):
        put_feature(device, "CounterEventActivation", device.ask("get_string", b"TriggerActivation").decode())
    device.ask("execute_command", b"CounterReset")
    if left := device.ask("get_integer", b"CounterValue"):
        raise ConfigurationError(f"counter {counter} stands at {left} after its reset; is the line triggering already?")
