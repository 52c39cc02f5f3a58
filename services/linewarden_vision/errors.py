"""What can go wrong, and what to do with it.

VisionError
├── BundleError          the folder is damaged, incomplete or of another version: do not start
│   └── TrustScoreError  a trust score that is named is not installed, or its distribution is broken: the same
├── GateError            this device or precision changes a golden verdict: do not start
├── UnusablePicture      this one picture cannot be judged: answer NOT_DECIDABLE, go on
└── ScoresNotFinite      the device returned no numbers: answer NOT_DECIDABLE for the batch
"""

from linewarden_domain.words import Said


class VisionError(Exception):
    """Base of this package's errors."""


class BundleError(VisionError):
    """The bundle cannot be loaded as it is."""


class TrustScoreError(BundleError, ValueError):
    """No usable trust score has that name; a ValueError, so that a card that names it does not parse."""


class GateError(VisionError):
    """The activation gate found a verdict that differs from the golden one."""


class UnusablePicture(VisionError):  # a statement about the picture, not a fault of the program
    """The picture cannot be judged; ``reason`` is a short code for counting, ``detail`` for people."""

    def __init__(self, reason: str, detail: Said | str) -> None:
        super().__init__(str(detail))
        self.reason = reason
        self.detail = detail


class ScoresNotFinite(VisionError):  # the same
    """The network returned values that are not finite; nothing about the batch is known."""
