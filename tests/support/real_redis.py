"""Debian's redis-server as a child process: every write is on disk before it is answered, and nothing is evicted."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import ServerProcess, free_port

_START_S = 20.0


class RealRedis:
    """One server, its data in `folder`; killing it keeps the data for the next start."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise ConfigurationError("redis-server is missing: sudo apt-get install redis-server")
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        options = [text for key, value in settings.items() for text in (f"--{key}", value)]
        self.process = ServerProcess([program, *options], folder.parent / f"{folder.name}.log", cwd=folder.parent)

    def client(self) -> redis.Redis:
        """A client that answers text, and gives up soon."""
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=2.0)

    def start(self) -> Self:
        """Start and wait until it has loaded its data."""
        self.process.start(self._answers, _START_S)
        return self

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
                return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()
