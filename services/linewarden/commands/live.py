"""`linewarden drift` and `linewarden estimate`: a line that runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from .context import show
from .evaluate import BundleFolder, Json, in_one_line


def drift(
    results: Annotated[Path, typer.Option(help="JSON lines of inspections, in order of time.", exists=True)],
    bundle: BundleFolder,
    window: Annotated[int, typer.Option(min=1, help="Passed pictures in a window.")] = 500,
    delta: Annotated[float, typer.Option(help="Chance of any false alarm in the whole file.")] = 0.01,
    as_json: Json = False,
) -> None:
    """Compare ingredients of passed parts with the bundle's good parts, window by window. Exits 1 on an alarm."""
    from linewarden_train.live.drift import advice, good_values, read_results, row_of  # noqa: PLC0415 - nothing heavy before it is needed  # noqa: PLC0415
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415
    from linewarden_vision.watch.drift import find_drift  # noqa: PLC0415

    with in_one_line():
        held, seen = read_bundle(bundle), read_results(results)
        found = find_drift(good_values(held.card), seen.ingredients, window=window, delta=delta)
    told = advice(found, held.qualification is not None)
    if as_json:
        shifts = [asdict(shift) for shift in found.shifts]
        typer.echo(json.dumps({"shifts": shifts, "left_over": found.left_over, "advice": told}, indent=1))
    else:
        show([row_of(shift) for shift in found.shifts], as_json=False, empty="not one window is full yet")
        typer.echo(f"{seen.count} passed pictures, {found.left_over} of them in a window that is not full")
        typer.echo("\n".join(told or ["steady"]))
    raise typer.Exit(1 if found.alarms else 0)


def estimate(
    audits: Annotated[Path, typer.Option(help="at_ms, stratum, answer (OK, NG or nothing).", exists=True)],
    passes: Annotated[Path, typer.Option(help="at_ms, stratum, passes (audited ones included).", exists=True)],
    known_bads: Annotated[Path | None, typer.Option(help="at_ms, answer of seeded known-bads.", exists=True)] = None,
    window_hours: Annotated[float, typer.Option(help="Length of a window; fix it beforehand.")] = 24.0,
    confidence: Annotated[float, typer.Option(help="Of each window's upper limit.")] = 0.95,
    as_json: Json = False,
) -> None:
    """Estimate the defects among trusted passes from audits, in fixed windows."""
    from linewarden_train.live.audits import read_catches, read_windows  # noqa: PLC0415
    from linewarden_vision.watch.estimate import CatchRecord  # noqa: PLC0415
    from linewarden_vision.watch.estimate import estimate as measure  # noqa: PLC0415

    with in_one_line():
        catches = CatchRecord(0, 0) if known_bads is None else read_catches(known_bads)
        rows: list[dict[str, Any]] = []
        for window in read_windows(audits, passes, round(window_hours * 3_600_000)):
            found = measure(window.strata, catches, delta=1 - confidence)
            rows.append({"start": _moment(window.start_ms), **asdict(found)})
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    show([_readable(row) for row in rows], as_json=False, empty="no pass")
    if not catches.shown:
        typer.echo("operators not measured: without seeded known-bads the upper limit is 100 %")
    typer.echo("P(defect | trusted pass): another quantity than a qualification's bound")


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="minutes")


def _readable(row: dict[str, Any]) -> dict[str, str]:
    rate, catch = row["rate"], row["catch_rate"]
    return {
        "window from": row["start"],
        "rate": "no evidence" if rate is None else f"{rate:.3%}",
        f"upper limit at {row['confidence']:.0%}": f"{row['upper']:.3%}",
        "passes": str(row["passes"]),
        "audits answered": str(row["audited"]),
        "unanswered": str(row["unanswered"]),
        "defective": str(row["found_defective"]),
        "catch rate": "not measured" if catch is None else f"{catch:.1%} (at least {row['catch_lower']:.1%})",
    }
