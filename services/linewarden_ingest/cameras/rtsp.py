"""Network cameras that speak RTSP, read by PyAV (FFmpeg), with what FFmpeg says of each picture."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import ConfigDict, Field, model_validator

from linewarden_ingest.cameras.interface import CameraFault
from linewarden_ingest.cameras.live import Arrived, Inbox, LiveCamera, LiveOptions
from linewarden_ingest.cameras.options import CameraRun
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from av.container import InputContainer

_PACKETS_LOST = ("missed", "max delay reached", "bad cseq")
"""FFmpeg's warnings that say that packets are missing; what else is wrong with a picture it calls an error."""
_LogLines = list[tuple[int, str, str]]


class RtspOptions(LiveOptions):
    """The camera at `url`, which holds no password: that is the first line of `password_file`.

    A camera that has not answered after `open_limit_s` is dead.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # a URL that is refused for its password must not be shown

    kind: Literal["rtsp"] = "rtsp"
    url: str = Field(pattern="^rtsp://")
    transport: Literal["tcp", "udp"] = "tcp"
    user: str | None = None
    password_file: Path | None = None
    open_limit_s: float = Field(10.0, gt=0)

    @model_validator(mode="after")
    def _password_apart(self) -> Self:
        if "@" in urlsplit(self.url).netloc:
            raise ValueError("url holds a user or a password; name them by user and password_file")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together")
        return self

    def open(self, run: CameraRun) -> LiveCamera:
        """The camera, playing.

        Raises:
            ConfigurationError: where PyAV is missing, or the password cannot be read, or is refused: cameras lock out
                who tries on.
            CameraFault: where it does not answer in time, or with anything but a video stream.
        """
        if find_spec("av") is None:
            raise ConfigurationError("PyAV is missing, which reads RTSP: pip install 'linewarden[cameras]'")
        return LiveCamera(self.url, self, run, RtspReader(self, run.clock))


class RtspReader:
    """Reads and decodes all the time, so that nothing waits in front of the decoder.

    Raises what `RtspOptions.open` says. Nothing of it that is raised, told or logged shows the password.
    """

    def __init__(self, options: RtspOptions, clock: Clock) -> None:
        import av.logging  # noqa: PLC0415 - the supervisor, which reads the options, stays small

        self._silence_s, self._clock = options.silence_s, clock
        self.inbox, self._closing = Inbox(options, clock), threading.Event()
        self._torn: str | None = None
        # What FFmpeg logs is read beside the picture it belongs to, and heard nowhere else: it may show the URL.
        logging.getLogger("libav").addHandler(logging.NullHandler())
        logging.getLogger("libav").propagate = False
        av.logging.set_level(av.logging.WARNING)
        av.logging.set_skip_repeated(False)
        container, self._scrub = _opened(options, clock)
        self._thread = threading.Thread(target=self._read, args=(container,), name="rtsp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading, as soon as FFmpeg's own limits let go of the read that is under way."""
        self._closing.set()
        self._thread.join(self._silence_s + 1.0)

    def _read(self, container: InputContainer) -> None:
        import av  # noqa: PLC0415 - as above
        import av.logging  # noqa: PLC0415 - the same

        why = "the camera ended its stream"
        with av.logging.Capture() as said, container:
            try:
                self._decode_all(container, said)
            except av.error.ExitError:
                why = f"no whole picture came for {self._silence_s:g} s, the limit silence_s"
                why = f"{why}; {lost}" if (lost := self._heard(said)) else why
            except av.error.FFmpegError as error:
                why = self._scrub(str(error))
        self.inbox.end(why)

    def _decode_all(self, container: InputContainer, said: _LogLines) -> None:
        import av  # noqa: PLC0415 - as above

        for packet in container.demux(video=0):
            if self._closing.is_set() or not packet.size:  # an empty one ends the stream
                return
            came = partial(Arrived, at_ms=self._clock.now_ms(), at=self._clock.monotonic())
            if lost := self._heard(said):  # on the way here, before this picture
                self._torn = lost
                self.inbox.put(came(None, damage=lost))
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                self._torn = self._scrub(str(error))
                self.inbox.put(came(None, damage=self._torn))
                said.clear()
                continue
            damage = self._heard(said)
            for frame in frames:
                if damage is None and (frame.is_corrupt or packet.is_corrupt):
                    damage = "the decoder calls it corrupt"
                # What is told as a difference to a damaged picture is as damaged; the decoder only names the first.
                self._torn = damage or (None if frame.key_frame else self._torn)
                self.inbox.put(came(partial(frame.to_ndarray, format="bgr24"), damage=self._torn))

    def _heard(self, said: _LogLines) -> str | None:
        """What FFmpeg has said since the last call that is damage."""
        import av.logging  # noqa: PLC0415 - as above

        damage = dict.fromkeys(
            f"{name}: {text.strip()}"
            for level, name, text in said
            if level <= av.logging.ERROR or any(words in text for words in _PACKETS_LOST)
        )
        said.clear()
        return self._scrub("; ".join(damage)) or None


def _opened(options: RtspOptions, clock: Clock) -> tuple[InputContainer, Callable[[str], str]]:
    """The stream, and what takes the password out of any words about it."""
    import av  # noqa: PLC0415 - as above
    import av.logging  # noqa: PLC0415 - the same

    password = _password(options)
    login = "" if password is None else f"{quote(options.user or '', safe='')}:{quote(password, safe='')}@"

    def scrub(words: str) -> str:
        for secret in (login, password, quote(password or "", safe="")):
            words = words.replace(secret, "***") if secret else words
        return words

    # FFmpeg's own limit, in microseconds, behind PyAV's, which say by their error that time was over.
    own_limit = round((max(options.open_limit_s, options.silence_s) + 1) * 1e6)
    limits = {"rtsp_transport": options.transport, "timeout": str(own_limit)}
    # Without these FFmpeg looks at the stream for seconds, and then gives the pictures of these seconds first.
    at_once = {"fflags": "nobuffer", "analyzeduration": "1", "fpsprobesize": "0"}
    began = clock.monotonic()
    try:
        with av.logging.Capture():
            container = av.open(
                options.url.replace("rtsp://", f"rtsp://{login}", 1),
                options=limits | at_once,
                timeout=(options.open_limit_s, options.silence_s),
            )
    except (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError):
        who = "who gives no user" if options.user is None else f"user {options.user} or the password"
        failure: Exception = ConfigurationError(f"{options.url} refuses {who}; see user and password_file")
    except av.error.FFmpegError as error:
        # Stopped for its limit FFmpeg may call the answer invalid, since it is not there.
        is_over = clock.monotonic() - began >= options.open_limit_s
        why = f"no answer for {options.open_limit_s:g} s, the limit open_limit_s" if is_over else scrub(str(error))
        failure = CameraFault(f"{options.url}: {why}")
    else:
        if container.streams.video:
            # With more threads FFmpeg decodes some pictures at once, and gives each that much later.
            container.streams.video[0].codec_context.thread_count = 1
            return container, scrub
        container.close()
        failure = CameraFault(f"{options.url} has no video")
    raise failure  # out here, so that no traceback holds the library's error, which shows the URL


def _password(options: RtspOptions) -> str | None:
    if options.password_file is None:
        return None
    try:
        first, *_ = options.password_file.read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"password_file {options.password_file}: {error}") from error
    if not first:
        raise ConfigurationError(f"password_file {options.password_file} is empty; its first line is the password")
    return first
