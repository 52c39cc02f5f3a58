"""An RTSP camera as a process of its own: GStreamer's server, which sends what it is given."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from pathlib import Path

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Closing

_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_NEEDS = (
    "sudo apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"
)


class RtspServer(Closing):
    """Serves rtsp://127.0.0.1:`port`/camera from when it is made; `arguments` are the script's.

    Raises:
        ConfigurationError: where it does not start, with what its log says and what it needs.
    """

    def __init__(self, log: Path, *arguments: str) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [_PYTHON, str(_SCRIPT), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._listener = threading.Thread(target=self._listen, name="rtsp-server", daemon=True)
        first, _, port = self._heard().partition(" ")
        if first != "listening":
            self.close()
            said = log.read_text(encoding="utf-8", errors="replace")[-500:]
            raise ConfigurationError(f"no RTSP server on this machine: {said.strip() or 'it said nothing'}; {_NEEDS}")
        self.port = int(port)
        self.playing = threading.Event()
        """Set while somebody looks."""
        self._listener.start()

    @property
    def url(self) -> str:
        """Where its one stream is."""
        return f"rtsp://127.0.0.1:{self.port}/camera"

    def send(self, picture: bytes) -> None:
        """Send one picture (JPEG, or PNG with `--png`) to whoever looks.

        Raises:
            BrokenPipeError: where the server has died.
        """
        if self.process.stdin is not None:
            self.process.stdin.write(len(picture).to_bytes(4, "big") + picture)
            self.process.stdin.flush()

    def close(self) -> None:
        """End it at once; a client sees its connection close."""
        self.process.kill()
        self.process.wait()
        if self._listener.is_alive():
            self._listener.join()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):  # the rest of a picture that nobody reads any more
                if pipe is not None:
                    pipe.close()

    def _listen(self) -> None:
        while word := self._heard():
            if word == "playing":
                self.playing.set()
            else:
                self.playing.clear()

    def _heard(self) -> str:
        return "" if self.process.stdout is None else self.process.stdout.readline().decode().strip()
