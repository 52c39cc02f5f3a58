"""`linewarden teach`: a bundle from a few good and bad pictures, without masks."""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from linewarden.commands.context import in_one_line, today
from linewarden.commands.options import BundleName, Json, NewBundle
from linewarden_train.progress import bars


def teach(
    good: Annotated[Path, typer.Option("--good", metavar="DIR", help="Good pictures; 20 or more.")],
    bad: Annotated[Path, typer.Option("--bad", metavar="DIR", help="Bad ones, 10 or more; folders name classes.")],
    out: NewBundle,
    name: BundleName = "",
    most: Annotated[int, typer.Option(min=64, max=1024, help="Longest side of the input; larger shrinks to it.")] = 512,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Teach from a few pictures without masks, in minutes. Every OK of such a bundle goes to a person."""
    from linewarden_train.data.checks import check_set  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_train.data.files import FileSamples  # noqa: PLC0415
    from linewarden_train.data.folders import bad_entries, good_entries  # noqa: PLC0415
    from linewarden_train.few_shot.card import FewSettings, count  # noqa: PLC0415
    from linewarden_train.few_shot.teach import teach_few  # noqa: PLC0415
    from linewarden_vision.bundle import check_place, write_bundle  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    started = time.monotonic()
    settings = FewSettings(name or out.name, today(), version("linewarden"), most=most, seed=seed)
    with in_one_line():
        check_place(out)
        with bars() as on_progress:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # no mask is asked for
                samples = FileSamples([*good_entries(good, "good/"), *bad_entries(bad, "bad/")])
            check_set(samples)
            taught = teach_few(samples, settings, on_progress)
        digest = write_bundle(out, taught.card, taught.network.state_dict(), taught.golden, taught.extra)
        Inspector.load(out, device="cpu", expected_digest=digest)
    seconds, card = time.monotonic() - started, taught.card
    counts = asdict(count(taught.held_out, card.thresholds, card.trust))
    if as_json:
        told = {"bundle": str(out), "digest": digest, "stage": card.stage, **counts}
        typer.echo(json.dumps({**told, "seconds": round(seconds, 1), "notes": card.notes}))
    else:
        typer.echo("\n".join([*card.notes, f"bundle {digest} in {out}, stage taught, after {seconds:.0f} s"]))
