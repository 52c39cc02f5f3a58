"""A receiver over HTTP: one signed POST a revision, told again until it answers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from linewarden_onward.cloud_event import event_of
from linewarden_onward.interface import GateAct, Notice, OutputAway, OutputRefused, OutputRun
from linewarden_onward.options import OutputOptions
from linewarden_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx

_OF_THIS_ONE = frozenset({400, 409, 410, 413, 415, 422})
"""Answers that speak of what was told; every other one that is no 2xx speaks of the receiver, and can be mended."""
_MOST_ANSWER_BYTES = 64 << 10


class WebhookOptions(OutputOptions):
    """The receiver at `url` has `answer_s` for its whole answer.

    `secret_file` holds what requests are signed with. What it answers with 400, 409, 410, 413, 415 or 422 as often as
    `refused_after`, it will never take. Redirects are not followed, and proxies of the environment are not used.
    """

    kind: Literal["webhook"] = "webhook"
    url: str
    secret_file: Path | None = None
    ca_file: Path | None = None
    answer_s: float = Field(5.0, gt=0)
    refused_after: int = Field(3, ge=1)

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("the url begins with http:// or https:// and names a host")
        if parts.username or parts.password:
            raise ValueError("a url names no user or password; sign with secret_file")
        return url

    def open(self, run: OutputRun) -> WebhookOutput:
        """The client; nothing is sent yet. Raises as `OutputOptions.open`."""
        try:
            secret = None if self.secret_file is None else self.secret_file.read_bytes().strip()
            tls = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ConfigurationError(
                f"webhook {self.output_id}: {error.filename or self.ca_file}: {error.strerror}"
            ) from error
        if secret == b"":
            raise ConfigurationError(
                f"webhook {self.output_id}: {self.secret_file} is empty; put a long secret into it"
            )
        return WebhookOutput(self, run, secret, tls)


class WebhookOutput:
    """One client, which keeps its connection while the receiver does."""

    def __init__(self, options: WebhookOptions, run: OutputRun, secret: bytes | None, tls: ssl.SSLContext) -> None:
        import httpx  # noqa: PLC0415 - an extra, needed where this kind is opened

        self._options, self._run, self._secret = options, run, secret
        self._source = f"/{run.line_id}/onward/{options.output_id}"
        self._faults = (httpx.HTTPError, httpx.StreamError, TimeoutError)
        # Asynchronous for its deadline: a receiver that answers a byte a second is as away as one that is silent.
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(verify=tls, follow_redirects=False, trust_env=False, timeout=options.answer_s)
        self._acknowledged: set[str] = set()
        """Of what is being told, since all of it comes again where one of it fails."""
        self._tries: dict[str, int] = {}

    def tell(self, notices: Sequence[Notice]) -> None:
        """Post them one after the other; raises OutputAway, OutputRefused."""
        for notice in notices:
            if notice.key not in self._acknowledged:
                self._post(notice)
                self._acknowledged.add(notice.key)
        self._acknowledged.clear()
        self._tries.clear()

    def beat(self) -> Sequence[GateAct]:
        """Nothing: a webhook reports nothing."""
        return ()

    def close(self) -> None:
        """Close the connection, where one is kept."""
        self._runner.run(self._client.aclose())
        self._runner.close()

    def _post(self, notice: Notice) -> None:
        body = event_of(notice.as_of(self._run.now_ms()), self._source, self._run.epoch)
        try:
            answer = self._runner.run(self._answer(body, self._headers(notice, body)))
        except self._faults as fault:
            raise OutputAway(f"{self._options.url}: {str(fault) or type(fault).__name__}") from fault
        status = answer.status_code
        if 200 <= status < 300:
            return
        what = f"{self._options.url} answered {status} {answer.reason_phrase}".rstrip()
        if status in _OF_THIS_ONE:
            tries = self._tries[notice.key] = self._tries.get(notice.key, 0) + 1
            if tries >= self._options.refused_after:
                raise OutputRefused(notice, f"{what} {tries} times", cause=f"http-{status}")
        if 300 <= status < 400:
            what += (
                f", to {answer.headers.get('location', 'nowhere')!r}: it is not followed; set the url to where it is"
            )
        raise OutputAway(what, retry_after_s=self._retry_after_s(answer))

    async def _answer(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        async with (
            asyncio.timeout(self._options.answer_s),
            self._client.stream("POST", self._options.url, content=body, headers=headers) as answer,
        ):
            # To its end, so that the connection can be kept, and half an answer shows; but not without one.
            async for _ in answer.aiter_raw():
                if answer.num_bytes_downloaded > _MOST_ANSWER_BYTES:
                    break
            return answer

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "Idempotency-Key": notice.key,
            "User-Agent": "linewarden-onward",
        }
        if self._secret is not None:
            at_s = str(self._run.clock.now_ms() // 1000)
            signature = hmac.new(self._secret, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
            headers["Linewarden-Signature"] = f"t={at_s},v1={signature}"
        return headers

    def _retry_after_s(self, answer: httpx.Response) -> float:
        """What the header Retry-After asks for, in seconds or as a date; 0 where it says nothing that can be read."""
        asked = answer.headers.get("retry-after", "").strip()
        if asked.isascii() and asked.isdigit():
            return float(asked[:9])
        try:
            at = parsedate_to_datetime(asked)
        except ValueError:
            return 0.0
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.fromtimestamp(self._run.clock.now_ms() / 1000, UTC)).total_seconds())
