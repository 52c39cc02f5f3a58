"""Kinds of camera by name: those of linewarden, and those that other distributions bring by an entry point."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, get_args

from pydantic import SerializeAsAny, ValidatorFunctionWrapHandler, WrapValidator

from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.cameras.genicam import GenicamOptions
from linewarden_ingest.cameras.line import LineOptions
from linewarden_ingest.cameras.options import CameraOptions
from linewarden_ingest.cameras.posted import PostOptions
from linewarden_ingest.cameras.rtsp import RtspOptions
from linewarden_ingest.cameras.usb import UsbOptions
from linewarden_ingest.cameras.video import VideoOptions
from linewarden_ingest.cameras.watch import WatchOptions
from linewarden_runtime.errors import ConfigurationError

GROUP = "linewarden.cameras"
"""Entry points of this group name a kind of camera and the class of its options."""
BUILT_IN: Mapping[str, type[CameraOptions]] = {
    "folder": FolderOptions,
    "video": VideoOptions,
    "line": LineOptions,
    "genicam": GenicamOptions,
    "watch": WatchOptions,
    "http": PostOptions,
    "rtsp": RtspOptions,
    "usb": UsbOptions,
}


def brought() -> dict[str, str]:
    """The kinds that other distributions bring, each with who brings it; none is loaded."""
    found: dict[str, list[EntryPoint]] = {}
    for one in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        found.setdefault(one.name, []).append(one)
    return {kind: _who(claims) for kind, claims in found.items()}


def options_of(kind: str) -> type[CameraOptions]:
    """The class of a kind's options. Only what brings this kind is loaded.

    Raises:
        ConfigurationError: where nobody brings the kind, or two do, or what was brought is of no use.
    """
    claims = list(entry_points(group=GROUP, name=kind))
    own = BUILT_IN.get(kind)
    if own is None and not claims:
        raise ConfigurationError(
            f"no camera is of kind {kind!r}; known are {_known()}; a distribution that is installed beside linewarden "
            f"brings more by entry points of the group {GROUP!r}"
        )
    if len(claims) > 1 or (own and claims):
        others = " and linewarden itself" if own else ""
        raise ConfigurationError(
            f"the kind of camera {kind!r} is brought by {_who(claims)}{others}; uninstall one or rename its entry point"
        )
    return own or _loaded(claims[0])


def _loaded(claim: EntryPoint) -> type[CameraOptions]:
    who = f"{_who([claim])} brings the kind of camera {claim.name!r} as {claim.value!r}"
    try:
        found = claim.load()
    except Exception as error:  # others' code may raise anything while it is imported
        raise ConfigurationError(f"{who}, which cannot be imported: {type(error).__name__}: {error}") from error
    if not (inspect.isclass(found) and issubclass(found, CameraOptions)):
        raise ConfigurationError(f"{who}, which is no subclass of {CameraOptions.__module__}.{CameraOptions.__name__}")
    if inspect.isabstract(found):
        raise ConfigurationError(f"{who}, which lacks {', '.join(sorted(found.__abstractmethods__))}")
    if get_args(found.model_fields["kind"].annotation) != (claim.name,):
        raise ConfigurationError(f"{who}, whose own kind is not that; declare kind: Literal[{claim.name!r}]")
    return found


def _known() -> str:
    return ", ".join([*BUILT_IN, *(kind for kind in brought() if kind not in BUILT_IN)])


def _who(claims: list[EntryPoint]) -> str:
    return " and ".join(f"{one.dist.name} {one.dist.version}" if one.dist else one.value for one in claims)


def _by_kind(given: object, handler: ValidatorFunctionWrapHandler) -> CameraOptions:
    if not isinstance(given, Mapping):
        return handler(given)  # type: ignore[no-any-return]  # options that were made already, or an error
    kind = given.get("kind")
    if not isinstance(kind, str):
        raise ValueError(f"a camera needs its kind, one of {_known()}")  # noqa: TRY004 - pydantic's way
    return options_of(kind).model_validate(given)


AnyCameraOptions = Annotated[SerializeAsAny[CameraOptions], WrapValidator(_by_kind)]
"""A field for options of any kind: read by their `kind`, and written whole."""
