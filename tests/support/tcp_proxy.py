"""A TCP proxy that does to connections what networks do: delay, reset, half-open, only one way.

client ──asked──► proxy ──asked──► server
client ◄─answered─ proxy ◄─answered─ server
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

_CHUNK = 1 << 16
_QUEUED = 256
_LINGER = struct.pack("ii", 1, 0)
"""Close with a reset: nothing that is on its way still arrives."""
_Answer = TypeVar("_Answer")


@dataclass(eq=False)
class _Link:
    """One connection through the proxy: both ends, and whether it still carries anything."""

    ends: list[asyncio.StreamWriter] = field(default_factory=list)
    is_dead: bool = False
    is_torn: bool = False
    """Whether bytes of a stream are missing, so that it must never go on."""


class TcpProxy:
    """Listens on `port` of this machine and carries to `target`; faults are set from any thread.

    `seen` counts: links (accepted), carried, delayed, swallowed (chunks), reset, frozen (links).
    """

    def __init__(self, target: int) -> None:
        self.seen: Counter[str] = Counter()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._delay_s, self._is_holding, self._is_mute = 0.0, False, False
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> Self:
        """Carry from now on."""
        self._thread.start()
        serving = asyncio.start_server(self._accept, sock=self._listener)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        return self

    def delay(self, seconds: float) -> None:
        """Each piece takes so long, each way; what is under way together stays together."""
        self._on_loop(lambda: setattr(self, "_delay_s", seconds))

    def reset(self) -> int:
        """Reset every connection, on both sides; how many there were."""
        return self._on_loop(lambda: sum(self._cut(link) for link in list(self._links)))

    def freeze(self) -> int:
        """Connections stay open and carry nothing any more, new ones neither; how many there are."""

        def freeze() -> int:
            self._is_holding = True
            for link in self._links:
                link.is_dead = True
            self.seen["frozen"] += len(self._links)
            return len(self._links)

        return self._on_loop(freeze)

    def mute(self) -> None:
        """What clients ask arrives; no answer does."""
        self._on_loop(lambda: setattr(self, "_is_mute", True))

    def heal(self) -> None:
        """Carry again. A connection that was frozen stays dead; one of which answers are missing is reset."""

        def heal() -> None:
            self._delay_s, self._is_holding, self._is_mute = 0.0, False, False
            for link in list(self._links):
                if link.is_torn:
                    self._cut(link)

        self._on_loop(heal)

    def close(self) -> None:
        """Reset everything and end."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _end(self) -> None:
        self._server.close()
        for link in list(self._links):
            self._cut(link)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _on_loop(self, act: Callable[[], _Answer]) -> _Answer:
        async def acted() -> _Answer:
            return act()

        return asyncio.run_coroutine_threadsafe(acted(), self._loop).result(10)

    def _cut(self, link: _Link) -> bool:
        for end in link.ends:
            with contextlib.suppress(OSError):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            end.transport.abort()
        self.seen["reset"] += 1
        return True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen["links"] += 1
        link = _Link([writer], is_dead=self._is_holding)
        self._links.add(link)
        try:
            there, server = await asyncio.open_connection("127.0.0.1", self._target)
            link.ends.append(server)
            ways = ((reader, server, False), (there, writer, True))
            pumps = [asyncio.ensure_future(self._pump(link, one, other, answers)) for one, other, answers in ways]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            self.seen["refused"] += 1
        finally:
            self._links.discard(link)
            for end in link.ends:
                end.close()

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool
    ) -> None:
        """Carry one way until it ends; whoever reads runs ahead of whoever writes by the delay."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)
        writing = asyncio.ensure_future(self._write(queue, writer))
        try:
            while chunk := await reader.read(_CHUNK):
                if link.is_dead:
                    self.seen["swallowed"] += 1
                elif answers and self._is_mute:
                    link.is_torn = True
                    self.seen["swallowed"] += 1
                else:
                    self.seen["delayed" if self._delay_s else "carried"] += 1
                    await queue.put((self._loop.time() + self._delay_s, chunk))
            await queue.put((0.0, b""))
            await writing
        except OSError:
            return
        finally:
            writing.cancel()

    async def _write(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, chunk = await queue.get()
            if not chunk:
                return
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            writer.write(chunk)
            with contextlib.suppress(OSError):
                await writer.drain()
