"""What to do about drift, in words."""

from linewarden_vision.watch.drift import Drift, Shift

_FIRST = "look at light, lens, focus and fixture, and inspect the master parts"


def advice(drift: Drift, qualified: bool) -> list[str]:
    """Say what to do next; nothing where nothing moved."""
    if not drift.alarms:
        watched = sorted({shift.name for shift in drift.shifts if shift.level == "watch"})
        return [f"watch {', '.join(watched)}: a small shift that is not chance"] if watched else []
    names = sorted({shift.name for shift in drift.alarms})
    lines = [f"ALARM: {', '.join(names)} no longer look like the good parts that the bundle was set on: {_FIRST}"]
    lines.append("until it is explained, divert more: raise the audit share or lower the recipe's suspicion threshold")
    lines.append("if the product or its surface changed for good: collect new good parts, train or calibrate again")
    if qualified:
        lines.append("the qualification speaks of parts like those of its calibration: qualify again on new ones")
    return lines


def row_of(shift: Shift) -> dict[str, str]:
    """Return one row of the table."""
    return {
        "window": str(shift.window + 1),
        "ingredient": shift.name,
        "parts": str(shift.count),
        "PSI": f"{shift.psi:.3f}",
        "p (corrected)": f"{shift.p_value:.2g}",
        "": shift.level,
    }
