"""Triggers that are posted to us over HTTP, one a request."""

from __future__ import annotations

import hmac
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from linewarden_ingest.triggers.desk import SourceAway, TriggerDesk
from linewarden_ingest.triggers.options import STEP_S, Address, TriggerOptions, family_of, host_and_port, secret_in
from linewarden_ingest.triggers.parsing import MOST_LINE
from linewarden_runtime.lifecycle import Stop


class HttpTrigger(TriggerOptions):
    """`POST /trigger` at `address` with a line as its body, and `Authorization: Bearer` with the token of the file.

    202 where it is taken; 401, 411, 413 and 422 with a reason where it is not. A request that is sent again is a second
    trigger.
    """

    kind: Literal["http"] = "http"
    address: Address
    token_file: Path

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        """Answer requests until the stop; raises SourceAway where the address cannot be had."""
        token = secret_in(self.token_file)
        address = host_and_port(self.address)

        class Server(ThreadingHTTPServer):
            address_family = family_of(address[0])
            daemon_threads = True
            block_on_close = False
            timeout = STEP_S

        try:
            server = Server(address, _handler(desk, token))
        except OSError as error:
            raise SourceAway(f"{self.address}: {error}") from error
        with server:
            desk.here()
            while not until.is_set():
                server.handle_request()


def _refusal(path: str, headers: Message, token: str) -> tuple[HTTPStatus, str] | None:
    """Why a request is refused before its body is read."""
    given = headers.get("Authorization", "").removeprefix("Bearer ")
    length = headers.get("Content-Length", "")
    if not hmac.compare_digest(given.encode(), token.encode()):
        return HTTPStatus.UNAUTHORIZED, "Authorization: Bearer with the station's token is needed"
    if path != "/trigger":
        return HTTPStatus.NOT_FOUND, "POST /trigger"
    if not (length.isascii() and length.isdigit()):
        return HTTPStatus.LENGTH_REQUIRED, "Content-Length is needed"
    if len(length) > 9 or int(length) > MOST_LINE:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{MOST_LINE} bytes are allowed"
    return None


def _handler(desk: TriggerDesk, token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_POST(self) -> None:
            self.close_connection = True
            refusal = _refusal(self.path, self.headers, token)
            if refusal is not None:
                self._answer(*refusal)
            else:
                self._posted(int(self.headers["Content-Length"]))

        def _posted(self, length: int) -> None:
            try:
                line = self.rfile.read(length)
            except OSError:
                line = b""
            if len(line) < length:
                desk.refuse("a request ended within its body")
                return
            refused = desk.line(line)
            self._answer(HTTPStatus.UNPROCESSABLE_ENTITY if refused else HTTPStatus.ACCEPTED, refused or "taken")

        def _answer(self, status: HTTPStatus, words: str) -> None:
            body = f"{words}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep requests out of the log; what is refused is told by the desk."""

    return Handler
