"""Kinds of camera by name: those of linewarden, and those that other distributions bring by an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import SerializeAsAny, WrapValidator

from linewarden_domain.plugins import Kinds
from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.cameras.line import LineOptions
from linewarden_ingest.cameras.options import CameraOptions
from linewarden_ingest.cameras.video import VideoOptions
from linewarden_runtime.errors import ConfigurationError

GROUP = "linewarden.cameras"
"""Entry points of this group name a kind of camera and the class of its options."""
BUILT_IN: Mapping[str, type[CameraOptions]] = {"folder": FolderOptions, "video": VideoOptions, "line": LineOptions}
KINDS = Kinds("camera", GROUP, CameraOptions, BUILT_IN, ConfigurationError)  # type: ignore[type-abstract]  # none is made

AnyCameraOptions = Annotated[SerializeAsAny[CameraOptions], WrapValidator(KINDS.by_kind)]
"""A field for options of any kind: read by their `kind`, and written whole."""
