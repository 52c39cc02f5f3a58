"""Ingest as a process around one camera that never ends, to be killed and started again; on any broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.ingest_line import Arrived


@dataclass(frozen=True)
class LiveCamera:
    """Every start gets the same spool; the camera's own settings are in `camera`."""

    namespace: str
    bootstrap_servers: str
    camera: Mapping[str, object]
    folder: Path

    @property
    def log(self) -> str:
        """What its processes said."""
        return (self.folder / "log").read_text()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the camera's process; a stop or a kill ends it."""
        environment = os.environ | {
            "LINEWARDEN_NAMESPACE": self.namespace,
            "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "LINEWARDEN_INGEST__CAMERAS": json.dumps([{"camera_id": "cam0", "view_id": "view0", **self.camera}]),
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(self.folder / "spool"),
        }
        command = [sys.executable, "-m", "linewarden_ingest", "--camera", "cam0", "--start-ms", "1000"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def times_taken(arrived: Arrived) -> Counter[str]:
    """How many captures hold each picture, by its digest; one that was sent again counts once."""
    return Counter({one.frame_id: one.sha256 for one in arrived.captures if one.sha256}.values())
