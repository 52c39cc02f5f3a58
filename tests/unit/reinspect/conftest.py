"""Servers of Redis for this area's tests."""

from tests.support.brokers import debian_redis, debian_redis_server, flush, valkey, valkey_server

__all__ = ["debian_redis", "debian_redis_server", "flush", "valkey", "valkey_server"]
