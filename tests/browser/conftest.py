"""Real servers for this area's tests."""

from tests.support.brokers import (
    debian_redis,
    debian_redis_server,
    flush,
    namespace,
    tansu,
    tansu_broker,
    valkey,
    valkey_server,
)
from tests.unit.reinspect.sockets import sockets_of_the_client_library

__all__ = [
    "debian_redis",
    "debian_redis_server",
    "flush",
    "namespace",
    "sockets_of_the_client_library",
    "tansu",
    "tansu_broker",
    "valkey",
    "valkey_server",
]
