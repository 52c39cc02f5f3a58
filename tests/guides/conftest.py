"""A line that a guide connects something to, on the embedded broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from tests.support.followed_line import FollowedLine


@pytest.fixture
def line(tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str, tmp_path: Path) -> Iterator[FollowedLine]:
    """Topics, a recipe, production; what is captured is read as it comes."""
    with FollowedLine(tansu, tansu_broker, Namespace(namespace), tmp_path) as made:
        yield made
