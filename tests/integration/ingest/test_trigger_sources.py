"""Each source of triggers on its real protocol: what comes, what is refused, and what an outage does."""

from __future__ import annotations

import os
import pty
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from linewarden_ingest.triggers.desk import TriggerDesk, TriggerSource, follow
from linewarden_ingest.triggers.mqtt import MqttTrigger
from linewarden_ingest.triggers.opcua import OpcuaTrigger
from linewarden_ingest.triggers.parsing import LineFormat
from linewarden_ingest.triggers.post import HttpTrigger
from linewarden_ingest.triggers.serial_port import SerialTrigger
from linewarden_ingest.triggers.signal import ChannelNews, ChannelState, PartSignal
from linewarden_ingest.triggers.tcp import TcpTrigger
from linewarden_runtime.background import Background
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.processes import free_port
from tests.support.plant_triggers import TriggerBroker, TriggerServer
from tests.support.processes import wait_for

PAIRS = LineFormat(form="pairs")


class Told:
    """What a source brought."""

    def __init__(self) -> None:
        self.news: list[ChannelNews] = []

    @property
    def counters(self) -> list[int]:
        return [one.counter for one in list(self.news) if isinstance(one, PartSignal)]

    @property
    def states(self) -> list[str | None]:
        return [one.away for one in list(self.news) if isinstance(one, ChannelState)]

    def wait_here(self, times: int = 1) -> None:
        wait_for(lambda: self.states.count(None) >= times, "the side channel")

    def wait_away(self, words: str) -> None:
        wait_for(lambda: any(words in (one or "") for one in self.states), f"{words!r} of {self.states}")

    def wait_counters(self, *counters: int) -> None:
        wait_for(lambda: len(self.counters) >= len(counters), f"{counters}")
        assert self.counters == list(counters)


@contextmanager
def followed(source: TriggerSource, form: LineFormat = PAIRS) -> Iterator[Told]:
    told, clock = Told(), SystemClock()
    desk = TriggerDesk("test", form, clock, told.news.append)
    with Background("trigger", lambda until: follow(source, desk, clock, until), Stop()):
        yield told


@contextmanager
def device(port: int = 0) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(30)
        yield server


def test_a_device_that_we_connect_to_may_cut_its_lines_anywhere_and_comes_back_after_it_was_away() -> None:
    with device() as server:
        port: int = server.getsockname()[1]
        with followed(TcpTrigger(address=f"127.0.0.1:{port}", format=PAIRS)) as told:
            line, _ = server.accept()
            for piece in (b"count", b"er=7\r\nrub", b"bish\ncounter=8\n", b"counter=9"):
                line.sendall(piece)
            told.wait_counters(7, 8)
            line.close()
            told.wait_away("it closed the connection")
            line, _ = server.accept()
            line.sendall(b"counter=12\n")
            told.wait_counters(7, 8, 12)
            assert [one.doubt is not None for one in told.news if isinstance(one, PartSignal)] == [False, False, True]
            line.close()


def test_a_device_that_is_not_there_is_told_and_tried_again() -> None:
    port = free_port()
    with followed(TcpTrigger(address=f"127.0.0.1:{port}", format=PAIRS)) as told:
        told.wait_away("refused")
        with device(port) as server:
            line, _ = server.accept()
            line.sendall(b"counter=7\n")
            told.wait_counters(7)
            line.close()


def test_of_devices_that_connect_to_us_the_last_one_counts() -> None:
    port = free_port()
    with followed(TcpTrigger(address=f"127.0.0.1:{port}", listen=True, format=PAIRS)) as told:
        first = connected(port)
        first.sendall(b"counter=7\ncounter=8")
        told.wait_counters(7)
        with connected(port) as second:
            told.wait_here(2)
            second.sendall(b"counter=9\n")
            told.wait_counters(7, 9)
        told.wait_away("closed its connection")
        first.close()


def connected(port: int) -> socket.socket:
    made: list[socket.socket] = []

    def tried() -> bool:
        try:
            made.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        except OSError:
            return False
        return True

    wait_for(tried, "the listening side channel")
    return made[0]


def test_a_serial_port_gives_whole_lines_and_its_loss_is_told() -> None:
    ours, theirs = pty.openpty()
    port = os.ttyname(theirs)
    with followed(SerialTrigger(port=port, format=PAIRS)) as told:
        told.wait_here()
        os.write(ours, b"3\rcounter=8\rcounter=9\r")  # first the end of a line that began before
        told.wait_counters(8, 9)
        os.close(theirs)
        os.close(ours)
        told.wait_away(port)


def test_a_serial_port_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with followed(SerialTrigger(port=str(tmp_path / "none"), format=PAIRS)) as told:
        told.wait_away("could not open port")


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("not-a-secret\n")
    return file


def test_a_trigger_is_posted_with_a_token_and_what_is_none_is_answered_with_the_reason(token: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    url, key = f"http://{address}/trigger", {"Authorization": "Bearer not-a-secret"}
    with followed(HttpTrigger(address=address, token_file=token), LineFormat()) as told:
        told.wait_here()
        assert httpx.post(url, json={"counter": 7}, headers=key).status_code == 202
        answers = [
            httpx.post(url, json={"counter": 8}),
            httpx.post(url, json={"counter": 8}, headers={"Authorization": "Bearer other"}),
            httpx.post(f"{url}s", json={"counter": 8}, headers=key),
            httpx.post(url, json={"serial": "SN-1"}, headers=key),
            httpx.post(url, content=b"x" * 5_000, headers=key),
            httpx.post(url, content=iter([b'{"counter": 8}']), headers=key),
        ]
        assert [one.status_code for one in answers] == [401, 401, 404, 422, 413, 411]
        assert "brings no counter" in answers[3].text
        assert told.counters == [7]


def test_half_a_body_is_no_trigger_and_a_sender_that_stalls_keeps_nobody_waiting(token: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    head = b"POST /trigger HTTP/1.1\r\nAuthorization: Bearer not-a-secret\r\nContent-Length: 14\r\n\r\n"
    with followed(HttpTrigger(address=address, token_file=token), LineFormat()) as told:
        told.wait_here()
        stalled, cut = (connected(int(address.rpartition(":")[2])) for _ in range(2))
        stalled.sendall(head + b'{"coun')
        cut.sendall(head + b'{"counter": 8')
        cut.shutdown(socket.SHUT_WR)
        assert cut.recv(100) == b""
        key = {"Authorization": "Bearer not-a-secret"}
        assert httpx.post(f"http://{address}/trigger", json={"counter": 9}, headers=key).status_code == 202
        assert told.counters == [9]
        cut.close()
        stalled.close()


def test_a_token_that_is_not_there_is_a_setting_to_be_mended(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for file, why in ((empty, "write the secret into it"), (tmp_path / "none", "No such file")):
        desk = TriggerDesk("test", PAIRS, SystemClock(), lambda _news: None)
        with pytest.raises(ConfigurationError, match=why):
            follow(HttpTrigger(address="127.0.0.1:1", token_file=file), desk, SystemClock(), Stop())


def test_an_opcua_server_gives_each_change_of_its_node_and_not_the_value_of_before() -> None:
    with TriggerServer() as server, followed(OpcuaTrigger(url=server.url, node=server.node, format=PAIRS)) as told:
        told.wait_here()
        for text in ("counter=2", "rubbish", "counter=3", "counter=4"):
            server.write(text)
        told.wait_counters(2, 3, 4)
        server.write_bad()
        server.write("counter=5")
        told.wait_counters(2, 3, 4, 5)
        server.stop()
        told.wait_away(server.url)
        server.start()
        told.wait_here(2)
        server.write("counter=9")
        told.wait_counters(2, 3, 4, 5, 9)


def test_an_opcua_node_that_does_not_exist_is_told() -> None:
    with (
        TriggerServer() as server,
        followed(OpcuaTrigger(url=server.url, node="ns=2;s=None", format=PAIRS)) as told,
    ):
        told.wait_away("BadNodeIdUnknown")


@pytest.mark.plant
def test_an_mqtt_broker_gives_each_message_but_a_retained_one_and_is_awaited_where_it_restarts(tmp_path: Path) -> None:
    with TriggerBroker(tmp_path) as broker:
        broker.publish("counter=1", "-r")
        source = MqttTrigger(
            address=f"127.0.0.1:{broker.port}",
            topic="cell/trigger",
            username="ingest",
            password_file=broker.password_file("ingest"),
            format=PAIRS,
        )
        with followed(source) as told:
            told.wait_here()
            for text in ("counter=2", "rubbish", "counter=3"):
                broker.publish(text)
            told.wait_counters(2, 3)
            broker.stop()
            told.wait_away(str(broker.port))
            broker.start()
            told.wait_here(2)
            broker.publish("counter=9")
            told.wait_counters(2, 3, 9)


@pytest.mark.plant
def test_an_mqtt_broker_that_refuses_us_is_told(tmp_path: Path) -> None:
    with TriggerBroker(tmp_path) as broker:
        address = f"127.0.0.1:{broker.port}"
        with followed(MqttTrigger(address=address, topic="cell/trigger", format=PAIRS)) as told:
            told.wait_away("refuses the connection")
