"""Signed, acknowledged by 2xx alone, told again under the same key; redirects are not followed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from linewarden_onward.interface import Notice, OutputAway, OutputRefused, OutputRun
from linewarden_onward.outputs.webhook import WebhookOptions, WebhookOutput
from linewarden_onward.permission import permission_of
from linewarden_onward.testing import BUDGET_MS, decided
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from tests.support.plant_http import PlantHttp, Reply, drip, half_a_body, half_a_head, silent, status

SECRET = b"a long secret"


@pytest.fixture
def server() -> Iterator[PlantHttp]:
    with PlantHttp() as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def hook(server: PlantHttp, clock: ManualClock, tmp_path: Path) -> Iterator[WebhookOutput]:
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    options = WebhookOptions(output_id="mes", url=server.url, secret_file=tmp_path / "secret", answer_s=0.5)
    opened = options.open(OutputRun("line1", 3, clock, threading.Event(), clock.now_ms))
    yield opened
    opened.close()


def notice(number: int, clock: ManualClock) -> Notice:
    said = decided(number, clock.now_ms())
    return Notice(said, permission_of(said, clock.now_ms(), clock.now_ms(), epoch=3, sequence=number))


def test_a_revision_is_one_signed_event_under_its_key(
    hook: WebhookOutput, server: PlantHttp, clock: ManualClock
) -> None:
    told = notice(1, clock)
    hook.tell([told])
    (one,) = server.received
    assert (one.path, one.key, one.event["id"]) == ("/hook", told.key, told.key)
    assert one.headers["content-type"].startswith("application/cloudevents+json")
    assert one.is_signed_with(SECRET)
    assert not one.is_signed_with(b"another")
    assert f"t={clock.now_ms() // 1000}," in one.headers["linewarden-signature"]
    assert one.event["data"]["disposition"]["visit_id"] == told.disposition.visit_id
    assert (one.event["data"]["permission"]["epoch"], one.event["data"]["permission"]["counter"]) == (3, 1)


def test_a_permission_that_expired_meanwhile_is_not_in_it(
    hook: WebhookOutput, server: PlantHttp, clock: ManualClock
) -> None:
    told = notice(1, clock)
    clock.advance(BUDGET_MS / 1000)
    hook.tell([told])
    assert server.received[0].event["data"]["permission"] is None


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_every_2xx_acknowledges(hook: WebhookOutput, server: PlantHttp, clock: ManualClock, code: int) -> None:
    server.replies = [status(code)]
    hook.tell([notice(1, clock)])


@pytest.mark.parametrize(
    "reply",
    [*map(status, (401, 403, 404, 408, 425, 429, 500, 502, 503)), silent, half_a_head, half_a_body, drip],
    ids=["401", "403", "404", "408", "425", "429", "500", "502", "503", "silent", "half head", "half body", "drip"],
)
def test_everything_else_is_no_acknowledgement_and_comes_again(
    hook: WebhookOutput, server: PlantHttp, clock: ManualClock, reply: Reply
) -> None:
    server.replies = [reply]
    told = notice(1, clock)
    with pytest.raises(OutputAway):
        hook.tell([told])
    hook.tell([told])
    assert server.keys == [told.key] * 2


def test_a_receiver_that_is_not_there_is_away(clock: ManualClock) -> None:
    with PlantHttp() as gone:
        url = gone.url
    hook = WebhookOptions(output_id="mes", url=url).open(OutputRun("line1", 1, clock, threading.Event(), clock.now_ms))
    with pytest.raises(OutputAway, match=url):
        hook.tell([notice(1, clock)])
    hook.close()


def test_a_redirect_is_not_followed_and_says_where_it_leads(
    hook: WebhookOutput, server: PlantHttp, clock: ManualClock
) -> None:
    server.replies = [status(307, location=f"{server.url}/elsewhere")]
    with pytest.raises(OutputAway, match=r"307.*elsewhere.*not followed"):
        hook.tell([notice(1, clock)])
    assert [one.path for one in server.received] == ["/hook"]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
    ],
)
def test_it_is_left_alone_as_long_as_it_asks_for(
    hook: WebhookOutput, server: PlantHttp, clock: ManualClock, asked: str, seconds: float
) -> None:
    server.replies = [status(503, retry_after=asked)]
    with pytest.raises(OutputAway) as away:
        hook.tell([notice(1, clock)])
    assert away.value.retry_after_s == seconds


@pytest.mark.parametrize("code", [400, 409, 410, 413, 415, 422])
def test_what_it_refuses_three_times_it_will_never_take(
    hook: WebhookOutput, server: PlantHttp, clock: ManualClock, code: int
) -> None:
    server.replies = [status(code)] * 3
    told = notice(1, clock)
    for _ in range(2):
        with pytest.raises(OutputAway):
            hook.tell([told])
    with pytest.raises(OutputRefused) as refused:
        hook.tell([told])
    assert (refused.value.notice, refused.value.cause) == (told, f"http-{code}")


def test_of_several_what_was_acknowledged_does_not_come_again_with_the_rest(
    hook: WebhookOutput, server: PlantHttp, clock: ManualClock
) -> None:
    told = [notice(number, clock) for number in range(3)]
    server.replies = [status(200), status(500)]
    with pytest.raises(OutputAway):
        hook.tell(told)
    hook.tell(told)
    assert server.keys == [told[0].key, told[1].key, told[1].key, told[2].key]
    hook.tell(told[:1])  # asked for anew, after a death
    assert server.keys[-1] == told[0].key


def test_an_endless_answer_is_not_read_to_its_end(hook: WebhookOutput, server: PlantHttp, clock: ManualClock) -> None:
    def endless(to: object) -> None:
        to.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + bytes(1_000_000))  # type: ignore[attr-defined]
        to.close_connection = True  # type: ignore[attr-defined]

    server.replies = [endless]
    hook.tell([notice(1, clock)])


@pytest.mark.parametrize(
    ("url", "why"),
    [("ftp://plant/x", "http"), ("plant/x", "http"), ("http://me:word@plant/x", "secret_file"), ("http:///x", "host")],
)
def test_an_address_that_is_none_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        WebhookOptions(output_id="mes", url=url)


@pytest.mark.parametrize("content", [None, b" \n"], ids=["missing", "empty"])
def test_a_secret_that_is_none_is_refused_by_its_name(
    clock: ManualClock, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    options = WebhookOptions(output_id="mes", url="http://127.0.0.1:1/x", secret_file=tmp_path / "secret")
    with pytest.raises(ConfigurationError, match="secret"):
        options.open(OutputRun("line1", 1, clock, threading.Event(), clock.now_ms))
