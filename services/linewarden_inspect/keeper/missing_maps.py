"""Maps of frames that were answered without the device, e.g. because they were late. Imports torch."""

from __future__ import annotations

import structlog

from linewarden_inspect.bootstrap import loader, set_threads
from linewarden_inspect.bundle_shelf import BundleShelf
from linewarden_inspect.settings import KeeperSettings
from linewarden_runtime.clock import Clock
from linewarden_runtime.recipes import PatientRecipes
from linewarden_schemas.envelope import Frame
from linewarden_schemas.inspection import Maps, SourceRef
from linewarden_vision.inspecting.map_pictures import picture_maps
from linewarden_vision.inspecting.preparing import Shelf, make_ready
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import score_batch

_log = structlog.get_logger(__name__)


class MapMaker:
    """Scores one picture at a time with the bundle of its recipe; belongs to the keeper's thread."""

    def __init__(self, settings: KeeperSettings, recipes: PatientRecipes, clock: Clock) -> None:
        if settings.bundles is None:
            raise ValueError("maps are made with bundles; set LINEWARDEN_KEEPER__BUNDLES")
        set_threads(settings.torch_threads)
        load = loader(settings.bundles, settings.device, settings.precision)
        self._bundles = BundleShelf(load, wait_s=30.0, held=2, clock=clock)
        self._shelf = Shelf(recipes, self._bundles.get)
        self._limits = settings.limits()

    def make(self, frame: Frame, source: SourceRef) -> Maps | None:
        """The maps, None where the picture cannot be judged; its deadline does not matter here."""
        try:
            ready = make_ready(frame, source, self._shelf, self._limits, lambda: 0)
            [answer] = score_batch(ready.scorer, [ready.prepared])
        except PictureRefused as refused:
            answer = refused
        if isinstance(answer, PictureRefused):
            _log.info("no maps", frame_id=frame.meta.frame_id, why=answer.detail)
            return None
        return picture_maps(answer, ready.native, ready.region)

    def close(self) -> None:
        """Give up the bundles that were loaded, and with them the device's memory."""
        self._bundles.close()
