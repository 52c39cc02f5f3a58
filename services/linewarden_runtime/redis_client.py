"""Redis or Valkey, reached by settings."""

from pathlib import Path

import redis
from pydantic import BaseModel, ConfigDict, Field
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

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

    @classmethod
    def from_url(cls, url: str) -> "RedisSettings":
        """Read host, port and database from `redis[s]://host:port/db`; a URL with a password is refused."""
        parts = redis.connection.parse_url(url)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        if "password" in parts:
            raise ConfigurationError("put the password into a file and name it in password_file, not in the URL")
        return cls(
            host=str(parts.get("host", "127.0.0.1")),
            port=int(parts.get("port", 6379)),
            db=int(parts.get("db", 0)),
            tls=url.startswith("rediss://"),
        )


def connect(settings: RedisSettings, *, decode_responses: bool = True) -> redis.Redis:
    """Make a client; it connects with its first command.

    Lost connections and timeouts are retried with jitter, so commands must be safe to repeat.
    """
    secret = settings.password_file
    password = None if secret is None else secret.read_text(encoding="utf-8").strip()
    return redis.Redis(
        host=settings.host,
        port=settings.port,
        db=settings.db,
        username=settings.username,
        password=password,
        ssl=settings.tls,
        ssl_ca_certs=_text(settings.tls_ca_file),
        ssl_certfile=_text(settings.tls_cert_file),
        ssl_keyfile=_text(settings.tls_key_file),
        socket_timeout=settings.timeout_s,
        socket_connect_timeout=settings.timeout_s,
        retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), settings.retries),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError],
        decode_responses=decode_responses,
        health_check_interval=30,
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
