"""Parts that wait, for the benchmark of the queue, and where its servers are."""

from __future__ import annotations

import random
from dataclasses import dataclass

import redis

from linewarden_domain.words import said, sentences
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_schemas.disposition import SlotClose, SlotFrame, SlotOpen
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace, digest, frame_id, slot_id, visit_id
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import Cause, Verdict

LINE = Namespace("bench")
PARTITIONS = 4
_SLACK_MS = 600_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where the servers are."""

    bootstrap: str
    redis_url: str

    def broker(self) -> KafkaBroker:
        """Clients of the broker."""
        return KafkaBroker(KafkaSettings(bootstrap_servers=self.bootstrap))

    def queue(self, client: redis.Redis) -> RedisQueue:
        """The queue, over a client."""
        return RedisQueue(client, LINE.redis_prefix())


def part(number: int, now_ms: int, dice: random.Random) -> SlotOpen:
    """A part with three views, of any risk."""
    visit, risk = visit_id("line1", "st1", now_ms, number), dice.random()
    source = SourceRef(topic=LINE.topic("frames"), partition=0, offset=number)
    frames = [
        SlotFrame(
            frame_id=frame_id(visit, view, 1, number),
            view_id=view,
            doubtful=view == "top",
            sha256=digest(view.encode()),
            frame=source,
            inspection=source,
            verdict=Verdict.OK,
            p_defect=0.12,
            suspicion=risk,
            **sentences((said("view_suspicion", view="top", suspicion=0.7),)),
        )
        for view in ("top", "side", "face")
    ]
    return SlotOpen(
        slot_id=slot_id(visit, 0, 0),
        visit_id=visit,
        round=0,
        generation=0,
        causes=(Cause.LOW_TRUST,),
        reasons=frames[0].reasons,
        reasons_coded=frames[0].reasons_coded,
        risk=risk,
        opened_ms=now_ms,
        due_ms=now_ms + round((1 - risk) * _SLACK_MS),
        line_id=f"line{number % 4}",
        part_id=f"SN-{number:07d}",
        product_id="bracket",
        recipe=RecipeRef(recipe_id="bracket", version=1),
        capacity_per_hour=600,
        max_age_ms=3_600_000,
        frames=tuple(frames),
    )


def record(message: SlotOpen | SlotClose, now_ms: int) -> OutRecord:
    """As route writes it."""
    encoded = encode(message, id=message.slot_id, source="/bench/route", time_ms=now_ms)
    partition = partition_of(message.visit_id, PARTITIONS)
    return OutRecord(LINE.topic("reinspections"), message.slot_id.encode(), encoded.value, encoded.headers, partition)
