"""Lines of a serial port, e.g. of a scanner."""

from __future__ import annotations

from typing import Literal

from linewarden_ingest.triggers.desk import LineSplitter, SourceAway, TriggerDesk
from linewarden_ingest.triggers.options import STEP_S, TriggerOptions
from linewarden_runtime.lifecycle import Stop


class SerialTrigger(TriggerOptions):
    """A serial `port`, best by a stable path (`/dev/serial/by-id/...`); nobody else may have it open."""

    kind: Literal["serial"] = "serial"
    port: str
    baudrate: int = 9600
    bits: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        """Give the port's lines until the stop; raises SourceAway where it cannot be opened or is unplugged."""
        import serial  # noqa: PLC0415 - an extra, which only a station with such a port needs

        try:
            with serial.Serial(
                self.port,
                self.baudrate,
                bytesize=self.bits,
                parity=self.parity,
                stopbits=self.stop_bits,
                timeout=STEP_S,
                exclusive=True,
            ) as port:
                desk.here()
                # Opened within a line, its rest could read as another counter: it begins with the next one.
                first = port.read(1)
                lines = LineSplitter(is_torn=bool(first))
                while not until.is_set():
                    for line in lines.feed(first + port.read(max(1, port.in_waiting))):
                        desk.line(line)
                    first = b""
        except (OSError, ValueError) as error:  # a serial.SerialException is an OSError
            raise SourceAway(f"{self.port}: {error}") from error
