"""`linewarden teach`: a bundle from a few good and bad pictures, without masks."""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden_runtime.files import writable_folder

if TYPE_CHECKING:
    from linewarden_train.data.files import FileSamples
    from linewarden_train.few_shot.teach import TaughtFew


def teach(
    good: Annotated[Path, typer.Option("--good", metavar="DIR", help="Good pictures; 20 or more.")],
    bad: Annotated[Path, typer.Option("--bad", metavar="DIR", help="Bad ones, 10 or more; folders name classes.")],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="BUNDLE", help="Folder of the bundle; made if absent.", callback=writable_folder),
    ],
    name: Annotated[str, typer.Option(help="Name of the bundle; that of its folder by default.")] = "",
    most: Annotated[int, typer.Option(min=64, max=1024, help="Longest side of the input; larger shrinks to it.")] = 512,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document for programs.")] = False,
) -> None:
    """Teach from a few pictures without masks, in minutes. Every OK of such a bundle goes to a person."""
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_train.few_shot.card import FewSettings  # noqa: PLC0415
    from linewarden_train.few_shot.teach import teach_few  # noqa: PLC0415
    from linewarden_train.progress import bars  # noqa: PLC0415
    from linewarden_vision.bundle import check_place, write_bundle  # noqa: PLC0415
    from linewarden_vision.errors import VisionError  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    started = time.monotonic()
    today = datetime.now(UTC).date().isoformat()
    settings = FewSettings(name or out.name, today, version("linewarden"), most=most, seed=seed)
    try:
        check_place(out)
        with bars() as on_progress:
            taught = teach_few(_read(good, bad), settings, on_progress)
        digest = write_bundle(out, taught.card, taught.network.state_dict(), taught.golden, taught.extra)
        Inspector.load(out, device="cpu", expected_digest=digest)
    except (ValueError, VisionError) as error:
        raise ConfigurationError(str(error)) from error
    _tell(taught, out, digest, time.monotonic() - started, as_json=as_json)


def _read(good: Path, bad: Path) -> FileSamples:
    """Read both folders and look at every picture; raises ValueError with everything that is wrong."""
    from linewarden_train.data.checks import check_set  # noqa: PLC0415
    from linewarden_train.data.files import FileSamples  # noqa: PLC0415
    from linewarden_train.data.folders import bad_entries, good_entries  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no mask is asked for
        samples = FileSamples([*good_entries(good, "good/"), *bad_entries(bad, "bad/")])
    check_set(samples)
    return samples


def _tell(taught: TaughtFew, out: Path, digest: str, seconds: float, *, as_json: bool) -> None:
    from linewarden_train.few_shot.card import count  # noqa: PLC0415

    counts = asdict(count(taught.held_out, taught.card.thresholds, taught.card.trust))
    if as_json:
        told: dict[str, Any] = {"bundle": str(out), "digest": digest, "stage": taught.card.stage, **counts}
        typer.echo(json.dumps({**told, "seconds": round(seconds, 1), "notes": taught.card.notes}))
        return
    typer.echo("\n".join([*taught.card.notes, f"bundle {digest} in {out}, stage taught, after {seconds:.0f} s"]))
