"""Brokers and Redis servers for tests, as fixtures; servers live as long as the session or the module."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.embedded import EmbeddedBroker, EmbeddedRedis
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.processes import ServerProcess, free_port, is_listening
from linewarden_runtime.redis_client import RedisSettings
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.watchdog import Watchdog

_numbers = count(1)

TEST_TIMEOUTS = {"session_timeout_ms": 1_000, "max_poll_interval_ms": 10_000, "close_timeout_s": 2.0}
"""Short, so that a group's joins, evictions and hangs are seen soon."""


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test of this session uses."""
    return f"test{next(_numbers)}"


@pytest.fixture
def memory_broker() -> MemoryBroker:
    """An empty in-memory broker."""
    return MemoryBroker()


@pytest.fixture(scope="module")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The embedded broker's server, one for each module: with many dead groups in it new members join late."""
    with EmbeddedBroker(tmp_path_factory.mktemp("tansu")) as server:
        yield server


@pytest.fixture(scope="module")
def tansu_broker(tansu: EmbeddedBroker) -> Iterator[KafkaBroker]:
    """Clients of the embedded broker; tests keep apart by namespace."""
    yield from _broker(tansu.settings())


@pytest.fixture(scope="session")
def apache_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One Apache Kafka node; mark tests that use it with `kafka`."""
    with ApacheKafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def apache_kafka(apache_server: ApacheKafka) -> Iterator[KafkaBroker]:
    """Clients of Apache Kafka; tests keep apart by namespace."""
    settings = KafkaSettings(bootstrap_servers=apache_server.bootstrap_servers)
    yield from _broker(settings, session_timeout_ms=6_000)  # a static member must be back within it on a busy machine


def _broker(settings: KafkaSettings, **more: int) -> Iterator[KafkaBroker]:
    watchdog = Watchdog()
    yield KafkaBroker(settings.model_copy(update=TEST_TIMEOUTS | more), watchdog)
    watchdog.close()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """The embedded Redis server, shared by tests that keep apart by key prefix."""
    with EmbeddedRedis(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(valkey_server: EmbeddedRedis, flush: Callable[[str], None]) -> str:
    """URL of an empty Redis: every test finds all databases empty."""
    flush(valkey_server.url)
    return valkey_server.url


@pytest.fixture(scope="session")
def debian_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's redis-server, or a skip; mark tests that use it with `redis`."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    folder: Path = tmp_path_factory.mktemp("redis")
    port = free_port()
    options = ["--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "yes"]
    server = ServerProcess([program, *options], folder / "redis.log")
    server.start(lambda: is_listening(port), 10.0)
    yield f"redis://127.0.0.1:{port}/0"
    server.stop()


@pytest.fixture
def debian_redis(debian_redis_server: str, flush: Callable[[str], None]) -> str:
    """URL of an empty Debian Redis."""
    flush(debian_redis_server)
    return debian_redis_server


@pytest.fixture(scope="session")
def flush() -> Callable[[str], None]:
    """Empties a Redis server by its URL."""

    def run(url: str) -> None:
        with redis.Redis.from_url(url) as client:
            client.flushall()

    return run


def redis_settings(url: str) -> RedisSettings:
    """Settings for the Redis server of a fixture's URL."""
    return RedisSettings(port=urlsplit(url).port or 6379)
