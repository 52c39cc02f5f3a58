"""The rows: each kind of camera and each output, killed, cut, frozen and restarted, with what must name it and when."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import ModuleType

from tests.faults.matrix.results import line_of
from tests.faults.plant import cameras, controls, outputs, senders
from tests.faults.plant.bed import Naming, PlantBed
from tests.faults.plant.cameras import SILENCE_S
from tests.faults.plant.controls import HEARTBEAT_MS
from tests.faults.plant.outputs import ANSWER_S
from tests.faults.plant.rig import PlantRig
from tests.faults.plant.senders import GAP_S, GIVE_UP_S

FAULTS = ("kill", "cut", "freeze", "restart")
_NEWS_S = 1.5
"""How often ingest looks at its cameras' conditions and processes, and what a busy machine adds."""
_HUNG_S = 5.0
"""After which ingest says that a camera is not read."""
_GONE_S = 1.0
"""A process that is gone does not answer."""
_TELLS_S = 1.5
"""Of four parts a second one is told at least so often, and a failure is seen."""


@dataclass(frozen=True, eq=False)
class PlantKind:
    """A kind of camera, or an output. `limits`: by fault, within how many seconds it is named; `words` what is done."""

    name: str
    is_output: bool
    module: ModuleType
    make: Callable[[Path], PlantRig]
    limits: Mapping[str, float]
    words: Mapping[str, str]
    programs: tuple[tuple[str, str], ...] = ()

    def why_not(self) -> str | None:
        """Why it cannot run here, and what to do about it; None where it can."""
        wanted = (*_PROGRAMS, *self.programs)
        missing = [f"{one}: sudo apt-get install {package}" for one, package in wanted if shutil.which(one) is None]
        return "; ".join(missing) or None


@dataclass(frozen=True)
class PlantRow:
    """One fault of one kind; `module`: where its strike lies, whose text is part of what a result is keyed by."""

    kind: PlantKind
    fault: str

    @property
    def name(self) -> str:
        """How it is named in results, and by ONLY."""
        return f"{self.kind.name}-{self.fault}"

    @property
    def module(self) -> ModuleType:
        """Where its strike lies."""
        return self.kind.module

    @property
    def covers(self) -> tuple[str, ...]:
        """Folders whose sources a result is keyed by."""
        return line_of("onward")

    @property
    def words(self) -> str:
        """What is done."""
        return self.kind.words[self.fault]

    @property
    def limit_s(self) -> float:
        """Within how many seconds something must name it."""
        return self.kind.limits[self.fault]

    def strike(self, rig: PlantRig, bed: PlantBed, rng: Random) -> Naming:
        """Do it, and heal it."""
        acts = {"kill": rig.kill, "cut": rig.cut, "freeze": rig.freeze, "restart": rig.restart}
        return acts[self.fault](bed, rng, self.limit_s)


_PROGRAMS = (("java", "openjdk-17-jre-headless"), ("mvn", "maven"))
_INGEST = {"kill": "SIGKILL of ingest", "restart": "ingest ended in order and started"}
_ONWARD = {
    "kill": "SIGKILL of onward",
    "freeze": "SIGSTOP of onward past its time to speak",
    "restart": "onward ended in order and started",
}
_LIVE = {"kill": _NEWS_S, "cut": SILENCE_S + _NEWS_S, "freeze": SILENCE_S + _NEWS_S, "restart": _NEWS_S}
_CONTROL = dict.fromkeys(FAULTS, HEARTBEAT_MS / 1000 + 1.0)

KINDS = (
    PlantKind(
        "rtsp",
        False,
        cameras,
        cameras.RtspRig,
        _LIVE,
        {
            "kill": "SIGKILL of GStreamer's server",
            "cut": "the wire carries nothing, and nobody is told",
            "freeze": "SIGSTOP of GStreamer's server",
            "restart": "the server ended and started at once",
        },
    ),
    PlantKind(
        "usb",
        False,
        cameras,
        cameras.UsbRig,
        _LIVE | {"restart": SILENCE_S + _NEWS_S},
        {
            "kill": "a video file in the device's place: SIGKILL of the process that reads it",
            "cut": "a video file: reads give nothing, and it cannot be opened",
            "freeze": "a video file: a read does not come back",
            "restart": "a video file: gone for half a second",
        },
    ),
    PlantKind(
        "genicam",
        False,
        cameras,
        cameras.GenicamRig,
        dict.fromkeys(FAULTS, SILENCE_S + 1 / cameras.RATE_PER_S + _NEWS_S),
        {
            "kill": "SIGKILL of a fake GigE camera",
            "cut": "no packet of its stream arrives",
            "freeze": "SIGSTOP of a fake GigE camera",
            "restart": "the camera ended and started at once",
        },
    ),
    PlantKind(
        "watch",
        False,
        senders,
        senders.WatchRig,
        {"kill": GIVE_UP_S + _NEWS_S, "cut": _NEWS_S, "freeze": GIVE_UP_S + _NEWS_S, "restart": _GONE_S},
        {
            "kill": "SIGKILL of a program in the middle of a file",
            "cut": "the folder is not there, as of a share that is lost",
            "freeze": "SIGSTOP of a program in the middle of a file",
            "restart": _INGEST["restart"],
        },
    ),
    PlantKind(
        "http",
        False,
        senders,
        senders.HttpRig,
        {"kill": _GONE_S, "cut": GAP_S + _NEWS_S, "freeze": GAP_S + _NEWS_S, "restart": _GONE_S},
        {
            "kill": _INGEST["kill"] + " while pictures are posted",
            "cut": "the wire carries nothing, and nobody is told",
            "freeze": "the camera stands still with half a picture posted",
            "restart": _INGEST["restart"],
        },
    ),
    PlantKind(
        "folder",
        False,
        senders,
        senders.FolderRig,
        {"kill": _GONE_S, "cut": _NEWS_S, "freeze": _HUNG_S + _NEWS_S, "restart": _GONE_S},
        {
            "kill": _INGEST["kill"],
            "cut": "the folder is not there, as of a share that is lost",
            "freeze": "SIGSTOP of the process that reads",
            "restart": _INGEST["restart"],
        },
    ),
    PlantKind(
        "file",
        True,
        outputs,
        outputs.FileRig,
        {"kill": _GONE_S, "cut": _TELLS_S, "freeze": _GONE_S, "restart": _GONE_S},
        _ONWARD | {"cut": "the folder is not there, as of a share that is lost"},
    ),
    PlantKind(
        "webhook",
        True,
        outputs,
        outputs.WebhookRig,
        {"kill": _TELLS_S, "cut": ANSWER_S + _TELLS_S, "freeze": ANSWER_S + _TELLS_S, "restart": _TELLS_S},
        {
            "kill": "the receiver is gone, its connections reset",
            "cut": "the wire carries nothing, and nobody is told",
            "freeze": "the receiver takes every request and answers none",
            "restart": "the receiver ended, and started after half a second",
        },
    ),
    PlantKind(
        "mqtt",
        True,
        outputs,
        outputs.MqttRig,
        {"kill": _TELLS_S, "cut": ANSWER_S + _TELLS_S, "freeze": ANSWER_S + _TELLS_S, "restart": _TELLS_S},
        {
            "kill": "SIGKILL of Mosquitto",
            "cut": "the wire carries nothing, and nobody is told",
            "freeze": "SIGSTOP of Mosquitto",
            "restart": "Mosquitto ended in order and started",
        },
        (("mosquitto", "mosquitto"), ("mosquitto_passwd", "mosquitto")),
    ),
    PlantKind(
        "opcua",
        True,
        controls,
        controls.OpcuaRig,
        _CONTROL,
        _ONWARD | {"cut": "the wire to the client carries nothing, and nobody is told"},
    ),
    PlantKind(
        "modbus",
        True,
        controls,
        controls.ModbusRig,
        _CONTROL,
        _ONWARD | {"cut": "the wire to the PLC carries nothing, and nobody is told"},
    ),
)
ROWS = tuple(PlantRow(kind, fault) for kind in KINDS for fault in FAULTS)


def named(names: list[str]) -> list[PlantRow]:
    """Rows by their names or by their kinds', all for none; raises SystemExit for a name that is none."""
    known = {row.name for row in ROWS} | {kind.name for kind in KINDS}
    if unknown := set(names) - known:
        raise SystemExit(f"no row {', '.join(sorted(unknown))}; rows: {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not names or row.name in names or row.kind.name in names]
