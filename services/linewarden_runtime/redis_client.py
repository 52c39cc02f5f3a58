"""Redis or Valkey, reached by settings."""

from pathlib import Path

import redis
from pydantic import BaseModel, ConfigDict, Field
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError


class RedisSettings(BaseModel):
    """Connection and security. Users are those of Redis' access lists; secrets lie in files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(6379, ge=1, le=65535)
    db: int = Field(0, ge=0)
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    timeout_s: float = Field(2.0, gt=0)
    retries: int = Field(3, ge=0)


def connect(settings: RedisSettings, *, decode_responses: bool = True) -> redis.Redis:
    """Make a client; it connects with its first command.

    Lost connections and timeouts are retried with jitter, so commands must be safe to repeat.
    """
    secret, told = settings.password_file, settings.model_dump(mode="json")
    password = None if secret is None else secret.read_text(encoding="utf-8").strip()
    return redis.Redis(
        host=settings.host,
        port=settings.port,
        db=settings.db,
        username=settings.username,
        password=password,
        ssl=settings.tls,
        ssl_ca_certs=told["tls_ca_file"],
        ssl_certfile=told["tls_cert_file"],
        ssl_keyfile=told["tls_key_file"],
        socket_timeout=settings.timeout_s,
        socket_connect_timeout=settings.timeout_s,
        retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), settings.retries),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError],
        decode_responses=decode_responses,
        health_check_interval=30,
    )


class MemoryWatch:
    """Whether the server keeps what it is given when its memory is full, looked at now and then."""

    def __init__(self, client: redis.Redis, clock: Clock, every_s: float = 15.0) -> None:
        self._client, self._clock, self._every_s = client, clock, every_s
        self._looked_at = float("-inf")
        self._ailment: str | None = None

    def ailment(self) -> str | None:
        """What to change, None where nothing is wrong; while the server does not answer, what was seen last."""
        if self._clock.monotonic() - self._looked_at >= self._every_s:
            try:
                self._ailment = eviction_ailment(self._client)
            except (redis.ConnectionError, redis.TimeoutError):
                return self._ailment
            self._looked_at = self._clock.monotonic()
        return self._ailment

    def require_none(self) -> None:
        """Refuse to start; a server that does not answer yet is looked at later.

        Raises:
            ConfigurationError: with the line to change.
        """
        if (ailment := self.ailment()) is not None:
            raise ConfigurationError(ailment)


def eviction_ailment(client: redis.Redis) -> str | None:
    """What to change where the server would drop keys when its memory is full.

    Raises redis.ConnectionError or redis.TimeoutError where it does not answer.
    """
    try:
        told = client.info("memory")
    except redis.ResponseError as error:
        return f"Redis does not tell its maxmemory-policy ({error}): let the user read it with ACL SETUSER NAME +info"
    policy = str(told.get("maxmemory_policy", "unknown")) if isinstance(told, dict) else "unknown"
    if policy == "noeviction":
        return None
    return f"Redis drops keys when its memory is full ({policy}): CONFIG SET maxmemory-policy noeviction"
