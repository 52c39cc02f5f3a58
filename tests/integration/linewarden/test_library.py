"""What a line recorded, as a table and as pictures, from a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import linewarden
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from tests.integration.replay.test_seams_on_apache import captured
from tests.support.bundles import random_picture
from tests.support.topics import provisioned

VISITS = 4


@pytest.fixture
def line(
    tansu_broker: KafkaBroker, tansu: EmbeddedBroker, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Namespace:
    """Visits that were captured, and the environment that names their line."""
    made = Namespace(namespace)
    provisioned(tansu_broker, made, 4)
    captured(tansu_broker, made, range(VISITS))
    monkeypatch.setenv("LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS", tansu.bootstrap_servers)
    monkeypatch.setenv("LINEWARDEN_NAMESPACE", made.name)
    return made


def test_parts_are_a_table_and_pictures_come_as_they_were_captured(line: Namespace, tmp_path: Path) -> None:
    table = linewarden.parts(tmp_path / "index.sqlite")
    assert table.num_rows == VISITS
    first = table.column("visit_id")[0].as_py()
    assert linewarden.parts(tmp_path / "index.sqlite", follow=False, line="nowhere").num_rows == 0
    shown = list(linewarden.pictures(index=tmp_path / "index.sqlite"))
    assert {one.meta.visit_id for one in shown} == set(table.column("visit_id").to_pylist())
    assert first in {one.meta.visit_id for one in shown}
    sent = [random_picture(number) for number in range(VISITS)]
    assert all(any(np.array_equal(one.pixels(), picture) for picture in sent) for one in shown)
    assert all(one._repr_png_().startswith(b"\x89PNG") for one in shown)
