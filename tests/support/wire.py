"""A proxy that speaks the Kafka protocol: it looks at requests, answers some by itself, holds others back."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from kafka.protocol.producer import ProduceRequest, ProduceResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse

HOLD = object()
"""A rule's answer: give no answer until `release`, then forward."""

LOSE = object()
"""A rule's answer: let the broker do it, but lose its answer with the connection."""

Rule = Callable[[Any], Any]
_HEADER = struct.Struct(">hhi")


class WireProxy:
    """Stands in front of a broker whose advertised listener is this proxy's port.

    Each connection is served strictly in order, as a broker does. A rule gets a decoded request and gives
    None to forward it, a response message to answer in the broker's place, HOLD or LOSE.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.upstream_port = 0
        self.seen: list[Any] = []
        self._rules: dict[int, tuple[Any, Rule]] = {}
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._silent = False

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def rule(self, request: Any, rule: Rule = lambda _: None) -> None:
        """Look at all requests of this class, and do with them as the rule says."""
        self._rules[request.API_KEY] = (request, rule)

    def forget(self) -> None:
        """Forward everything from now on, and what is held."""
        self._rules.clear()
        self._silent = False
        self._released.set()

    def sent(self, request: Any) -> list[Any]:
        """The requests of a class that clients sent, as far as a rule looked at them."""
        return [each for each in self.seen if isinstance(each, request)]

    def go_silent(self) -> None:
        """Cut all connections, and answer nothing on new ones until `forget`, as a broker does that hangs."""
        self._silent = True
        _cut(self._sockets)

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._released.set()
        _cut([self._listener, *self._sockets])
        for thread in self._threads:
            thread.join()

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closing:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, EOFError),
            socket.create_connection(("127.0.0.1", self.upstream_port)) as upstream,
        ):
            self._sockets.append(upstream)
            if self._silent:
                self._released.wait()
            while True:
                frame = _read(client)
                answer = self._verdict(frame)
                if answer is HOLD:
                    self._released.wait()
                    answer = None
                if answer is None or answer is LOSE:
                    _write(upstream, frame)
                    reply = _read(upstream)
                    if answer is LOSE:
                        client.close()
                        return
                    _write(client, reply)
                else:
                    _, version, correlation = _HEADER.unpack_from(frame)
                    answer.API_VERSION = version
                    answer.with_header(correlation_id=correlation)
                    client.sendall(bytes(answer.encode(header=True, framed=True)))

    def _verdict(self, frame: bytes) -> Any:
        key, version, _ = _HEADER.unpack_from(frame)
        if key not in self._rules:
            return None
        kind, rule = self._rules[key]
        request = kind.decode(frame, version=version, header=True)
        self.seen.append(request)
        return rule(request)


def _cut(sockets: list[socket.socket]) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def _read(source: socket.socket) -> bytes:
    (size,) = struct.unpack(">i", _exactly(source, 4))
    return _exactly(source, size)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def _write(target: socket.socket, frame: bytes) -> None:
    target.sendall(struct.pack(">i", len(frame)) + frame)


def refuse_produce(request: ProduceRequest, code: int) -> ProduceResponse:
    """Answer every partition of a produce request with an error code and offset -1."""
    topic_class = ProduceResponse.TopicProduceResponse
    return ProduceResponse(
        responses=[
            topic_class(
                name=topic.name,
                topic_id=topic.topic_id,
                partition_responses=[
                    topic_class.PartitionProduceResponse(
                        index=partition.index,
                        error_code=code,
                        base_offset=-1,
                        log_append_time_ms=-1,
                        log_start_offset=-1,
                    )
                    for partition in topic.partition_data
                ],
            )
            for topic in request.topic_data
        ],
        throttle_time_ms=0,
    )


def refuse_offsets(request: TxnOffsetCommitRequest, code: int) -> TxnOffsetCommitResponse:
    """Answer every partition of a transactional offset commit with an error code."""
    topic_class = TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic
    return TxnOffsetCommitResponse(
        throttle_time_ms=0,
        topics=[
            topic_class(
                name=topic.name,
                partitions=[
                    topic_class.TxnOffsetCommitResponsePartition(partition_index=p.partition_index, error_code=code)
                    for p in topic.partitions
                ],
            )
            for topic in request.topics
        ],
    )
