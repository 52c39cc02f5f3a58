"""The verdict follows the rule, and a missing number is never an OK."""

from __future__ import annotations

import math

import numpy as np
import pytest

from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Verdict, VerdictRule
from linewarden_vision.inspecting.judging import verdict_of
from linewarden_vision.inspector import ViewScore

LIMITS = Thresholds(defect=0.5, suspicion=0.6)


def score(p_defect: float, *, mask: bool = False) -> ViewScore:
    small = np.zeros((2, 2), np.uint8)
    return ViewScore(p_defect, 0.0, 0.1, {}, np.full((2, 2), mask), small, small)


@pytest.mark.parametrize(
    ("p_defect", "mask", "rule", "expected"),
    [
        (0.5, False, VerdictRule.CLASSIFIER, Verdict.OK),
        (0.51, False, VerdictRule.CLASSIFIER, Verdict.NG),
        (0.1, True, VerdictRule.CLASSIFIER, Verdict.OK),
        (0.1, True, VerdictRule.EITHER, Verdict.NG),
        (0.1, False, VerdictRule.EITHER, Verdict.OK),
        (math.nan, False, VerdictRule.CLASSIFIER, Verdict.NG),
    ],
)
def test_the_rule_says_what_makes_a_frame_ng(p_defect: float, mask: bool, rule: VerdictRule, expected: Verdict) -> None:
    assert verdict_of(rule, score(p_defect, mask=mask), LIMITS) is expected
