"""A fake GigE camera with a counter of its line's edges, which counts those that it ignores too."""

from __future__ import annotations

import re
from collections.abc import Callable

from linewarden.demo.fake_cameras import FakeGigeCamera

_URL, _URL_BYTES, _DESCRIPTION = 0x200, 512, 0x10000
_VALUE, _RESET, _SELECTOR, _SOURCE = 0x8000, 0x8004, 0x8008, 0x800C
_NODES = """
<Enumeration Name="CounterSelector"><EnumEntry Name="Counter0"><Value>0</Value></EnumEntry>
<EnumEntry Name="Counter1"><Value>1</Value></EnumEntry><pValue>CounterSelectorRegister</pValue></Enumeration>
<Enumeration Name="CounterEventSource"><EnumEntry Name="Off"><Value>0</Value></EnumEntry>
<EnumEntry Name="Line0"><Value>1</Value></EnumEntry><pValue>CounterEventSourceRegister</pValue></Enumeration>
<Command Name="CounterReset"><pValue>CounterResetRegister</pValue><CommandValue>1</CommandValue></Command>
<Integer Name="CounterValue"><pValue>CounterValueRegister</pValue></Integer>
"""


def _register(name: str, address: int) -> str:
    return (
        f'<IntReg Name="{name}Register"><Address>{address}</Address><Length>4</Length><AccessMode>RW</AccessMode>'
        "<pPort>Device</pPort><Sign>Unsigned</Sign><Endianess>BigEndian</Endianess><Cachable>NoCache</Cachable></IntReg>"
    )


class CountingGigeCamera(FakeGigeCamera):
    """As `FakeGigeCamera`; `ignore` is an edge of its line that comes while it cannot take a picture."""

    def __init__(self, address: str, serial: str, picture: Callable[[int], bytes]) -> None:
        super().__init__(address, serial, picture)
        registers = (
            ("CounterSelector", _SELECTOR),
            ("CounterEventSource", _SOURCE),
            ("CounterReset", _RESET),
            ("CounterValue", _VALUE),
        )
        nodes = _NODES + "".join(_register(*one) for one in registers)
        description = bytes(self._memory[_DESCRIPTION:]).rstrip(b"\0").decode()
        description = re.sub(r"</RegisterDescription>\s*$", lambda _: nodes + "</RegisterDescription>", description)
        self._memory[_DESCRIPTION:] = description.encode()
        url = f"Local:arv-fake-camera.xml;{_DESCRIPTION:x};{len(description.encode()):x}".encode()
        self._memory[_URL : _URL + _URL_BYTES] = url.ljust(_URL_BYTES, b"\0")

    def fire(self) -> bool:
        """Trigger its line, which is counted."""
        with self._lock:
            self._count()
            return super().fire()

    def ignore(self) -> None:
        """Trigger its line while it is busy."""
        with self._lock:
            self._count()

    def _count(self) -> None:
        if self._get(_SOURCE) == 1:
            self._put(_VALUE, self._get(_VALUE) + 1)

    def _follow_control(self, who: tuple[str, int] | None) -> None:
        super()._follow_control(who)
        if self._get(_RESET):
            self._put(_RESET, 0)
            self._put(_VALUE, 0)
