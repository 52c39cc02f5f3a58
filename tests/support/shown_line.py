"""A running line whose station is looked at: real services on drawn parts, many of them defective."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linewarden.commands.context import publish
from linewarden.demo import line
from linewarden.demo.servers import servers
from linewarden_ingest.cameras.simulation import LinePlan, PlannedVisit, draw, plan_visit
from linewarden_reinspect.bootstrap import sign_in_link
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import activation_record, recipe_record
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import ReviewRules
from linewarden_schemas.vocabulary import Role
from tests.support.whole_line import LineUnderTest, whole_line

OPERATOR = "Ada"
"""Who finds a study of the measurement system under *Study*."""
_SLOW_ENOUGH = 60_000
"""Milliseconds until a part must be decided: this machine does much else, and nothing here is about speed."""
_SEEN, _NO_DOT = 24, 40
"""Grey levels, and pixels of a picture of 160 x 160."""


@dataclass(frozen=True, slots=True)
class ShownLine:
    """The station's address, the way in of each role, and the truth of each part by its serial."""

    tested: LineUnderTest
    base: str
    token: str
    plan: LinePlan

    def link(self, role: Role) -> str:
        """Where somebody signs in as `role`."""
        return sign_in_link(self.base, self.token, [role])

    def defective(self, serial: str) -> bool:
        """The truth of a part; no part of this line comes twice."""
        return self._visit(serial).defective

    def shows_well(self, serial: str) -> bool:
        """Whether anybody sees the defect: it differs from the same part without it, and is no dot."""
        visit = self._visit(serial)
        pairs = zip(draw(self.plan, visit).views, draw(self.plan, replace(visit, defective=False)).views, strict=True)
        return any(_differs(ours.picture, flawless.picture) for ours, flawless in pairs)

    def _visit(self, serial: str) -> PlannedVisit:
        return plan_visit(self.plan, int(serial.lstrip("P")))


@contextmanager
def shown_line(folder: Path, rate: float) -> Iterator[ShownLine]:
    """A line that has routed its first parts, `rate` a second; four in ten are defective, two passes in ten audited."""
    plan = replace(line.demo_plan(1), defect_rate=0.4, missing_share=0.0, return_after=1_000_000)
    source = line.simulated(plan, None, rate, _SLOW_ENOUGH)
    token, port = secrets.token_urlsafe(16), free_port()
    station = {
        "PORT": str(port),
        "LINK_TOKEN": token,
        "LINK_ROLES": "[{}]".format(",".join(f'"{role}"' for role in Role)),
        "LINK_USES": "1000",
        "WALL": "true",
        "REFERENCES": str(line.references(source, folder)),
        "STUDIES": str(line.study(source, folder, operator=OPERATOR)),
    }
    extra = {f"LINEWARDEN_STATION__{name}": value for name, value in station.items()}
    with servers("embedded", folder) as under, whole_line(source, under, folder, extra) as tested:
        _audit_more(tested, source)
        tested.until(lambda: len(tested.figures.routings) > 5, "parts are routed")
        yield ShownLine(tested, f"http://127.0.0.1:{port}", token, plan)


def _differs(picture: NDArray[np.uint8], flawless: NDArray[np.uint8]) -> bool:
    apart = np.abs(picture.astype(np.int16) - flawless) > _SEEN
    return int(np.count_nonzero(apart)) > _NO_DOT


def _audit_more(tested: LineUnderTest, source: line.PictureSource) -> None:
    """A second version of the recipe, as an engineer activates one: what trust is worth is known from audits alone."""
    now_ms = SystemClock().now_ms()
    first = line.recipe(source, now_ms)
    review = ReviewRules(audit_share_of_passes=0.2, reject_review_share=0.1, undo_window_ms=5_000)
    second = first.model_copy(update={"version": 2, "review": review, "created_by": "eve"})
    active = Activation(
        line_id=line.LINE, recipe=second.ref(), bundle_digest=second.bundle_digest, from_ms=now_ms, actor="eve"
    )
    records = [recipe_record(line.NAMESPACE, second, "/walk"), activation_record(line.NAMESPACE, active, "/walk")]
    publish(tested.running.broker, records, client="walk")
