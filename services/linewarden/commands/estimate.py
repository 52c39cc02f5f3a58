"""`linewarden estimate`: the defects among trusted passes of a line that runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from linewarden.commands.context import in_one_line, show
from linewarden.commands.options import Json, finite


def estimate(
    audits: Annotated[Path, typer.Option(help="at_ms, stratum, answer (OK, NG or nothing).", exists=True)],
    passes: Annotated[Path, typer.Option(help="at_ms, stratum, passes (audited ones included).", exists=True)],
    known_bads: Annotated[Path | None, typer.Option(help="at_ms, answer of seeded known-bads.", exists=True)] = None,
    window_hours: Annotated[float, typer.Option(callback=finite, help="Length of a window; fix it beforehand.")] = 24.0,
    confidence: Annotated[float, typer.Option(callback=finite, help="Of each window's upper limit.")] = 0.95,
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
            start = datetime.fromtimestamp(window.start_ms / 1000, UTC).isoformat(timespec="minutes")
            found = measure(window.strata, catches, delta=1 - confidence)
            rows.append({"start": start, **asdict(found)})
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    show([_readable(row) for row in rows], empty="no pass")
    if not catches.shown:
        typer.echo("operators not measured: without seeded known-bads the upper limit is 100 %")
    typer.echo("P(defect | trusted pass): another quantity than a qualification's bound")


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
