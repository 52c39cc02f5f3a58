"""A simulated control's side of the OPC UA output: what it reads there as images of the gate's rule."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asyncua import Client, Node, ua
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from linewarden_onward.gate import GateImage, GateVerdict
from linewarden_onward.outputs.registers import Handshake
from linewarden_schemas.ids import trigger_in

_NAMESPACE = "urn:linewarden:onward"
_URI = "urn:linewarden:control"
_READ_S, _ANSWER_S, _AGAIN_S = 0.02, 1.0, 0.2
_KEPT = 256
"""Results that are shown to the rule again and again: its part may be seen a moment later."""
_VERDICTS = {"diverted": GateVerdict.DIVERT, "rejected": GateVerdict.REJECT}
_LOST = (ua.UaError, OSError, TimeoutError, ConnectionError)


class UaLink:
    """A client of the output at `url`, signed in as `user`, on a thread of its own that comes back by itself.

    `server_certificate` is the one to trust. Permissions are read where they stand, and what was decided otherwise from
    the ring by its sequence; a reading older than `timeout_s` is no answer. Nobody writes to this output.
    """

    def __init__(
        self, url: str, user: str, password: str, server_certificate: Path, line_id: str, timeout_s: float = 0.5
    ) -> None:
        self._url, self._user, self._password, self._trusted = url, user, password, server_certificate
        self._line_id, self._timeout_s = line_id, timeout_s
        self._decided: deque[GateImage] = deque(maxlen=_KEPT)
        self._read: tuple[float, list[GateImage]] | None = None
        self._at = (0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), name="opc ua control", daemon=True)
        self._thread.start()

    def images(self) -> Sequence[GateImage] | None:
        """What stands there now: what was decided to go elsewhere, and the permissions, the oldest first."""
        read = self._read
        if read is None or time.monotonic() - read[0] > self._timeout_s:
            return None
        return read[1]

    def write(self, handshake: Handshake) -> bool:  # noqa: ARG002 - of the interface
        """Nothing: the output has no place for it."""
        return True

    def close(self) -> None:
        """End the client."""
        self._over.set()
        self._thread.join(10.0)

    async def _follow(self) -> None:
        with tempfile.TemporaryDirectory(prefix="linewarden-control-") as folder:
            certificate, key = _certificate(Path(folder))
            while not self._over.is_set():
                client = Client(self._url, timeout=_ANSWER_S * 5)
                client.application_uri = _URI
                try:
                    await client.set_security(
                        SecurityPolicyBasic256Sha256,
                        certificate=str(certificate),
                        private_key=str(key),
                        server_certificate=str(self._trusted),
                    )
                    client.set_user(self._user)
                    client.set_password(self._password)
                    async with client:
                        await self._read_all(client)
                except _LOST:
                    await asyncio.sleep(_AGAIN_S)

    async def _read_all(self, client: Client) -> None:
        own = await client.get_namespace_index(_NAMESPACE)

        def node(*names: str) -> Node:
            return client.get_node(ua.NodeId(".".join((self._line_id, *names)), own))

        results, since = node("ResultManagement"), node("ResultManagement", "GetResultsSince")
        gate = [node("Gate", name) for name in ("Epoch", "Heartbeat", "Permissions")]
        while not self._over.is_set():
            async with asyncio.timeout(_ANSWER_S):
                wanted = ua.Variant(self._at[0], ua.VariantType.Int64), ua.Variant(self._at[1], ua.VariantType.UInt32)
                told = await results.call_method(since, *wanted)
                # In one request, so that the heartbeat is the permissions' own.
                epoch, heartbeat, numbers = await client.read_values(gate)
            self._learn(told)
            decided = [replace(image, epoch=epoch, heartbeat=heartbeat) for image in self._decided]
            self._read = (time.monotonic(), [*decided, *_permitted(epoch, heartbeat, numbers)])
            await asyncio.sleep(_READ_S)

    def _learn(self, told: list[Any]) -> None:
        epoch, _is_gap, sequences, results = told
        self._at = (epoch, sequences[-1] if sequences else self._at[1] if epoch == self._at[0] else 0)
        for text in results:
            decided = json.loads(text)["disposition"]
            trigger, verdict = trigger_in(decided["visit_id"]), _VERDICTS.get(decided["routing"])
            if decided["revision"] == 0 and trigger is not None and verdict is not None:
                self._decided.append(GateImage(trigger[1], verdict, 0, 0, 0, trigger[1], epoch, 0))


def _permitted(epoch: int, heartbeat: int, numbers: Sequence[int]) -> list[GateImage]:
    """Each permission, and before them an image without a result, so that the heartbeat is always read."""
    rows = sorted((numbers[at : at + 5] for at in range(0, len(numbers), 5)), key=lambda row: row[2])
    images = [
        GateImage(counter, GateVerdict.PASS, 0, window_ms, sequence, counter, of_epoch, heartbeat)
        for counter, of_epoch, sequence, window_ms, _expires in rows
        if of_epoch
    ]
    return [GateImage(0, GateVerdict.NONE, 0, 0, 0, 0, epoch, heartbeat), *images]


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = generate_private_key()
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(_URI)]
    made = generate_self_signed_app_certificate(key, "control", {}, names, [ExtendedKeyUsageOID.CLIENT_AUTH], days=2)
    certificate, secret = folder / "control.der", folder / "control.pem"
    certificate.write_bytes(made.public_bytes(Encoding.DER))
    secret.write_bytes(dump_private_key_as_pem(key))
    return certificate, secret
