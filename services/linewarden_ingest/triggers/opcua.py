"""Values of a node of an OPC UA server, one trigger each."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from linewarden_ingest.triggers.desk import SourceAway, TriggerDesk
from linewarden_ingest.triggers.options import STEP_S, TriggerOptions, secret_in
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.lifecycle import Stop

if TYPE_CHECKING:
    from asyncua.client.client import Client


class OpcuaTrigger(TriggerOptions):
    """Changes of `node` (e.g. `ns=2;s=Trigger`), whose value is a line of text, or the counter alone.

    The server looks for a change every `sampling_ms` and keeps up to 100 until it sends them every `publishing_ms`. The
    value that is there when the subscription begins is of a part of before, and no trigger. `security` is asyncua's
    string: `Basic256Sha256,SignAndEncrypt,certificate.der,key.pem`.
    """

    kind: Literal["opcua"] = "opcua"
    url: str = Field(pattern=r"^opc\.tcp://")
    node: str
    username: str | None = None
    password_file: Path | None = None
    security: str | None = None
    sampling_ms: float = Field(10.0, ge=0)
    publishing_ms: float = Field(20.0, gt=0)

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        """Give each value until the stop; raises SourceAway where the server is lost or refuses us."""
        asyncio.run(self._bring(desk, until))

    async def _bring(self, desk: TriggerDesk, until: Stop) -> None:
        from asyncua.ua.uaerrors import UaError  # noqa: PLC0415 - an extra, and slow to load
        from asyncua.ua.uatypes import Double  # noqa: PLC0415 - the same

        client = await self._client()
        try:
            async with client:
                values = _Values(desk)
                subscription = await client.create_subscription(self.publishing_ms, values)
                await subscription.subscribe_data_change(
                    client.get_node(self.node), queuesize=100, sampling_interval=Double(self.sampling_ms)
                )
                desk.here()
                while not until.is_set() and values.ended is None:
                    await asyncio.sleep(STEP_S)
                    await client.check_connection()
                if values.ended is not None:
                    raise SourceAway(f"{self.url}: the subscription ended, {values.ended}")
        except (TimeoutError, OSError, UaError) as error:
            raise SourceAway(f"{self.url}: {error or type(error).__name__}") from error

    async def _client(self) -> Client:
        from asyncua.client.client import Client  # noqa: PLC0415 - an extra, and slow to load

        client = Client(self.url)
        if self.username is not None:
            client.set_user(self.username)
        if self.password_file is not None:
            client.set_password(secret_in(self.password_file))
        if self.security is not None:
            try:
                await client.set_security_string(self.security)
            except Exception as error:  # whatever it says of what a person wrote
                raise ConfigurationError(f"security {self.security!r}: {error}") from error
        return client


class _Values:
    """Receives what the server sends; the first value after a subscription stood there before."""

    def __init__(self, desk: TriggerDesk) -> None:
        self._desk, self._is_first = desk, True
        self.ended: str | None = None

    def datachange_notification(self, _node: Any, value: object, data: Any) -> None:  # noqa: ANN401 - asyncua's own
        """Take one value; a bad one is no line."""
        first, self._is_first = self._is_first, False
        if first:
            return
        status = data.monitored_item.Value.StatusCode
        if status is not None and not status.is_good():
            self._desk.refuse(f"the node's value is {status.name}")
        else:
            self._desk.line(str(value).encode())

    def status_change_notification(self, status: Any) -> None:  # noqa: ANN401
        """Take it that the server gave the subscription up."""
        self.ended = str(getattr(status, "Status", status))
