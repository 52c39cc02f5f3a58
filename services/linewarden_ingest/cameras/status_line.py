"""The number of the part in the picture itself: a status line, as image sensors and frame grabbers write one.

The lowest 16 rows are two rows of blocks of 8 x 8 pixels, black for 0 and white for 1, from the left: 24 bits of the
number, then 16 of its checksum (CRC-16/CCITT-FALSE), both from the lowest bit. Number 0 says that there is no part. It
needs pictures 160 pixels wide or more, and is read through JPEG, whose own blocks are these.
"""

from __future__ import annotations

from binascii import crc_hqx

import numpy as np

from linewarden_ingest.cameras.interface import CameraFault, RawPicture

ROWS = 16
_BLOCK, _NUMBER_BITS, _CHECK_BITS = 8, 24, 16
_BITS = _NUMBER_BITS + _CHECK_BITS
NARROWEST = _BLOCK * _BITS // 2


def with_status_line(picture: RawPicture, number: int) -> RawPicture:
    """The picture (HxW or HxWx3, uint8, W from 160) and below it the line that tells a number from 0 to 2^24 - 1."""
    line = np.zeros((ROWS, *picture.shape[1:]), picture.dtype)
    for at, bit in enumerate(_bits(number)):
        row, column = divmod(at, _BITS // 2)
        line[row * _BLOCK : (row + 1) * _BLOCK, column * _BLOCK : (column + 1) * _BLOCK] = 255 * bit
    return np.concatenate([picture, line])


class StatusLine:
    """Which parts are taken: each number once, in order, beginning with `first`."""

    def __init__(self, first: int) -> None:
        self.last = max(first - 1, 0)
        """The number of the last part that was taken, by this process or one before it; 0 where none was."""

    @staticmethod
    def read(picture: RawPicture) -> tuple[RawPicture, int | None]:
        """The picture without the line, and the number, None where it cannot be read with certainty."""
        above, line = picture[:-ROWS], picture[-ROWS:]
        if picture.shape[0] <= ROWS or picture.shape[1] < NARROWEST:
            return picture, None
        blocks = line[:, :NARROWEST].reshape(2, _BLOCK, _BITS // 2, _BLOCK, -1).mean(axis=(1, 3, 4)).ravel()
        bits = (blocks > 127).astype(int).tolist()
        number = sum(bit << at for at, bit in enumerate(bits[:_NUMBER_BITS]))
        return above, number if bits == _bits(number) else None

    def is_new(self, number: int) -> bool:
        """Whether the part of this number is to be taken, once.

        Raises:
            CameraFault: where the numbers went back: parts of one number would be taken for each other.
        """
        if number == 0:
            return False
        if number < self.last:
            raise CameraFault(
                f"the status line went back from part {self.last} to {number}; start ingest anew where they count anew"
            )
        is_new = number > self.last
        self.last = number
        return is_new


def _bits(number: int) -> list[int]:
    # 0xFFFF: no number is all black, as a picture of a camera that sees nothing is.
    told = number | crc_hqx(number.to_bytes(3, "big"), 0xFFFF) << _NUMBER_BITS
    return [told >> at & 1 for at in range(_BITS)]
