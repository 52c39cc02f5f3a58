"""The enhancement's named variants on held-out pictures: what the agreement says after each kind of step."""

from collections.abc import Sequence

import numpy as np

from linewarden_train.rivals.interface import looks
from linewarden_train.study.arms import ArmFold
from linewarden_train.training.scoring import Values
from linewarden_vision.trust.enhancement import NAMED_ENHANCEMENTS, Response, Source
from linewarden_vision.trust.ingredients import second_ingredients

STEPS = ("stride_8", "stride_32", "pgd_3", "towards_ok", "input_1")
_AFTER = ("agreement_enhanced", "margin_enhanced")


def step_scores(fold: ArmFold, steps: Sequence[str] = STEPS) -> dict[str, Values]:
    """Return agreement and margin after each named step (N,), as ``agreement_enhanced@stride_8``.

    Of a picture in tiles, the largest over the tiles.
    """
    names = [f"{after}@{step}" for step in steps for after in _AFTER]
    table = np.full((len(fold.held_out), len(names)), -np.inf)
    for rows, look in looks(fold.network, fold.held_out, fold.spec, batch=16):
        source = Source(look.pictures, look.output.pyramid, 1 / look.std)
        before = Response.of(look.output)
        columns = [second_ingredients(fold.network, source, before, _AFTER, NAMED_ENHANCEMENTS[step]) for step in steps]
        values = np.concatenate([np.asarray(column.double().cpu().numpy(), np.float64) for column in columns], axis=1)
        np.maximum.at(table, rows, values)
    return {name: table[:, column] for column, name in enumerate(names)}
