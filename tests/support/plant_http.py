"""A receiver of webhooks on a real socket, which answers as a test says."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from linewarden_runtime.ports import Closing

Reply = Callable[["Receiver"], None]
"""What is sent for one request."""


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def is_signed_with(self, secret: bytes) -> bool:
        """As a receiver checks it."""
        at_s, signature = (part.partition("=")[2] for part in self.headers["linewarden-signature"].split(","))
        wanted = hmac.new(secret, at_s.encode() + b"." + self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, signature)


def status(code: int, **headers: str) -> Reply:
    """An answer with an empty body; `retry_after="3"` is the header Retry-After."""

    def reply(to: Receiver) -> None:
        to.send_response(code)
        for name, value in headers.items():
            to.send_header(name.replace("_", "-"), value)
        to.send_header("Content-Length", "0")
        to.end_headers()

    return reply


def silent(to: Receiver) -> None:
    """Nothing, until the client goes or the server ends."""
    to.plant.released.wait(30)
    to.close_connection = True


def half_a_head(to: Receiver) -> None:
    to.wfile.write(b"HTTP/1.1 20")
    to.close_connection = True


def half_a_body(to: Receiver) -> None:
    to.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much")
    to.close_connection = True


def drip(to: Receiver) -> None:
    """A byte at a time, for ever: no single read is ever late."""
    to.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not to.plant.released.wait(0.05):
        try:
            to.wfile.write(b"x")
            to.wfile.flush()
        except OSError:
            break
    to.close_connection = True


class Receiver(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: PlantHttp

    @property
    def plant(self) -> PlantHttp:
        return self.server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.plant.answer(self, Received(self.path, headers, body))

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class PlantHttp(ThreadingHTTPServer, Closing):
    """Keeps every request; `replies` are given one after the other, and then 200. Closed, it answers none any more."""

    daemon_threads = False  # so that closing waits for them

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Receiver)
        self.received: list[Received] = []
        self.replies: list[Reply] = []
        self.released = threading.Event()
        self.changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.received]

    def answer(self, to: Receiver, request: Received) -> None:
        with self.changed:
            self.received.append(request)
            reply = self.replies.pop(0) if self.replies else status(200)
            self.changed.notify_all()
        reply(to)

    def wait_for(self, count: int, seconds: float = 60.0) -> list[Received]:
        """Wait until so many requests came."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, seconds), self.keys
            return list(self.received)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        for one in list(self._connections):
            with suppress(OSError):  # the client was faster
                one.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_told: object) -> None:
        self.close()  # the server's own would close the socket alone, and its thread would turn for ever
