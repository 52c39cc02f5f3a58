"""A small HTTP server for probes and Prometheus: /healthz, /readyz, /metrics."""

import json
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.ports import Closing


class Health:
    """What a process knows of itself: when its loop last turned, what is not ready yet, and what is served unwell."""

    def __init__(self, clock: Clock | None = None, stale_after_s: float = 60.0) -> None:
        self._clock = clock or SystemClock()
        self._stale_after_s = stale_after_s
        self._beat = self._clock.monotonic()
        self._waiting: dict[str, str] = {}
        self._unwell: dict[str, str] = {}
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Tell that the loop turned; without this for `stale_after_s` the process counts as hung."""
        self._beat = self._clock.monotonic()

    def not_ready(self, part: str, why: str) -> None:
        """Tell that a part cannot serve now, and why."""
        with self._lock:
            self._waiting[part] = why

    def ready(self, part: str) -> None:
        """Tell that a part can serve."""
        with self._lock:
            self._waiting.pop(part, None)

    def unwell(self, found: Mapping[str, str]) -> None:
        """Tell all that is served but not as it should be, with words; it keeps nothing from being ready."""
        with self._lock:
            self._unwell = dict(found)

    def is_alive(self) -> bool:
        """Whether the loop turned lately."""
        return self._clock.monotonic() - self._beat <= self._stale_after_s

    def waiting(self) -> dict[str, str]:
        """What is not ready, with reasons."""
        with self._lock:
            return dict(self._waiting)

    def ailments(self) -> dict[str, str]:
        """What is served unwell, with reasons."""
        with self._lock:
            return dict(self._unwell)


class _ProbeServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has them
        """A probe that hung up does not hear its answer, which is no fault of ours; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class HealthServer(Closing):
    """Serves one Health, and the metrics of a registry, on a port; port 0 takes a free one."""

    def __init__(
        self,
        health: Health,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._server = _ProbeServer((host, port), _handler(health, registry))
        # No Background: a failure belongs to the one answer, and probes are answered to the very end.
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def start(self) -> Self:
        """Serve on a thread of its own."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering, wait for the request in hand and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()


def _handler(health: Health, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._answer(health.is_alive(), {"alive": health.is_alive()})
            elif self.path == "/readyz":
                waiting = health.waiting()
                self._answer(not waiting and health.is_alive(), {"waiting": waiting, "unwell": health.ailments()})
            elif self.path == "/metrics":
                self._send(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            else:
                self._send(404, "text/plain", b"/healthz, /readyz, /metrics\n")

        def _answer(self, good: bool, body: dict[str, object]) -> None:
            self._send(200 if good else 503, "application/json", json.dumps(body).encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep probes out of the log."""

    return Handler
