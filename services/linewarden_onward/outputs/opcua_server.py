"""The OPC UA server in a thread of its own, and the output that tells it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from asyncua import Server, ua

from linewarden_onward.interface import GateAct, Notice, OutputAway, OutputRun
from linewarden_onward.outputs.opcua_access import GuardedServer, PlantUsers, ReadersOnly, own_certificate
from linewarden_onward.outputs.opcua_model import VisionModel
from linewarden_onward.outputs.opcua_space import PlantSpace
from linewarden_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from linewarden_onward.outputs.opcua import OpcuaOptions

_log = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")
_START_S = 60.0
_KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3, socket.TCP_USER_TIMEOUT: 25_000}
"""A client that vanished without a word is gone after 25 s, and its connection with it."""


class OpcuaOutput:
    """Tells the address space, and waits until it is changed."""

    def __init__(self, options: OpcuaOptions, run: OutputRun) -> None:
        self._options, self._run = options, run
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="opcua", daemon=True)
        self._thread.start()
        try:
            self._server, self._model = self._within(_START_S, _started(options, run))
        except BaseException:
            self._end_loop()
            raise

    def tell(self, notices: Sequence[Notice]) -> None:
        """Show each: ring, permission, event.

        Raises:
            OutputAway: where the server does not follow; what it shows late carries no permission.
        """
        for notice in notices:
            now_ms = self._run.now_ms()
            known = notice.as_of(now_ms)
            ends_s = self._loop.time()  # by a clock that never steps, looked at again before the write
            if known.permission is not None and now_ms is not None:
                ends_s += (known.permission.expires_ms - now_ms) / 1000
            self._within(self._options.limit_s, self._model.add(known, ends_s))

    def beat(self) -> Sequence[GateAct]:
        """Move the heartbeat, take back what has expired; the time that is not known is an error of the system."""
        now_ms = self._run.now_ms()
        self._within(self._options.limit_s, self._model.beat(now_ms))
        return ()

    def close(self) -> None:
        """Take the permissions back, say that it halts, and end."""
        try:
            self._within(self._options.limit_s, _stopped(self._server, self._model))
        except OutputAway as away:
            _log.warning("the server was not closed in order", reason=str(away))
        self._end_loop()

    def _within(self, seconds: float, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result(seconds)
        except concurrent.futures.TimeoutError as error:
            waiting.cancel()
            raise OutputAway(f"the OPC UA server did not follow within {seconds:g} s") from error

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._options.limit_s)
        if not self._thread.is_alive():
            self._loop.close()


async def _started(options: OpcuaOptions, run: OutputRun) -> tuple[Server, VisionModel]:
    users = PlantUsers.read(options.users_file, options.certificates)
    uri = f"urn:linewarden:{run.line_id}:{options.output_id}"
    name = f"linewarden {run.line_id}"
    certificate, key = own_certificate(options.folder, name, uri)
    server = Server(iserver=GuardedServer(users))
    await server.init()
    await server.set_application_uri(uri)
    server.set_server_name(name)
    server.set_endpoint(f"opc.tcp://{options.host}:{options.port}/linewarden")
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt], ReadersOnly())
    try:
        await server.load_certificate(certificate)
        await server.load_private_key(key)
    except ValueError as error:
        raise ConfigurationError(f"opcua: {certificate} and {key} cannot be used: {error}") from error
    model = VisionModel(await PlantSpace.make(server, options.nodeset), run.line_id, run.epoch, options.ring)
    await model.build()
    if options.nodeset is None:
        _log.warning("without a nodeset the names of OPC 40100-1 are in our own namespace, and its types are missing")
    try:
        await server.start()
    except OSError as error:
        raise OutputAway(f"opcua: cannot listen on {options.host}:{options.port}: {error}") from error
    _notice_the_vanished(server)
    return server, model


async def _stopped(server: Server, model: VisionModel) -> None:
    await model.halt()
    await server.iserver.end_sessions()
    server.iserver.time_task = None  # ended below with the others; waiting for it takes a second
    await server.stop()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _notice_the_vanished(server: Server) -> None:
    """Accepted connections take these over from the listening socket."""
    listening = server.bserver._server  # noqa: SLF001 - asyncua has no other way to it
    for one in listening.sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            one.setsockopt(socket.IPPROTO_TCP, option, value)
