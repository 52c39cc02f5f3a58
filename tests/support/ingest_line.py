"""Ingest as processes on a folder of pictures, and what arrived of them, for tests and benchmarks."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.ports import Broker
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.envelope import Frame, decode, decode_frame
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Loss

PNG = b"\x89PNG\r\n\x1a\n"


def write_pictures(folder: Path, count: int, size: int) -> list[str]:
    """Files that begin as PNG does and hold noise; their digests in order. Ingest does not decode them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    digests = []
    for number in range(count):
        data = PNG + rng.bytes(size)
        (folder / f"{number:06d}.png").write_bytes(data)
        digests.append(hashlib.sha256(data).hexdigest())
    return digests


@dataclass(frozen=True)
class IngestProcess:
    """How to start ingest for one folder camera; every start gets the same spool and the same run."""

    namespace: str
    bootstrap_servers: str
    pictures: Path
    spool: Path
    log: Path
    options: dict[str, str] = field(default_factory=dict)
    rate_per_s: float | None = None
    repeat: int = 1

    def start(self, *, supervised: bool = False) -> subprocess.Popen[bytes]:
        """Start the camera's process, or the supervisor; both end by themselves."""
        camera: dict[str, object] = {
            "kind": "folder",
            "camera_id": "cam0",
            "view_id": "view0",
            "path": str(self.pictures),
            "repeat": self.repeat,
        }
        if self.rate_per_s:
            camera["rate_per_s"] = self.rate_per_s
        environment = os.environ | {
            "LINEWARDEN_NAMESPACE": self.namespace,
            "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "LINEWARDEN_INGEST__CAMERAS": json.dumps([camera]),
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(self.spool),
            **self.options,
        }
        command = [sys.executable, "-m", "linewarden_ingest"]
        if not supervised:
            command += ["--camera", "cam0", "--start-ms", "1000"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


@dataclass
class Arrived:
    """What lies in `captures` and `frames`, duplicates included."""

    captures: list[Capture] = field(default_factory=list)
    heartbeats: list[CameraHeartbeat] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    @classmethod
    def read(cls, broker: Broker, namespace: str) -> Arrived:
        """Everything there is now."""
        arrived = cls()
        for topic in ("captures", "frames"):
            positions = positions_of(broker, Namespace(namespace).topic(topic))
            with broker.reader(dict.fromkeys(positions, 0)) as reader:
                for record in read_to_end(reader):
                    if topic == "frames":
                        arrived.frames.append(decode_frame(record.headers, record.value))
                        continue
                    message = decode(record.headers, record.value).message
                    if isinstance(message, Capture):
                        arrived.captures.append(message)
                    elif isinstance(message, CameraHeartbeat):
                        arrived.heartbeats.append(message)
        return arrived

    def sequences(self) -> list[int]:
        """Sequences of captures, each once, in order."""
        return sorted({capture.sequence for capture in self.captures})

    def torn(self) -> set[int]:
        """Sequences told as damaged in the spool: a kill can cut the write of the record not yet fsynced."""
        return {one.sequence for one in self.captures if one.lost is Loss.SPOOL_CORRUPT}

    def require_whole(self, *, kills: int = 0) -> None:
        """Assert that every capture's frame is there, bytes and all, and no sequence is missing.

        A kill may leave out one sequence, where it cut the record's header too, or tear one picture.
        """
        found = {frame.meta.frame_id: frame for frame in self.frames}
        sequences = self.sequences()
        assert sequences[-1] + 1 - len(sequences) + len(self.torn()) <= kills
        for capture in self.captures:
            if capture.lost is None:
                frame = found[capture.frame_id]
                assert hashlib.sha256(frame.picture).hexdigest() == capture.sha256 == frame.meta.sha256

    def require_pictures(self, digests: list[str]) -> None:
        """Assert that every picture arrived, or is told as torn: one capture for each that is missing."""
        assert len(set(digests) - {one.sha256 for one in self.captures}) == len(self.torn())
