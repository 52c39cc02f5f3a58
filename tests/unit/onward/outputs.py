"""An output whose receiver a test plays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import PrivateAttr

from linewarden_onward.interface import GateAct, Notice, OutputRefused, OutputRun
from linewarden_onward.options import OutputOptions


class PlayedOptions(OutputOptions):
    """Opened again and again it is one receiver; `faults` are raised one by one, by what is done next."""

    kind: Literal["played"] = "played"
    _receiver: PlayedReceiver = PrivateAttr()

    def model_post_init(self, _context: object, /) -> None:
        self._receiver = PlayedReceiver()

    @property
    def receiver(self) -> PlayedReceiver:
        return self._receiver

    @property
    def has_gate(self) -> bool:
        return True

    def open(self, run: OutputRun) -> PlayedReceiver:
        self._receiver.run = run
        self._receiver.fail("open")
        self._receiver.opened += 1
        return self._receiver


class PlayedReceiver:
    def __init__(self) -> None:
        self.faults: list[tuple[str, Exception]] = []
        self.told: list[Notice] = []
        self.tries: list[list[str]] = []
        self.acts: list[GateAct] = []
        self.opened = self.beats = self.closed = 0
        self.refuses: str | None = None
        self.run: OutputRun | None = None

    def fail(self, doing: str) -> None:
        if self.faults and self.faults[0][0] == doing:
            raise self.faults.pop(0)[1]

    def tell(self, notices: Sequence[Notice]) -> None:
        self.tries.append([one.key for one in notices])
        self.fail("tell")
        if self.refuses is not None:
            raise OutputRefused(notices[0], self.refuses)
        self.told += notices

    def beat(self) -> Sequence[GateAct]:
        self.beats += 1
        self.fail("beat")
        acts, self.acts = self.acts, []
        return acts

    def close(self) -> None:
        self.closed += 1

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.told]

    @property
    def permitted(self) -> list[str]:
        return [one.key for one in self.told if one.permission is not None]
