"""The proxy does to connections what it says, on real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.processes import wait_for
from tests.support.tcp_proxy import TcpProxy

PATIENCE_S = 10.0
SOON_S = 0.3


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """In front of a server that says everything back."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    with TcpProxy(listener.getsockname()[1]) as made:
        yield made
    listener.close()


def serve(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(1 << 16):
                connection.sendall(data)
        except OSError:
            return


def connected(proxy: TcpProxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)
    assert said_back(client, b"hello")
    return client


def said_back(client: socket.socket, data: bytes) -> bool:
    client.sendall(data)
    found = b""
    while len(found) < len(data):
        piece = client.recv(1 << 16)
        if not piece:
            return False
        found += piece
    return found == data


def is_silent(client: socket.socket) -> bool:
    """Nothing comes back, and the connection is open all the same."""
    client.settimeout(SOON_S)
    client.sendall(b"anybody?")
    try:
        return not client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_S)


def test_what_is_sent_arrives_whole_also_when_it_takes_longer(proxy: TcpProxy) -> None:
    data = bytes(range(256)) * 8192
    with connected(proxy) as client:
        proxy.delay(0.2)
        begun = time.monotonic()
        threading.Thread(target=client.sendall, args=(data,)).start()
        found = b""
        while len(found) < len(data):
            found += client.recv(1 << 16)
        assert found == data
        assert time.monotonic() - begun >= 0.4
        proxy.heal()
        assert said_back(client, b"again")


def test_a_reset_is_seen_as_one_and_new_connections_work(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    connected(proxy).close()


def test_a_half_open_connection_stays_open_and_dead_and_new_ones_work_after_it(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert proxy.freeze() == 1
        assert is_silent(client)
        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S) as new:
            assert is_silent(new)
        proxy.heal()
        assert is_silent(client)
        connected(proxy).close()


def test_one_way_answers_are_lost_and_a_torn_stream_never_goes_on(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        proxy.mute()
        assert is_silent(client)
        wait_for(lambda: proxy.seen["swallowed"] > 0, "the answer was swallowed")
        proxy.heal()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    connected(proxy).close()
