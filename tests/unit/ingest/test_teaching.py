"""Limits that are learned keep good pictures in and let bad ones out."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from linewarden_ingest.cameras.conditions import CameraLimits, PictureFigures, measure
from linewarden_ingest.cameras.teaching import LEAST_PICTURES, as_toml, learned
from linewarden_schemas.vocabulary import CameraCondition
from tests.unit.ingest.test_conditions import drawn

GOOD = [PictureFigures(100 + one % 5, 400 + 10 * (one % 7)) for one in range(60)]


def test_limits_that_are_learned_keep_every_good_picture_and_none_that_is_dark_bright_or_blurred() -> None:
    chance = np.random.default_rng(7)
    limits = learned(measure(drawn(seed, light=chance.uniform(0.98, 1.02))) for seed in range(100, 160))
    kept = [tuple(measure(drawn(seed)).against(limits)) for seed in range(200, 230)]
    assert kept == [()] * 30
    assert CameraCondition.DARK in tuple(measure(drawn(1, light=0.3)).against(limits))
    assert CameraCondition.BRIGHT in tuple(measure(drawn(1, light=1.9)).against(limits))
    assert CameraCondition.BLURRED in tuple(measure(drawn(1, blur=4.0)).against(limits))


def test_a_few_bad_pictures_among_the_good_ones_do_not_become_good_by_that() -> None:
    bad = PictureFigures(2, 0.1)
    limits = learned([*GOOD[:-6], *[bad] * 6])
    assert tuple(bad.against(limits)) == (CameraCondition.DARK, CameraCondition.BLURRED)
    assert [tuple(one.against(limits)) for one in GOOD] == [()] * len(GOOD)


def test_the_margins_are_as_stated() -> None:
    same = learned([PictureFigures(100, 400)] * 50)
    assert same == CameraLimits(dark=90.0, bright=110.0, focus=280.0)
    spread = learned([PictureFigures(100 + 10 * (-1) ** one, 400) for one in range(50)])
    assert spread.bright == pytest.approx(100 + 6 * 1.4826 * 10, abs=0.1)


def test_a_limit_that_no_picture_could_pass_is_left_out() -> None:
    wild = learned([PictureFigures(20 if one % 2 else 235, 0.1 if one % 2 else 900) for one in range(50)])
    assert (wild.dark, wild.bright, wild.focus) == (None, None, None)


def test_too_few_pictures_are_refused_with_how_many_are_needed() -> None:
    with pytest.raises(ValueError, match=f"3 pictures; limits are learned from {LEAST_PICTURES}"):
        learned(GOOD[:3])


def test_the_line_for_the_settings_is_read_back_as_the_same_limits() -> None:
    limits = CameraLimits(frozen=False, dark=10.5, focus=3.25, gap_s=1.5)
    assert CameraLimits.model_validate(tomllib.loads(as_toml(limits))["limits"]) == limits
