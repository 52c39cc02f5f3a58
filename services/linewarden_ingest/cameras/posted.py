"""A smart camera that posts its pictures by HTTP, each answered when it is safe."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import ExitStack
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server, socket
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from linewarden_ingest.cameras.interface import CameraFault, Receipt, Shot, Trigger
from linewarden_ingest.cameras.journal import TakenJournal, TakenShot
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.capture import Capture
from linewarden_schemas.topics import CATALOGUE
from linewarden_schemas.vocabulary import Loss

if TYPE_CHECKING:
    import uvicorn

    from linewarden_ingest.cameras.reception import Post, Reception

_HOUR_MS = 3_600_000
_SHORTEST_TOKEN = 16


class PostOptions(CameraOptions):
    """A server that a smart camera posts to.

    At an address that others reach it needs the token in `token_file`; `cert_file` and `key_file` (PEM) make it HTTPS.
    At most `waiting` pictures wait to be taken; a post is answered within `answer_s`, and its body has `body_s` to
    come. `visits` says that each post brings its visit. Keys are remembered for `remember_h`.
    """

    kind: Literal["http"] = "http"
    host: str = "127.0.0.1"
    port: int = Field(8484, ge=0, le=65535)
    token_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    max_bytes: int = Field(CATALOGUE["frames"].max_record_bytes - (64 << 10), ge=1024)
    waiting: int = Field(8, ge=1)
    answer_s: float = Field(5.0, gt=0)
    body_s: float = Field(20.0, gt=0)
    visits: bool = False
    remember_h: float = Field(24.0, gt=0)

    @model_validator(mode="after")
    def _is_closed_to_strangers(self) -> Self:
        if not _is_loopback(self.host) and self.token_file is None:
            raise ValueError(f"host {self.host} can be reached by others; set token_file to a file with a secret")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("HTTPS needs both cert_file and key_file")
        if self.rate_per_s is not None:
            raise ValueError("a smart camera gives pictures as it posts them; leave rate_per_s out")
        return self

    @property
    def brings_visits(self) -> bool:
        """Whether a post without its visit is refused."""
        return self.visits

    def open(self, run: CameraRun) -> PostedCamera:
        """The server, which answers from now on.

        Raises:
            ConfigurationError: where token or certificate cannot be used.
            CameraFault: where the address cannot be had.
        """
        return PostedCamera(self, run)

    def token(self) -> bytes | None:
        """The secret of `token_file`.

        Raises:
            ConfigurationError: where the file cannot be read, or holds hardly a secret.
        """
        if self.token_file is None:
            return None
        try:
            token = self.token_file.read_bytes().strip()
        except OSError as error:
            raise ConfigurationError(f"{self.token_file}: {error.strerror}") from error
        if len(token) < _SHORTEST_TOKEN:
            raise ConfigurationError(f"{self.token_file} holds {len(token)} characters; at least {_SHORTEST_TOKEN} do")
        return token


class PostedCamera:
    """Gives what is posted, one by one, and answers when it is safe; see `PostOptions`."""

    def __init__(self, options: PostOptions, run: CameraRun) -> None:
        self._options, self._run, self._clock = options, run, run.clock
        self._index = run.first
        self._waiting: deque[Post] = deque()
        self._by_key: dict[str, Post] = {}
        self._on_the_way: dict[int, Post] = {}
        self._notes: dict[int, str] = {}
        self._lock = threading.Lock()
        self._posted = threading.Event()
        self._forget_at_ms, self._is_closed = 0, False
        from linewarden_ingest.cameras.reception import Reception  # noqa: PLC0415 - the supervisor stays small

        with ExitStack() as undone:
            listening = _listening(options)
            undone.callback(listening.close)
            reception = Reception(
                self,
                run.place,
                options.token(),
                max_bytes=options.max_bytes,
                body_s=options.body_s,
                answer_s=options.answer_s,
                visits=options.visits,
            )
            self._server = _server(options, reception)
            self._journal = TakenJournal(run)
            undone.pop_all()
        self.port: int = listening.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="posts", daemon=True
        )
        self._thread.start()

    def poll(self, timeout_s: float) -> Shot | None:
        """What was posted first; what nobody asks for within `answer_s` is refused."""
        if not self._waiting:
            self._clock.wait(self._posted, timeout_s)
        if not self._thread.is_alive():
            raise CameraFault("the server that is posted to has ended")
        with self._lock:
            if not self._waiting:
                self._posted.clear()
                return None
            post = self._waiting.popleft()
            self._on_the_way[self._index] = post
        label, now_ms = post.label, self._clock.now_ms()
        trigger_ms = self._run.start_ms if post.trigger_ms is None else post.trigger_ms
        shot = Shot(
            self._index,
            # Never later than now: a device whose clock is ahead must not lengthen the time to decide.
            min(now_ms if post.trigger_ms is None else post.trigger_ms, now_ms),
            None if post.unreadable else post.picture,
            loss=Loss.UNREADABLE if post.unreadable else None,
            loss_detail=post.unreadable,
            trigger=None if label.visit is None else Trigger(label.visit, trigger_ms),
            view_id=label.view_id,
            part=label.part,
            receipt=Receipt(partial(self._given, self._index), partial(self._safe, self._index)),
        )
        self._index += 1
        return shot

    def _given(self, index: int, capture: Capture) -> None:
        """Remember the key and its answer, before the record is written."""
        post = self._on_the_way[index]
        told = ("frame_id", "visit_id", "sequence", "sha256", "lost")
        note = self._notes[index] = json.dumps({name: getattr(capture, name) for name in told})
        if post.key is not None:
            now_ms = self._clock.now_ms()
            self._journal.give(TakenShot(post.key, index, post.digest, "", note, capture.lost, now_ms))
            if now_ms >= self._forget_at_ms:
                self._journal.forget(now_ms - round(self._options.remember_h * _HOUR_MS))
                self._forget_at_ms = now_ms + _HOUR_MS

    def _safe(self, index: int) -> None:
        """Answer whoever posted it."""
        self._journal.safe(index)
        with self._lock:
            post = self._on_the_way.pop(index)
            self._by_key.pop(post.key or "", None)
            post.answer.set_result(self._notes.pop(index))

    def close(self) -> None:
        """End the server; what is not safe by now is answered as not taken, and may be posted again."""
        with self._lock:
            self._is_closed = True
            left = [*self._waiting, *self._on_the_way.values()]
            self._waiting.clear()
        for post in left:
            post.answer.set_result(None)
        self._server.should_exit = True
        self._thread.join()
        self._journal.close()

    def offer(self, post: Post) -> Post:
        """Let a post wait to be taken; on the server's thread. What comes back is answered in its place.

        Raises:
            PostRefused: 422 where another post has its key, 503 where too many wait.
        """
        from linewarden_ingest.cameras.reception import PostRefused, try_later  # noqa: PLC0415 - as in `open`

        with self._lock:
            if post.key is not None:
                earlier = self._by_key.get(post.key)
                known = None if earlier else self._journal.find(post.key)
                if (one := earlier or known) is not None and one.digest != post.digest:
                    raise PostRefused(422, "another picture, or other words beside it, came with this Idempotency-Key")
                if earlier is not None:
                    return earlier
                # What a death cut off is in the spool without its picture, and was never answered.
                if known is not None and known.lost != Loss.SPOOL_CORRUPT:
                    post.answer.set_result(known.note)
                    return post
            if self._is_closed or len(self._waiting) >= self._options.waiting:
                raise try_later("pictures wait to be taken; the line is held, or ends")
            self._waiting.append(post)
            if post.key is not None:
                self._by_key[post.key] = post
            self._posted.set()
        return post

    def withdraw(self, post: Post) -> None:
        """Nobody waits for the answer any more: unless it is on its way into the spool, it is not taken."""
        with self._lock:
            if post in self._waiting:
                self._waiting.remove(post)
                self._by_key.pop(post.key or "", None)
                post.answer.set_result(None)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(options: PostOptions) -> socket:
    address = (options.host, options.port)
    try:
        return create_server(address, family=AF_INET6 if ":" in options.host else AF_INET)
    except OSError as error:
        raise CameraFault(f"{options.host}, port {options.port}: {error.strerror or error}") from error


def _server(options: PostOptions, reception: Reception) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415 - the supervisor, which reads the options, stays small

    config = uvicorn.Config(
        reception,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=64,
        timeout_graceful_shutdown=2,
        ssl_certfile=options.cert_file,
        ssl_keyfile=options.key_file,
    )
    try:
        config.load()
    except OSError as error:  # that of ssl among them
        raise ConfigurationError(f"{options.cert_file} and {options.key_file}: {error}") from error
    return uvicorn.Server(config)
