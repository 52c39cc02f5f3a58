"""A line on the in-memory broker: topics, a recipe, an activation, and what ingest published."""

from __future__ import annotations

from linewarden_ingest.camera_watch import CameraWatch
from linewarden_ingest.cameras.conditions import CameraLimits, ConditionJudge
from linewarden_ingest.captures import CameraPlace, Pins
from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import activation_record, line_state_record, provision_topics, recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.envelope import Frame, decode, decode_frame
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState, RecipeRef
from linewarden_schemas.recipe import Recipe, TimeBudget, ViewSpec
from linewarden_schemas.vocabulary import LineMode

NAMESPACE = Namespace("line1")
PLACE = CameraPlace("line1", "st1", "cam0", "view0")
STATE = LineState(line_id="line1", mode=LineMode.PRODUCTION, since_ms=5, actor="test", lot_id="L1")
PINS = Pins(RecipeRef(recipe_id="plate", version=1), 10_000, STATE)


def recipe(version: int = 1, views: int = 3) -> Recipe:
    return Recipe(
        recipe_id="plate",
        version=version,
        product_id="plate",
        bundle_digest="0" * 64,
        views=tuple(ViewSpec(view_id=f"view{n}", camera_id=f"cam{n}") for n in range(views)),
        time=TimeBudget(decide_by_ms=4_000),
        created_ms=1,
        created_by="test",
    )


def watch_of(clock: Clock, *, camera: str = "cam0", is_live: bool = False, **limits: float) -> CameraWatch:
    """A watch of a camera whose reads may take any time."""
    return CameraWatch(camera, ConditionJudge(CameraLimits.model_validate(limits), is_live=is_live), clock, None)


def set_up_line(broker: Broker, namespace: Namespace = NAMESPACE, partitions: int = 4) -> None:
    """Topics, recipe plate@1 active from the beginning, production."""
    with broker.admin() as admin:
        provision_topics(admin, namespace, partitions)
    activation = Activation(line_id="line1", recipe=RecipeRef(recipe_id="plate", version=1), from_ms=0, actor="test")
    with broker.producer() as producer:
        for record in (
            recipe_record(namespace, recipe(), "/test"),
            activation_record(namespace, activation, "/test"),
            line_state_record(namespace, STATE, "/test"),
        ):
            producer.send(record)
        producer.flush(10.0)


def captures(broker: MemoryBroker) -> list[Capture]:
    found = [decode(r.headers, r.value).message for r in broker.records("line1.captures")]
    return sorted((one for one in found if isinstance(one, Capture)), key=lambda one: one.sequence)


def heartbeats(broker: MemoryBroker) -> list[CameraHeartbeat]:
    found = [decode(r.headers, r.value).message for r in broker.records("line1.captures")]
    return [one for one in found if isinstance(one, CameraHeartbeat)]


def frames(broker: MemoryBroker) -> list[Frame]:
    return [decode_frame(r.headers, r.value) for r in broker.records("line1.frames")]
