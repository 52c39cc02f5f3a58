"""Figures of appraisers, each computed by hand."""

from __future__ import annotations

import pytest

from linewarden_history.msa.models import ReferenceValue
from linewarden_history.msa.statistics import appraise, between, cohen, fleiss, pair
from linewarden_schemas.vocabulary import Judgement as Answer

OK, NG, UNSURE = Answer.OK, Answer.NG, Answer.UNSURE
TRUTH = {"a": ReferenceValue.OK, "b": ReferenceValue.OK, "c": ReferenceValue.NG, "d": ReferenceValue.NG}
SAID = {"a": [OK, OK, OK], "b": [OK, NG, OK], "c": [NG, NG, NG], "d": [NG, OK, UNSURE]}


def test_shares_of_decisions_and_of_parts_are_counted_by_their_denominators() -> None:
    found = appraise(SAID, TRUTH, seed=1)
    counted = {one.name: (one.count, one.of) for one in (found.effectiveness, found.miss, found.false_alarm)}
    assert counted == {
        "effectiveness_of_decisions": (9, 12),
        "miss_rate_of_decisions_on_defects": (1, 6),
        "false_alarm_rate_of_decisions_on_good": (1, 6),
    }
    assert (found.unsure.count, found.unsure.of) == (1, 12)
    assert (found.alike_by_part.count, found.alike_by_part.of) == (2, 4)
    assert (found.right_by_part.count, found.right_by_part.of) == (2, 4)


def test_cohens_kappa_is_agreement_beyond_chance() -> None:
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = .7, p_e = .5 * .6 + .5 * .4 = .5, kappa = .4
    pairs = [(OK, OK)] * 20 + [(OK, NG)] * 5 + [(NG, OK)] * 10 + [(NG, NG)] * 15
    found = cohen([([one], [other]) for one, other in pairs], seed=1)
    assert found.value == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high


def test_fleiss_kappa_is_agreement_beyond_chance() -> None:
    # parts: 3+0, 2+1, 0+3, 0+3 of OK and NG: P = (1 + 1/3 + 1 + 1) / 4 = 5/6; p = (5/12, 7/12), P_e = 74/144
    answers = {"a": [OK, OK, OK], "b": [OK, OK, NG], "c": [NG, NG, NG], "d": [NG, NG, NG]}
    assert fleiss(answers, seed=1).value == pytest.approx((5 / 6 - 74 / 144) / (1 - 74 / 144))


def test_kappa_of_people_who_always_say_the_same_word_is_not_defined() -> None:
    assert fleiss({"a": [OK, OK], "b": [OK, OK]}, seed=1).value is None


def test_two_appraisers_are_compared_on_the_parts_that_both_judged() -> None:
    first, second = {"a": [OK], "b": [NG], "c": [NG]}, {"a": [OK], "b": [NG], "x": [OK]}
    assert pair(first, second, seed=1).value == pytest.approx(1.0)
    assert between([first, second], seed=1).value == pytest.approx(1.0)


def test_a_part_that_one_of_two_judged_less_often_is_left_out_of_their_kappa() -> None:
    first, second = {"a": [OK, OK], "b": [NG, NG], "c": [OK, NG]}, {"a": [OK, OK], "b": [NG, NG], "c": [NG]}
    assert pair(first, second, seed=1).value == pytest.approx(1.0)


def test_who_never_missed_gets_the_exact_limit_of_as_many_parts() -> None:
    told = {f"p{number}": [NG, NG, NG] for number in range(30)}
    miss = appraise(told, dict.fromkeys(told, ReferenceValue.NG), seed=1).miss
    assert (miss.count, miss.of, miss.parts, miss.low) == (0, 90, 30, 0.0)
    assert miss.high == pytest.approx(1 - 0.025 ** (1 / 30))  # not that of 90 decisions
