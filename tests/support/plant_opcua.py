"""Clients of the OPC UA output, and what they sign in with."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher
from asyncua import Client, ua
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from linewarden_onward.outputs.opcua import OpcuaOptions
from linewarden_runtime.processes import free_port
from tests.support.processes import wait_for

OWN = "urn:linewarden:onward"
USER, PASSWORD = "plc", "not-a-secret"
CLIENT_URI = "urn:linewarden:test-client"
_Answer = TypeVar("_Answer")


class UaPlant:
    """Files of a server and its users below `folder`: `plc` with a password, `cell` with a certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        (folder / "users").write_text(f"# the control's\n{USER}:{cheap.hash(PASSWORD)}\nhmi:{cheap.hash(PASSWORD)}\n")
        (folder / "certificates").mkdir(exist_ok=True)
        for name in ("client", "cell"):
            self.certificate(name)
        (folder / "certificates" / "cell.der").write_bytes((folder / "cell.der").read_bytes())

    def certificate(self, name: str, *, days: int = 2) -> None:
        """A certificate, `NAME.der` and `NAME.crt`, and its key `NAME.pem`; with negative days it is over."""
        key = generate_private_key()
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(CLIENT_URI)]
        made = generate_self_signed_app_certificate(key, name, {}, names, uses, days=max(days, 0))
        if days < 0:
            made = _over(made, key)
        (self.folder / f"{name}.der").write_bytes(made.public_bytes(Encoding.DER))
        (self.folder / f"{name}.crt").write_bytes(made.public_bytes(Encoding.PEM))
        (self.folder / f"{name}.pem").write_bytes(dump_private_key_as_pem(key))

    def options(self, **more: Any) -> OpcuaOptions:
        """Settings of the server."""
        settings: dict[str, Any] = {
            "output_id": "opc1",
            "port": self.port,
            "folder": self.folder / "own",
            "users_file": self.folder / "users",
            "certificates": self.folder / "certificates",
            "ring": 5,
        }
        return OpcuaOptions(**settings | more)

    async def client(self, *, user: str | None = USER, password: str = PASSWORD, certificate: str = "") -> Any:
        """A client on an encrypted channel, to be entered by `async with`."""
        client = self.plain()
        client.application_uri = CLIENT_URI
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            certificate=str(self.folder / "client.der"),
            private_key=str(self.folder / "client.pem"),
            server_certificate=str(self.folder / "own" / "server.der"),
        )
        if user is not None:
            client.set_user(user)
            client.set_password(password)
        if certificate:
            await client.load_client_certificate(str(self.folder / f"{certificate}.der"))
            await client.load_private_key(str(self.folder / f"{certificate}.pem"))
        return client

    @asynccontextmanager
    async def open_session(self) -> AsyncIterator[Any]:
        """A session of `plc`, signed in on an open channel, as no client of good will would."""
        client = self.plain()
        await client.connect_socket()
        try:
            await client.send_hello()
            await client.open_secure_channel()
            asked = ua.CreateSessionParameters()
            asked.ClientNonce, asked.RequestedSessionTimeout, asked.SessionName = bytes(32), 60_000, "open"
            asked.EndpointUrl = client.server_url.geturl()
            await client.uaclient.create_session(asked)
            token = ua.UserNameIdentityToken(PolicyId="username", UserName=USER, Password=PASSWORD.encode())
            await client.uaclient.activate_session(ua.ActivateSessionParameters(UserIdentityToken=token))
            yield client
        finally:
            client.disconnect_socket()

    def plain(self) -> Any:
        """A client on an open channel."""
        return Client(f"opc.tcp://127.0.0.1:{self.port}/linewarden", timeout=10)


class Heard:
    """What a subscription brought."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.values: list[Any] = []

    def event_notification(self, event: Any) -> None:
        """An event."""
        self.events.append(event)

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """A value."""
        self.values.append(value)

    async def until(self, condition: Callable[[], bool], found: list[Any]) -> list[Any]:
        """Wait until it holds, and give what was found."""
        await asyncio.to_thread(wait_for, condition, "what a subscription brings", 30.0)
        return found

    async def until_events(self, count: int) -> list[Any]:
        """Wait for so many events."""
        return await self.until(lambda: len(self.events) >= count, self.events)


def asked(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a client's work to its end."""
    return asyncio.run(work)


async def child(client: Any, *names: str) -> Any:
    """A node of ours below the line."""
    return client.get_node(ua.NodeId(".".join(("line1", *names)), await client.get_namespace_index(OWN)))


async def called(client: Any, name: str, *arguments: ua.Variant) -> Any:
    """Call one of our methods of the ResultManagement."""
    management = await child(client, "ResultManagement")
    method = await child(client, "ResultManagement", name)
    return await management.call_method(method, *arguments)


def since(epoch: int, sequence: int) -> tuple[ua.Variant, ua.Variant]:
    """What GetResultsSince is asked with."""
    return ua.Variant(epoch, ua.VariantType.Int64), ua.Variant(sequence, ua.VariantType.UInt32)


def _over(made: x509.Certificate, key: Any) -> x509.Certificate:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    began = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    builder = x509.CertificateBuilder(made.issuer, made.subject, key.public_key(), made.serial_number)
    builder = builder.not_valid_before(began).not_valid_after(began + dt.timedelta(days=1))
    return builder.sign(key, SHA256())
