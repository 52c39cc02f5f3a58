"""Serves the application."""

from __future__ import annotations

import threading
from socket import socket

import uvicorn
from fastapi import FastAPI


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
