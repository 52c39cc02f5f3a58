"""How to reach Kafka, and the timeouts and sizes that belong together."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class KafkaSettings(BaseModel):
    """Connection, security, sizes and timeouts; shared by all clients of a process.

    The timeouts are ordered, request < delivery < transaction <= 10 s, so that a client gives up before
    the broker does, and a line's decide-by budget can be met after any single failure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = "127.0.0.1:9092"
    client_id: str = "linewarden"

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password_file: Path | None = None
    ssl_check_hostname: bool = True
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password_file: Path | None = None

    max_record_bytes: int = Field(10 << 20, ge=1 << 20, le=64 << 20)
    batch_bytes: int = Field(1 << 20, ge=16 << 10, le=5 << 20)
    linger_ms: int = Field(5, ge=0, le=1000)
    fetch_bytes: int = Field(32 << 20, ge=1 << 20)
    retry_backoff_ms: int = Field(10, ge=1, le=1000)
    """Right after a commit a broker refuses the next transaction for a moment; this is how long to wait."""
    fetch_wait_ms: int = Field(100, ge=1, le=1000)

    ends_by_fetch: bool = False
    """For the embedded broker, which lists wrong ends of partitions."""
    static_members: bool = True
    """False for the embedded broker, where a static member waits long before its first record."""

    append_time: bool = True
    """False for the embedded broker, which keeps the producer's time also where a topic says LogAppendTime."""

    request_timeout_ms: int = Field(5_000, ge=500)
    delivery_timeout_ms: int = Field(8_000, ge=500)
    transaction_timeout_ms: int = Field(10_000, ge=1_000, le=10_000)
    bootstrap_timeout_ms: int = Field(10_000, ge=500)
    session_timeout_ms: int = Field(6_000, ge=600)
    max_poll_interval_ms: int = Field(60_000, ge=10_000)
    close_timeout_s: float = Field(5.0, gt=0)
    watchdog_margin_s: float = Field(5.0, gt=0)

    @model_validator(mode="after")
    def _timeouts_are_ordered(self) -> Self:
        if not self.request_timeout_ms < self.delivery_timeout_ms < self.transaction_timeout_ms:
            raise ValueError("timeouts must be ordered: request < delivery < transaction")
        return self

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        wanted = self.security_protocol.startswith("SASL")
        given = (self.sasl_mechanism, self.sasl_username, self.sasl_password_file)
        if wanted and None in given:
            raise ValueError(f"{self.security_protocol} needs sasl_mechanism, sasl_username and sasl_password_file")
        return self

    def connection(self) -> dict[str, Any]:
        """Options that every client of kafka-python understands."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "request_timeout_ms": self.request_timeout_ms,
            "bootstrap_timeout_ms": self.bootstrap_timeout_ms,
            "reconnect_backoff_max_ms": 1_000,
            "metadata_max_age_ms": 60_000,
        }
        if self.security_protocol.endswith("SSL"):
            told = {"ssl_check_hostname", "ssl_cafile", "ssl_certfile", "ssl_keyfile"}
            options |= self.model_dump(mode="json", include=told)
            options |= {"ssl_password": _secret(self.ssl_password_file)}
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": _secret(self.sasl_password_file),
            }
        return options

    def producer(self) -> dict[str, Any]:
        """Options of every producer.

        An idempotent producer that gives up a retried batch never sends again, so outside transactions
        delivery never times out; whoever sends watches the age of what is not acknowledged.
        """
        return self.connection() | {
            "acks": "all",
            "enable_idempotence": True,
            # Nearly all bytes are pictures, which are compressed already.
            "compression_type": None,
            "batch_size": self.batch_bytes,
            "linger_ms": self.linger_ms,
            "max_request_size": self.max_record_bytes,
            "max_block_ms": self.bootstrap_timeout_ms,
            "retry_backoff_ms": self.retry_backoff_ms,
            # Longer than any outage (D0); ingest's publisher bounds the age of what waits.
            "delivery_timeout_ms": 2**31 - 1,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }

    def transactional_producer(self, transactional_id: str) -> dict[str, Any]:
        """Options of a transactional producer, whose deliveries end before its transaction does."""
        return self.producer() | {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": self.transaction_timeout_ms,
            "delivery_timeout_ms": self.delivery_timeout_ms,
        }

    def reader(self) -> dict[str, Any]:
        """Options of everything that reads.

        Without committed offset or with one out of range the client raises; it never chooses by itself.
        """
        return self.connection() | {
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            # `earliest` or `latest` would pass over what retention deleted, or all of it, without a word.
            "auto_offset_reset": "none",
            "fetch_max_bytes": self.fetch_bytes,
            "max_partition_fetch_bytes": self.max_record_bytes,
            "fetch_max_wait_ms": self.fetch_wait_ms,
            "enable_incremental_fetch_sessions": False,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }

    def consumer(self, group: str, instance: str | None) -> dict[str, Any]:
        """Options of a group's member."""
        return self.reader() | {
            "group_id": group,
            "group_instance_id": instance if self.static_members else None,
            "session_timeout_ms": self.session_timeout_ms,
            # Two heartbeats may be lost before the session is over, as Kafka advises.
            "heartbeat_interval_ms": self.session_timeout_ms // 3,
            "max_poll_interval_ms": self.max_poll_interval_ms,
        }


def _secret(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8").strip()
