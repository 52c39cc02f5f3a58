"""For tests of a camera, also your own kind: ingest around it, on a broker in memory."""

from __future__ import annotations

from pathlib import Path

from linewarden_ingest.cameras.options import CameraOptions
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.settings import IngestOptions, SpoolOptions, with_cameras
from linewarden_ingest.worker import Worker
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.provision import activation_record, line_state_record, provision_topics, recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.envelope import Frame, decode, decode_frame
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.recipe import Recipe, ViewSpec
from linewarden_schemas.vocabulary import LineMode

_NAMESPACE = Namespace("trial")
_PARTITIONS = 2
_SOURCE = "/trial"


class TrialLine:
    """Line `line1` in production with one camera, whose spool is below `folder`."""

    def __init__(self, camera: CameraOptions, folder: Path) -> None:
        self._clock = SystemClock()  # a broker of another time would hold the camera for its clock
        self.broker = MemoryBroker(self._clock)
        spool = SpoolOptions(folder=folder)
        self._camera, self._options = camera, with_cameras(IngestOptions(cameras=(camera,), spool=spool))
        recipe = Recipe(
            recipe_id="trial",
            version=1,
            product_id="trial",
            bundle_digest="0" * 64,
            views=(ViewSpec(view_id=camera.view_id, camera_id=camera.camera_id),),
            created_ms=1,
            created_by="trial",
        )
        activation = Activation(line_id="line1", recipe=recipe.ref(), from_ms=0, actor="trial")
        state = LineState(line_id="line1", mode=LineMode.PRODUCTION, since_ms=1, actor="trial")
        provision_topics(self.broker.admin(), _NAMESPACE, _PARTITIONS)
        self.broker.append(recipe_record(_NAMESPACE, recipe, _SOURCE))
        self.broker.append(activation_record(_NAMESPACE, activation, _SOURCE))
        self.broker.append(line_state_record(_NAMESPACE, state, _SOURCE))

    def run(self, start_ms: int = 1_000) -> None:
        """Run the camera as a process of its own would, in the run of that name, until its source ends.

        Raises:
            ConfigurationError: where it cannot run as it is set up.
            CameraDead: where it died; what it took before is published.
        """
        recipes = RecipeBook(self.broker, _NAMESPACE)
        board = PinBoard(LineBook(self.broker, _NAMESPACE), recipes, self._options.line_id, self._clock)
        try:
            Worker(
                self._options,
                self._camera,
                self.broker.producer,
                _NAMESPACE,
                partitions=_PARTITIONS,
                board=board,
                clock=self._clock,
            ).run(Stop(), start_ms)
        finally:
            board.close()

    def captures(self) -> list[Capture]:
        """What was published of each shot, by sequence."""
        records = self.broker.records(_NAMESPACE.topic("captures"))
        found = (decode(one.headers, one.value).message for one in records)
        return sorted((one for one in found if isinstance(one, Capture)), key=lambda one: one.sequence)

    def heartbeats(self) -> list[CameraHeartbeat]:
        """What was told of the camera itself, in its order."""
        records = self.broker.records(_NAMESPACE.topic("captures"))
        found = (decode(one.headers, one.value).message for one in records)
        return sorted((one for one in found if isinstance(one, CameraHeartbeat)), key=lambda one: one.at_ms)

    def frames(self) -> dict[str, Frame]:
        """Published pictures by frame id."""
        records = self.broker.records(_NAMESPACE.topic("frames"))
        return {one.meta.frame_id: one for one in (decode_frame(record.headers, record.value) for record in records)}
