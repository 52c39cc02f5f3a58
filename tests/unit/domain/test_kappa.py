"""Agreement beyond chance, held against figures worked out by hand."""

from __future__ import annotations

import pytest

from linewarden_domain.kappa import cohen


def test_kappa_of_a_table_worked_out_by_hand() -> None:
    found = cohen({("NG", "NG"): 20, ("NG", "OK"): 5, ("OK", "NG"): 10, ("OK", "OK"): 15})
    assert (found.n, found.alike) == (50, 35)
    # observed 0.7; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5
    assert found.value == pytest.approx(0.4)
    # same: 0.4 * (1 - 1.1 * 0.6)^2 + 0.3 * (1 - 0.9 * 0.6)^2 = 0.04624 + 0.06348; other: 0.36 * (0.1 * (0.6 + 0.5)^2
    # + 0.2 * (0.4 + 0.5)^2) = 0.10188; left: (0.4 - 0.5 * 0.6)^2 = 0.01; root of 0.2016 / 50 over 0.5
    error = (0.2016 / 50) ** 0.5 / 0.5
    assert found.low == pytest.approx(0.4 - 1.959964 * error, abs=1e-6)
    assert found.high == pytest.approx(0.4 + 1.959964 * error, abs=1e-6)


def test_perfect_agreement_is_one_and_as_much_as_chance_is_nothing() -> None:
    assert cohen({("NG", "NG"): 3, ("OK", "OK"): 4}).value == pytest.approx(1.0)
    assert cohen({("NG", "NG"): 1, ("NG", "OK"): 1, ("OK", "NG"): 1, ("OK", "OK"): 1}).value == pytest.approx(0.0)


def test_where_all_are_alike_by_chance_or_nothing_was_judged_there_is_no_kappa() -> None:
    assert cohen({("OK", "OK"): 9}).value is None
    assert cohen({}).n == 0
