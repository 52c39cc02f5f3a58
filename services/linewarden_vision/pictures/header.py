"""What a file says of the picture in it, found without decoding anything.

A decoder believes the header and allocates what it says, so the header is held against limits first; and a decoder
takes the first of several pictures, turns by a tag and converts deep samples without a word, so all of that is
looked at here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused

unreadable = partial(PictureRefused, Undecidable.UNREADABLE)
"""The refusal of a file that is a picture, but none that is read here; the text says why."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Size in pixels as stored, channels 1 or 3 (4 in a drawing with alpha), bits per sample 8 or 16.

    `spans` are the byte ranges of the file that make its pixels: without tags (orientation, colour profile, gamma,
    thumbnail) and without what lies behind its end. `clear` is the place and length of an orientation tag inside a
    span, which is overwritten by `upright`.
    """

    content_type: str
    width: int
    height: int
    channels: int
    depth: int
    spans: tuple[tuple[int, int], ...] = field(default=(), compare=False, repr=False)
    clear: tuple[int, bytes] | None = field(default=None, compare=False, repr=False)

    @property
    def pixels(self) -> int:
        """Width times height as announced: what decoding would need, known before anything is decoded."""
        return self.width * self.height

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded array: HxW, or HxW and channels."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, self.channels)

    def plain(self, payload: bytes) -> bytes:
        """The same pixels in a file without tags: every reader, a browser too, shows them as they are stored."""
        if self.spans and self.spans != ((0, len(payload)),):
            payload = b"".join([payload[begin:end] for begin, end in self.spans])
        if self.clear is not None:
            at, upright = self.clear
            payload = payload[:at] + upright + payload[at + len(upright) :]
        return payload


def check_tail(payload: bytes, end: int, begin: bytes, count: Callable[[int], int] | None = None) -> None:
    """Refuse what lies behind the end of a picture, unless encoders pad so: one byte over and over, or blanks.

    Raises:
        PictureRefused: UNREADABLE, with the number of pictures where another one follows.
    """
    tail = payload[end:]
    if not tail.strip(b"\0\xff\xd9\r\n ") or len(set(tail)) == 1:
        return
    found = tail.find(begin)
    if found >= 0:
        raise several(1 + (count(end + found) if count else 1))
    raise unreadable(f"{len(tail)} bytes that are no padding follow the end of the picture")


def several(number: int) -> PictureRefused:
    """The refusal of a file that holds several pictures: which one shows the part, nobody knows."""
    return unreadable(f"the file holds {number} pictures; one with a single picture is needed")
