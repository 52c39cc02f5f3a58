"""Serves the application on a thread of its own, and other work of the station beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from socket import socket

import uvicorn
from fastapi import FastAPI

from linewarden_runtime.lifecycle import Stop


class Work(threading.Thread):
    """A thread whose failure stops the process and is raised again where it is joined."""

    def __init__(self, name: str, run: Callable[[threading.Event], None], stop: Stop) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._stop_all = run, stop
        self._failure: Exception | None = None

    def run(self) -> None:
        """Work until told to stop."""
        try:
            self._work(self._stop_all.event)
        except Exception as failure:  # noqa: BLE001 - raised again by finish()
            self._failure = failure
        self._stop_all.set(f"{self.name} ended")

    def finish(self, timeout_s: float = 10.0) -> None:
        """Wait for its end. Raises what it failed with."""
        self._stop_all.set("finishing")
        self.join(timeout_s)
        if self._failure is not None:
            raise self._failure


class WebServer:
    """Uvicorn without signal handlers, which are the runtime's."""

    def __init__(self, app: FastAPI, listening: socket) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=30,
        )
        self._server, self._listening = uvicorn.Server(config), listening

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; streams end by themselves, other answers are finished."""
        waiter = threading.Thread(target=self._end_with, args=(stop,), name="web-stop", daemon=True)
        waiter.start()
        self._server.run(sockets=[self._listening])

    def _end_with(self, stop: threading.Event) -> None:
        stop.wait()
        self._server.should_exit = True
