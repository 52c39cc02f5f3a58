"""What the demo's line looks like; the demo's bundle is taught and calibrated on exactly this."""

from linewarden_vision.synthetic.part import SyntheticPart, make_part

DEMO_VIEWS = 3
DEMO_SIZE = 160
DEMO_DIFFICULTY = 0.2
FIRST_DEMO_SEED = 500_000_000
"""Seeds from here on never occur in teaching, calibration, thresholds or the report."""


def demo_part(number: int, *, defect_rate: float = 0.1) -> SyntheticPart:
    """Make the ``number``-th part of the demo's line, one the bundle has never seen."""
    return make_part(
        FIRST_DEMO_SEED + number,
        views=DEMO_VIEWS,
        size=DEMO_SIZE,
        defect_rate=defect_rate,
        difficulty=DEMO_DIFFICULTY,
    )
