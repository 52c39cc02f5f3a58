"""Zones and criteria: drawn defects of known size, a few worked out by hand, and the magnetic tiles under a criterion.

    python -m benchmarks.criteria --out docs/results/criteria.md --tiles DIR --work WORK

`--work` keeps the network of each of three folds, which is trained once (15 minutes of a core with 1,500 steps);
without `--tiles` only what is drawn is measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.criteria_drawn import SCALE_ERROR, DrawnRow, drawn_rows, hand_checked
from benchmarks.criteria_tiles import ACCEPTED, MM, RULE_HEADERS, judge_tiles, rule_rows
from benchmarks.machine import machine
from linewarden_train.data.reading_sets import read_set
from linewarden_train.evaluation.words import confusion_headers, confusion_rows
from linewarden_train.progress import bars
from linewarden_train.study.arms import StudyPlan
from linewarden_train.training.folder import TrainOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the page, Markdown")
    parser.add_argument("--count", type=int, default=200, help="drawn defects of each kind at each scale")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tiles", type=Path, help="folder of the magnetic tiles")
    parser.add_argument("--work", type=Path, help="folder that keeps the networks")
    parser.add_argument("--steps", type=int, default=1500, help="of each network")
    parser.add_argument("--folds", type=int, default=3, choices=(1, 2, 3), help="of three, whose third is judged")
    options = parser.parse_args(argv)
    if (options.tiles is None) != (options.work is None):
        parser.error("--tiles and --work belong together")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    command = f"python -m benchmarks.criteria --out {options.out} --count {options.count} --seed {options.seed}"
    if options.tiles is not None:
        command += f" --tiles .../{options.tiles.name} --work WORK --steps {options.steps} --folds {options.folds}"
    lines = [_HEAD.format(command=command, machine=machine()), *_drawn(options.count, options.seed), *_by_hand()]
    if options.tiles is not None:
        plan = StudyPlan(
            TrainOptions(
                name="study",
                date="",
                code_version="",
                steps=options.steps,
                folds=0,
                seed=options.seed,
                device="cpu",
                threads=1,
            )
        )
        lines += _tiles(options.tiles, options.work, plan, options.folds)
    options.out.write_text("\n".join(lines) + "\n")
    print(options.out)
    return 0


_HEAD = """# Zones and criteria, measured

Made by `{command}`. {machine}.
"""


def _drawn(count: int, seed: int) -> Iterator[str]:
    yield f"""## Drawn defects of known size

{count} of each kind at each scale, with any turn and anywhere between the pixels. Scratches are 10 to 200 pixels long
and 1.5 to 6 wide, arcs are bent around 0.8 to 1.5 half turns with a radius of 20 to 80 pixels, spots are ellipses of 4
to 80 pixels. A pixel is marked where its middle lies inside. The recipe states a scale with an uncertainty of
{SCALE_ERROR:.1%}, and each picture's true scale is wrong by up to that. "Within" is the share whose error is no larger
than the uncertainty that was stated with it, which is a bound: half a pixel all around for areas, one pixel for
lengths and, of what is bent, one more for each branch and 2 %.
"""
    headers = ("kind", "mm/pixel", "length: mean error", "largest", "stated, mean", "within")
    yield from _table(
        (*headers, "area: mean error", "largest", "stated, mean", "within"), map(_row, drawn_rows(count, seed))
    )


def _row(row: DrawnRow) -> list[str]:
    figures = [
        *_errors(row.length_errors, row.length_stated, "mm"),
        *_errors(row.area_errors, row.area_stated, "mm²"),
    ]
    return [row.kind, f"{row.mm:g}", *figures]


def _errors(errors: NDArray[np.float64], stated: NDArray[np.float64], unit: str) -> list[str]:
    within = float((np.abs(errors) <= stated).mean())
    largest = float(np.abs(errors).max())
    return [f"{errors.mean():+.3f} {unit}", f"{largest:.3f}", f"{stated.mean():.3f}", f"{within:.1%}"]


def _by_hand() -> Iterator[str]:
    yield "\n## Checked by hand, at 0.1 mm/pixel\n"
    rows = [
        [
            what,
            length,
            f"{one.length_mm:.2f} ± {one.length_error_mm:.2f} mm",
            area,
            f"{one.area_mm2:.2f} ± {one.area_error_mm2:.2f} mm²",
        ]
        for what, length, area, one in hand_checked()
    ]
    yield from _table(("drawn", "length on paper", "measured", "area on paper", "measured"), rows)


def _tiles(folder: Path, work: Path, plan: StudyPlan, folds: int) -> Iterator[str]:
    samples = read_set(folder)
    with bars() as show:
        found = judge_tiles(samples, plan, folds, work, show)
    groups = len({label.group for label in found.labels})
    yield f"""
## The magnetic tiles, judged by a criterion

{len(found.labels)} of {len(samples)} pictures, in {groups} groups: those that {folds} of three folds hold out. Each is
judged by a network of {plan.options.steps} steps and by class weights that never saw its group; mask thresholds, the
classifier's threshold (1 % overkill) and the temperature of the classes come from the other half of the held-out
groups. The set tells no sizes: {MM:g} mm/pixel is
nominal. The criterion was fixed before any tile was judged: a {ACCEPTED.defect_class} of at most
{ACCEPTED.max_length_mm:g} mm and {ACCEPTED.max_area_mm2:g} mm², at most {ACCEPTED.max_count} of them. What may stay is
judged by the true mask and class with the same rule; trust is left out, and would divert some of what passes.

### Classes, by group

What a region was told to be, where it touches the true defect; `unknown` below a probability of 0.8; `good` are marks
on good tiles. Shares over groups; {found.classes.how}.
"""
    yield from _table(confusion_headers(found.classes), confusion_rows(found.classes))
    for name, pictures in found.judged.items():
        yield f"\n### {name[0].upper()}{name[1:]}\n"
        yield from _table(RULE_HEADERS, rule_rows(pictures))


def _table(headers: Sequence[str], rows: Iterator[list[str]] | Sequence[list[str]] | map[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{' --- |' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    raise SystemExit(main())
