"""What a smart camera posts, from a request to a picture with its label; every refusal has a status and words."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from linewarden_ingest.cameras.interface import EncodedPicture
from linewarden_ingest.cameras.sidecar import COLUMNS, PictureLabel, label_of
from linewarden_ingest.captures import CameraPlace, require_short_ids
from linewarden_ingest.metrics import POSTS
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.capture import ContentType
from linewarden_schemas.ids import digest
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.reading import is_wire_format, read_header

FIELDS = (*COLUMNS[1:], "trigger_ms")
"""What may come beside the picture: as the query, as form fields, or as headers `Linewarden-Part-Id`."""
_PICTURES: Mapping[str, ContentType] = {"image/jpeg": "image/jpeg", "image/png": "image/png"}
_FORM = "multipart/form-data"
_FORM_BYTES = 64 << 10
"""What a form may have besides its picture."""


class PostRefused(Exception):
    """A request that nothing is taken of, answered with `status` and the words."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status, self.headers = status, dict(headers or {})


def try_later(words: str) -> PostRefused:
    """The answer to what may well be taken a little later."""
    return PostRefused(503, words, {"Retry-After": "1"})


@dataclass(frozen=True, slots=True, eq=False)
class Post:
    """A whole request. `unreadable` says why its picture, which came whole, is none; `digest` is of all of it.

    `answer` becomes the JSON of a shot that is safe, or None where it was not taken.
    """

    picture: EncodedPicture
    unreadable: str | None
    label: PictureLabel
    trigger_ms: int | None
    key: str | None
    digest: str
    answer: Future[str | None] = field(default_factory=Future)


class PostDesk(Protocol):
    """Who takes what was posted; see `PostedCamera`."""

    def offer(self, post: Post) -> Post:
        """Let it wait; who will be answered."""
        ...

    def withdraw(self, post: Post) -> None:
        """It is not waited for any more."""
        ...


class Reception:
    """The ASGI application: `POST /captures`, answered 202 when the shot is safe and not before."""

    def __init__(
        self,
        desk: PostDesk,
        place: CameraPlace,
        token: bytes | None,
        *,
        max_bytes: int,
        body_s: float,
        answer_s: float,
        visits: bool,
    ) -> None:
        self._desk, self._place, self._token = desk, place, token
        self._max_bytes, self._body_s, self._answer_s, self._visits = max_bytes, body_s, answer_s, visits
        self._app = Starlette(routes=[Route("/captures", self._take, methods=["POST"])])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        await self._app(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        try:
            answer = await self._answer(request)
        except PostRefused as refused:
            answer = JSONResponse({"detail": str(refused)}, refused.status, refused.headers)
        except ClientDisconnect:
            answer = Response(status_code=400)  # nobody reads it
        POSTS.labels(camera=self._place.camera_id, status=str(answer.status_code)).inc()
        return answer

    async def _answer(self, request: Request) -> Response:
        self._require_token(request)
        try:
            async with asyncio.timeout(self._body_s):
                post = await read_post(request, self._place, self._max_bytes, visits=self._visits)
        except TimeoutError as error:
            raise PostRefused(408, f"the body did not come within {self._body_s} s") from error
        waiting = self._desk.offer(post)
        told = asyncio.wrap_future(waiting.answer)
        # Not wait_for, which would cancel what another request with the same key waits for too.
        await asyncio.wait({told}, timeout=self._answer_s)
        if not told.done():
            self._desk.withdraw(waiting)
            raise try_later("not safe yet; post it again with the same Idempotency-Key")
        if (note := told.result()) is None:
            raise try_later("not taken; post it again")
        return Response(note, 202, media_type="application/json")

    def _require_token(self, request: Request) -> None:
        """Refuse who does not bring the token; how long that takes tells nothing of it."""
        if "origin" in request.headers:
            raise PostRefused(403, "a page in a browser may not post here")
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        is_known = self._token is None or hmac.compare_digest(sent.strip().encode(), self._token)
        if self._token is not None and not (is_known and scheme.lower() == "bearer"):
            raise PostRefused(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})


async def read_post(request: Request, place: CameraPlace, max_bytes: int, *, visits: bool) -> Post:
    """The whole request.

    Raises:
        PostRefused: 413, 415 or 422, as soon as it is known.
        ClientDisconnect: where the body ended too early.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {*_PICTURES, _FORM}:
        raise PostRefused(415, f"a body of type {kind or 'none'}; {', '.join(_PICTURES)} or {_FORM} is taken")
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= 200 and key.isprintable()):
        raise PostRefused(422, "an Idempotency-Key has 1 to 200 printable characters")
    body = await _body(request, max_bytes + _FORM_BYTES * (kind == _FORM))
    given: dict[str, str] = {}
    for name in FIELDS:
        _put(given, name, request.headers.get(f"linewarden-{name.replace('_', '-')}"))
    for name, value in request.query_params.multi_items():
        _put(given, name, value)
    if kind == _FORM:
        body, kind = await _picture_of_form(request, body, given)
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    trigger_ms, label = _label(given, place)
    if visits and label.visit is None:
        raise PostRefused(422, "a visit is needed with each picture of this camera")
    content = digest(json.dumps([sorted(given.items()), digest(body)]).encode())
    picture, unreadable = _picture(body, kind)
    return Post(picture, unreadable, label, trigger_ms, key, content)


async def _body(request: Request, most: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> PostRefused:
    return PostRefused(413, f"more than {most} bytes; lower the resolution or use JPEG")


async def _picture_of_form(request: Request, body: bytes, given: dict[str, str]) -> tuple[bytes, str]:
    """The picture and its type; the form's other fields are put to what is given."""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, whole(), max_files=1, max_fields=len(FIELDS)).parse()
    except (MultiPartException, KeyError) as error:
        raise PostRefused(422, f"the form cannot be read: {error}") from error
    picture, kind = None, ""
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                picture, kind = await value.read(), (value.content_type or "").lower()
            else:
                _put(given, name, value)
    finally:
        await form.close()
    if picture is None:
        raise PostRefused(422, "the form has no picture: one part needs a file name")
    if kind not in _PICTURES:
        raise PostRefused(415, f"a picture of type {kind or 'none'}; {' or '.join(_PICTURES)} is taken")
    return picture, kind


def _put(given: dict[str, str], name: str, value: str | None) -> None:
    if name not in FIELDS:
        raise PostRefused(422, f"nothing is known of {name[:50]!r}; fields are {', '.join(FIELDS)}")
    if value and given.setdefault(name, value) != value:
        raise PostRefused(422, f"{name} is given twice, and differs")


def _label(given: Mapping[str, str], place: CameraPlace) -> tuple[int | None, PictureLabel]:
    told = given.get("trigger_ms")
    if told is not None and not (told.isdecimal() and len(told) <= 13):
        raise PostRefused(422, "trigger_ms is a time in milliseconds since 1970")
    try:
        label = label_of({name: value for name, value in given.items() if name != "trigger_ms"})
        require_short_ids(replace(place, view_id=label.view_id or place.view_id))
    except (ValueError, ConfigurationError) as error:
        raise PostRefused(422, str(error)) from error
    return None if told is None else int(told), label


def _picture(body: bytes, kind: str) -> tuple[EncodedPicture, str | None]:
    """The picture as it came; one that is damaged is taken all the same, without it: a part has passed."""
    is_png = body.startswith(b"\x89PNG")
    if not is_wire_format(body) or is_png is not (kind == "image/png"):
        raise PostRefused(415, f"the bytes are no picture of type {kind}")
    try:
        read_header(body)
    except PictureRefused as refused:
        return EncodedPicture(body, _PICTURES[kind]), refused.detail
    return EncodedPicture(body, _PICTURES[kind]), None
