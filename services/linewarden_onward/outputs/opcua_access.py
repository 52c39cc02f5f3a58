"""Who may connect to the OPC UA server, and what one client can do to another: nothing.

Encrypted channels alone; a user with a password or with a certificate of his own, nobody without; reading, subscribing
and calling, no writing. A user's sessions and subscriptions are bounded, so that one that reconnects for ever takes no
room from the others, and a subscription belongs to its session.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.permission_rules import USER_TYPES, PermissionRuleset, User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from linewarden_onward.outputs.opcua_filters import follow_subtypes
from linewarden_runtime.errors import ConfigurationError

Answer = Any
"""What asyncua sends back."""
_log = structlog.get_logger(__name__)

SESSIONS_OF_A_USER = 4
SUBSCRIPTIONS_OF_A_SESSION = 8
_CERTIFICATE_DAYS = 5 * 365
_PAUSE_S = 1.0
"""How long after a wrong password no other of that user is looked at: the hash is slow, and every client waits."""
_NOBODY = User(role=UserRole.Anonymous)
_NO_READING = ("WriteRequest", "HistoryReadRequest", "TransferSubscriptionsRequest")


class ReadersOnly(PermissionRuleset):  # type: ignore[misc]  # asyncua's types are not followed
    """What a signed-in user may ask for: everything but writing, history and another's subscriptions."""

    def __init__(self) -> None:
        refused = {getattr(ua.ObjectIds, f"{name}_Encoding_DefaultBinary") for name in _NO_READING}
        self._allowed = {ua.NodeId(one) for one in USER_TYPES if one not in refused}

    def check_validity(self, user: User, action_type: ua.NodeId, body: object) -> bool:  # noqa: ARG002 - its protocol
        """Whether it is allowed; nobody is an administrator."""
        return user.role is UserRole.User and action_type in self._allowed


class PlantUsers:
    """Users by password (`name:hash` a line, argon2) and by certificate (a file each, named by the user)."""

    def __init__(self, passwords: dict[str, str], certificates: dict[bytes, str]) -> None:
        self._passwords, self._certificates = passwords, certificates
        self._hasher = PasswordHasher()
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, bytes] = {}
        self._paused_until_s: dict[str, float] = {}

    @classmethod
    def read(cls, users_file: Path | None, certificates: Path | None) -> PlantUsers:
        """Those that the files tell.

        Raises:
            ConfigurationError: where a file cannot be read, or nobody could ever sign in.
        """
        try:
            passwords = dict(_password_lines(users_file)) if users_file is not None else {}
            files = sorted(certificates.iterdir()) if certificates is not None else []
            known = {_der(file): file.stem for file in files}
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"opcua: users_file or certificates cannot be used: {error}") from error
        if not passwords and not known:
            raise ConfigurationError("opcua: nobody could sign in: set users_file or certificates")
        return cls(passwords, known)

    def get_user(
        self,
        iserver: object,  # noqa: ARG002 - asyncua's protocol
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> User | None:
        """The user, or None for nobody; without a name `certificate` is what he proved to own."""
        if username is None:
            return self._by_certificate(certificate)
        if password is not None and self._is_right(username, password):
            return User(role=UserRole.User, name=username)
        _log.warning("user refused", user=username[:80])
        return None

    def _by_certificate(self, certificate: bytes | None) -> User | None:
        name = self._certificates.get(certificate) if certificate is not None else None
        if name is None or certificate is None:
            return None
        held = x509.load_der_x509_certificate(certificate)
        if not held.not_valid_before_utc <= datetime.now(UTC) <= held.not_valid_after_utc:
            _log.warning("a certificate is out of its time", user=name)
            return None
        return User(role=UserRole.User, name=name)

    def _is_right(self, name: str, password: str) -> bool:
        shown = hmac.digest(self._key, password.encode(), "sha256")
        if hmac.compare_digest(self._verified.get(name, b""), shown):
            return True
        if name not in self._passwords or time.monotonic() < self._paused_until_s.get(name, 0.0):
            return False
        try:
            self._hasher.verify(self._passwords[name], password)
        except (VerificationError, InvalidHashError):
            self._paused_until_s[name] = time.monotonic() + _PAUSE_S
            return False
        self._verified[name] = shown
        return True


class GuardedServer(InternalServer):  # type: ignore[misc]  # asyncua's types are not followed
    """asyncua's server with sessions that are bounded and apart, and closed to servers that would register."""

    def __init__(self, users: PlantUsers) -> None:
        super().__init__(user_manager=users)
        self.sessions: dict[ua.NodeId, GuardedSession] = {}
        self.ending: set[asyncio.Task[None]] = set()
        self.allow_remote_admin = False
        self.supported_tokens = (ua.X509IdentityToken, ua.UserNameIdentityToken)
        self.max_session_timeout_ms = 60_000
        self.max_monitored_item_queue_size = 1_000
        self.max_unacked_messages_per_subscription = 200
        self.max_connections = 200

    def create_session(self, name: str, user: User = _NOBODY, external: bool = False) -> InternalSession:
        """A session of a client, guarded."""
        if not external:
            return super().create_session(name, user=user, external=False)
        session = GuardedSession(self, self.aspace, self.subscription_service, name, user=user, external=True)
        self.sessions[session.session_id] = session
        return session

    def unregister_external_session(self, session: InternalSession) -> None:
        """Forget a session that has ended."""
        super().unregister_external_session(session)
        self.sessions.pop(session.session_id, None)

    def register_server(self, server: object, conf: object = None) -> None:  # noqa: ARG002 - its protocol
        """Refused: nobody writes here, and that needs no session."""
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)

    async def end_sessions(self) -> None:
        """End every client's session, and with it its subscriptions."""
        for session in list(self.sessions.values()):
            await session.close_session(delete_subs=True)

    def bound(self, newest: GuardedSession) -> None:
        """End those sessions of a user that are too many, first the one that was quiet for longest."""
        own = [one for one in self.sessions.values() if one.is_activated() and one.user.name == newest.user.name]
        own.sort(key=lambda one: (one is newest, one.seen_s))
        for session in own[: max(0, len(own) - SESSIONS_OF_A_USER)]:
            task = asyncio.get_running_loop().create_task(session.close_session(delete_subs=True))
            self.ending.add(task)
            task.add_done_callback(self.ending.discard)


class GuardedSession(InternalSession):  # type: ignore[misc]  # asyncua's types are not followed
    """One client's session: on an encrypted channel alone, and with no hand on another's subscriptions."""

    iserver: GuardedServer
    seen_s = 0.0

    def touch(self) -> None:
        """The client asked for something."""
        super().touch()
        self.seen_s = time.monotonic()

    def activate_session(self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None) -> Answer:
        """Sign in; a channel without a certificate, which asyncua opens to everybody, is for discovery alone."""
        if not peer_certificate:
            raise ServiceError(ua.StatusCodes.BadSecurityModeInsufficient)
        result = super().activate_session(params, peer_certificate)
        self.iserver.bound(self)
        return result

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        request_callback: Callable[..., Any] | None = None,
    ) -> Answer:
        """A new one, up to the bound."""
        if sum(self._owns(one) for one in self.subscription_service.subscriptions) >= SUBSCRIPTIONS_OF_A_SESSION:
            raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)
        return await super().create_subscription(params, callback, request_callback)

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> Answer:
        """Items of an own subscription; events of subtypes are heard."""
        self._require(params.SubscriptionId)
        made = await super().create_monitored_items(params)
        subscription = self.subscription_service.subscriptions[params.SubscriptionId]
        follow_subtypes(subscription, [one.MonitoredItemId for one in made])
        return made

    async def modify_monitored_items(self, params: ua.ModifyMonitoredItemsParameters) -> Answer:
        """Items of an own subscription."""
        self._require(params.SubscriptionId)
        return await super().modify_monitored_items(params)

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> Answer:
        """Items of an own subscription."""
        self._require(params.SubscriptionId)
        return await super().delete_monitored_items(params)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> Answer:
        """Items of an own subscription."""
        self._require(params.SubscriptionId)
        return await super().set_monitoring_mode(params)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> Answer:
        """Own subscriptions, all of them."""
        for one in params.SubscriptionIds:
            self._require(one)
        return await super().set_publishing_mode(params)

    async def delete_subscriptions(self, ids: list[int]) -> Answer:
        """Own subscriptions, all of them."""
        for one in ids:
            self._require(one)
        return await super().delete_subscriptions(ids)

    def republish(self, params: ua.RepublishParameters) -> Answer:
        """A message of an own subscription."""
        self._require(params.SubscriptionId)
        return super().republish(params)

    def publish(self, acks: Iterable[ua.SubscriptionAcknowledgement] | None = None) -> Answer:
        """Acknowledge what belongs to this session."""
        return super().publish([ack for ack in acks or () if self._owns(ack.SubscriptionId)])

    def _owns(self, subscription: int) -> bool:
        known = self.subscription_service.subscriptions.get(subscription)
        return known is not None and known.session_id == self.session_id

    def _require(self, subscription: int) -> None:
        if not self._owns(subscription):
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)


def own_certificate(folder: Path, name: str, uri: str) -> tuple[Path, Path]:
    """Certificate (DER) and key (PEM) of the server, made once; clients trust it by the fingerprint that is logged.

    Raises:
        ConfigurationError: where they cannot be written or read, or lie there by half.
    """
    certificate, key = folder / "server.der", folder / "server.pem"
    try:
        if not certificate.exists() and not key.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make(certificate, key, name, uri)
        held = x509.load_der_x509_certificate(certificate.read_bytes())
        key.read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"opcua: server.der and server.pem in {folder} cannot be used: {error}") from error
    _log.info(
        "the server has a certificate",
        file=str(certificate),
        sha256=held.fingerprint(SHA256()).hex(),
        ends=held.not_valid_after_utc.isoformat(),
    )
    return certificate, key


def _make(certificate: Path, key: Path, name: str, uri: str) -> None:
    private = generate_private_key()
    known_as = [x509.UniformResourceIdentifier(uri), x509.DNSName(socket.gethostname())]
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    made = generate_self_signed_app_certificate(private, name, {}, known_as, uses, days=_CERTIFICATE_DAYS)
    handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(dump_private_key_as_pem(private))
    certificate.write_bytes(made.public_bytes(Encoding.DER))


def _password_lines(file: Path) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not name or not hashed.startswith("$argon2"):
            raise ValueError(f"{file}, line {number}: not NAME:HASH with a hash of argon2")
        yield name, hashed


def _der(file: Path) -> bytes:
    held = file.read_bytes()
    load = x509.load_pem_x509_certificate if held.startswith(b"-----") else x509.load_der_x509_certificate
    return load(held).public_bytes(Encoding.DER)
