"""An RTSP server that sends pictures of our own, one stream, as a network camera does.

It stands alone, run by Debian's /usr/bin/python3: GStreamer's Python face (python3-gi, gir1.2-gst-rtsp-server-1.0)
does not build in a virtual environment. Pictures are JPEG (baseline, 4:2:0 or 4:2:2) or, with `--png`, PNG: from a
folder, at a rate and again from its start, or from standard input, each behind its length (4 bytes, big endian) and
sent when it comes. What comes while nobody looks is gone, as with a camera. Standard output says `listening PORT`
once, `playing` when clients begin to look, and `left` when the last has gone.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import gi  # type: ignore[import-not-found, unused-ignore]  # Debian's, outside any virtual environment

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found, unused-ignore]  # noqa: E402


class Stream(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc, unused-ignore]
    """The one stream. All clients share it; pictures are pushed into it from any thread."""

    def __init__(self, codec: str, quality: int, *, png: bool) -> None:
        super().__init__()
        self._codec, self._quality, self._png = codec, quality, png
        self._source: Gst.Element | None = None
        self.set_shared(True)

    def push(self, picture: bytes) -> None:
        """Send one picture now, if anybody looks."""
        if (source := self._source) is not None:
            source.emit("push-buffer", Gst.Buffer.new_wrapped(picture))

    def do_create_element(self, _url: GstRtspServer.RTSPUrl) -> Gst.Element:
        """Build the stream's pipeline for the first client that asks."""
        kind, decoder = ("image/png", "pngdec") if self._png else ("image/jpeg", "jpegdec")
        source = f"appsrc name=pictures is-live=true do-timestamp=true format=time caps={kind}"
        decoded = f"{source} ! {decoder} ! videoconvert"
        if self._codec == "h264":
            sent = f"{decoded} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0"
        elif self._png:
            sent = f"{decoded} ! jpegenc quality={self._quality} ! rtpjpegpay name=pay0"
        else:
            sent = f"{source} ! jpegparse ! rtpjpegpay name=pay0"
        return Gst.parse_launch(f"( {sent} )")

    def do_configure(self, media: GstRtspServer.RTSPMedia) -> None:
        """Take the pipeline's entry, which must have a picture before the stream can be described."""
        media.connect("unprepared", self._gone)
        media.connect("new-state", self._state)
        self._source = media.get_element().get_by_name_recurse_up("pictures")

    def _state(self, _media: GstRtspServer.RTSPMedia, state: int) -> None:
        if state == Gst.State.PLAYING:
            _say("playing")

    def _gone(self, _media: GstRtspServer.RTSPMedia) -> None:
        self._source = None
        _say("left")


def from_stdin() -> Iterator[bytes]:
    """Pictures as they come, to the end of standard input."""
    while len(size := sys.stdin.buffer.read(4)) == 4:
        yield sys.stdin.buffer.read(int.from_bytes(size, "big"))


def from_folder(folder: Path, suffixes: set[str], rate: float) -> Iterator[bytes]:
    """The folder's pictures in the order of their names, again and again, `rate` a second."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    if not found:
        raise SystemExit(f"{folder} holds no picture ({', '.join(sorted(suffixes))})")
    for path in itertools.cycle(found):
        yield path.read_bytes()
        threading.Event().wait(1 / rate)


def main() -> None:
    """Serve rtsp://127.0.0.1:PORT/camera until standard input or the pictures end."""
    parser = argparse.ArgumentParser(description="An RTSP camera that sends pictures of a folder or standard input.")
    parser.add_argument("--port", default="0", help="0 takes a free one")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rate", type=float, default=10.0, help="pictures a second of a folder")
    parser.add_argument("--png", action="store_true", help="the pictures are PNG")
    parser.add_argument("--codec", choices=("mjpeg", "h264"), default="mjpeg")
    parser.add_argument("--quality", type=int, default=97, help="of JPEG that is made here from PNG")
    parser.add_argument("--user")
    parser.add_argument("--password-file", type=Path)
    given = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=given.port)
    stream = Stream(given.codec, given.quality, png=given.png)
    if given.user:
        _protect(server, stream, given.user, given.password_file.read_text().strip())
    server.get_mount_points().add_factory("/camera", stream)
    loop = GLib.MainLoop()
    suffixes = {".png"} if given.png else {".jpg", ".jpeg"}
    pictures = from_folder(given.folder, suffixes, given.rate) if given.folder else from_stdin()
    server.attach(None)
    _say(f"listening {server.get_bound_port()}")
    threading.Thread(target=_feed, args=(pictures, stream, loop), daemon=True).start()
    loop.run()


def _feed(pictures: Iterator[bytes], stream: Stream, loop: GLib.MainLoop) -> None:
    try:
        for picture in pictures:
            stream.push(picture)
    finally:
        loop.quit()


def _protect(server: GstRtspServer.RTSPServer, stream: Stream, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    role = Gst.Structure.new_empty(user)
    role.set_value("media.factory.access", True)
    role.set_value("media.factory.construct", True)
    stream.add_role_from_structure(role)


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
