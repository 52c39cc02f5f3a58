"""The receiver of webhooks that tests strike: what it answered it knows of."""

from __future__ import annotations

import http.client

import pytest

from tests.support.plant_http import PlantHttp


def test_a_receiver_that_is_closed_answers_nothing_on_a_connection_that_was_open() -> None:
    """Else a revision is acknowledged that whoever looks at what came does not know of."""
    with PlantHttp() as server:
        client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        client.auto_open = 0  # this connection, and no other
        client.connect()
        client.request("POST", "/hook", b"{}", {"idempotency-key": "one"})
        assert client.getresponse().read() == b""

    def again() -> None:
        client.request("POST", "/hook", b"{}", {"idempotency-key": "two"})
        client.getresponse()

    with pytest.raises(ConnectionError):
        again()
    assert server.keys == ["one"]
    client.close()
