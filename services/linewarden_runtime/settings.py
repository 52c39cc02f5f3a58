"""Settings of a process: frozen, from the environment, unknown keys refused.

Everything common lies in sections: `LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS`, `LINEWARDEN_REDIS__HOST`. A stage
puts its own settings into a section of its own name (`inspect: InspectOptions` becomes
`LINEWARDEN_INSPECT__...`), so that all services of a line can share one environment file. Secrets are never
values here, only names of files.
"""

import os
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.redis_client import RedisSettings
from linewarden_schemas.violations import violations

PREFIX = "LINEWARDEN_"


class ServiceSettings(BaseSettings):
    """What every service needs; stages add their section in a subclass."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    SERVICE: ClassVar[str] = "cli"
    """Which service reads them; it names the clients of Kafka, where nobody gives them another name."""

    namespace: str = "line1"
    instance: str = "0"
    """Which replica of the service this is; names its static group member and transactional id."""
    health_host: str = "127.0.0.1"
    health_port: int = Field(0, ge=0, le=65535)
    """0 takes a free port."""
    log_level: str = "INFO"
    recipes_by_digest: bool = False
    """Whether a reference to a recipe without the digest of its content diverts; true once all writers name it."""
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            ConfigurationError: for a value that does not fit or a name that nobody knows, naming it.
        """
        cls._refuse_unknown(os.environ)
        try:
            return cls().with_client_id()
        except ValidationError as error:
            raise ConfigurationError(f"settings: {violations(error)}") from error

    def with_client_id(self) -> Self:
        """The same with one client id a service and replica, so that a broker's logs and quotas tell them apart."""
        if "client_id" in self.kafka.model_fields_set:
            return self
        client_id = f"{self.namespace}.{self.SERVICE}-{self.instance}"
        return self.model_copy(update={"kafka": self.kafka.model_copy(update={"client_id": client_id})})

    @classmethod
    def _refuse_unknown(cls, environment: Mapping[str, str]) -> None:
        """Refuse top-level names that are neither a field nor a section; sections refuse theirs themselves."""
        # All services may share one environment; kafka_home is no setting, and read by `apache`.
        shared = (
            "kafka redis ingest inspect keeper route onward line reinspect projector station replay notary audit train "
            "bridge kafka_home"
        )
        known = {*cls.model_fields, *shared.split()}
        names = {name for name in environment if name.upper().startswith(PREFIX)}
        unknown = sorted(n for n in names if n[len(PREFIX) :].lower().split("__")[0] not in known)
        if unknown:
            raise ConfigurationError(f"unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}")
