"""Real pictures through the whole line on Apache Kafka and Debian's Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.connection import parse_url

from linewarden.demo import line
from linewarden.demo.servers import Servers
from linewarden_runtime.apache import ApacheKafka
from linewarden_schemas.vocabulary import Routing
from tests.support.whole_line import whole_line

PICTURES = 300
TILES = Path(__file__).parents[3] / "shared" / "data" / "magnetic-tile" / "images"

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.skipif(not TILES.is_dir(), reason=f"the magnetic tile pictures are not at {TILES}")
def test_every_tile_is_routed_once_and_is_final_or_waiting(
    apache_server: ApacheKafka, debian_redis: str, tmp_path: Path
) -> None:
    source = line.folder(TILES, PICTURES, 10.0, tmp_path)
    port = int(parse_url(debian_redis)["port"])  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    with whole_line(source, Servers(apache_server, port), tmp_path) as tested:
        tested.finish()
        report = tested.proof()
        assert report.closes, report.as_dict()
        assert report.visits == report.frames == report.inspected == PICTURES
        assert report.final + report.waiting == PICTURES
        assert len(tested.figures.routings) == PICTURES
        assert tested.figures.routed(Routing.DIVERTED) > 0
        tested.until(lambda: tested.waiting_in_queue() == len(tested.figures.open_slots), "the queue shows every slot")
