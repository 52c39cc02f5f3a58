"""The live estimate and its parts, by hand."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.live.audits import read_catches, read_windows
from linewarden_train.live.known_bads import choose_known_bads
from linewarden_vision.watch.estimate import CatchRecord, Stratum, estimate


def test_the_rate_is_stratified_by_passes_not_by_audits() -> None:
    strata = [Stratum("a", 900, 9, 1), Stratum("b", 100, 50, 50)]
    found = estimate(strata, CatchRecord(100, 100))
    assert found.rate == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)
    assert (found.passes, found.audited, found.found_defective) == (1000, 110, 51)


def test_the_upper_limit_is_a_sum_of_clopper_pearson_limits_over_the_lower_catch_rate() -> None:
    strata = [Stratum("a", 750, 98, 1, unanswered=1), Stratum("b", 250, 50, 0)]
    found = estimate(strata, CatchRecord(shown=60, caught=57), delta=0.10, catch_share=0.4)
    each = 0.06 / 2
    limit = 0.75 * beta.ppf(1 - each, 3, 98) + 0.25 * beta.ppf(1 - each, 1, 50)
    catch = beta.ppf(0.04, 57, 4)
    assert found.upper == pytest.approx(limit / catch)
    assert found.catch_lower == pytest.approx(catch)
    assert found.confidence == pytest.approx(0.9)
    assert found.unanswered == 1


def test_an_unanswered_audit_counts_as_a_miss_in_the_limit_alone() -> None:
    catches = CatchRecord(100, 100)
    without = estimate([Stratum("a", 1000, 99, 1)], catches)
    with_it = estimate([Stratum("a", 1000, 99, 1, unanswered=1)], catches)
    assert with_it.rate == without.rate
    assert with_it.upper > without.upper


def test_without_known_bads_or_audits_nothing_is_promised() -> None:
    assert estimate([Stratum("a", 1000, 100, 0)], CatchRecord(0, 0)).upper == 1.0
    unaudited = estimate([Stratum("a", 1000, 0, 0)], CatchRecord(50, 50))
    assert unaudited.rate is None
    assert unaudited.upper == 1.0
    with pytest.raises(ValueError, match="no trusted pass"):
        estimate([Stratum("a", 0, 0, 0)], CatchRecord(1, 1))


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="11 audits of 10 passes"):
        Stratum("a", 10, 10, 1)
    with pytest.raises(ValueError, match="3 caught of 2"):
        CatchRecord(2, 3)


def test_the_limit_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    rates, sizes, drawn, catch = (0.02, 0.10), (4000, 1000), (200, 150), 0.9
    truth = (rates[0] * sizes[0] + rates[1] * sizes[1]) / sum(sizes)
    broken = 0
    for _ in range(400):
        strata = []
        for name, rate, size, count in zip("ab", rates, sizes, drawn, strict=True):
            found = int(rng.binomial(rng.binomial(count, rate), catch))
            strata.append(Stratum(name, size, count - found, found))
        broken += estimate(strata, CatchRecord(80, int(rng.binomial(80, catch))), delta=0.1).upper < truth
    assert broken <= 40


def test_windows_are_fixed_and_strata_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "passes.csv").write_text("at_ms,stratum,passes\n10,r1,100\n900,r1,50\n1000,r1,70\n1999,r2,30\n")
    (tmp_path / "audits.csv").write_text("at_ms,stratum,answer\n20,r1,OK\n30,r1,NG\n40,r1,\n50,r1,UNSURE\n1500,r2,OK\n")
    first, second = read_windows(tmp_path / "audits.csv", tmp_path / "passes.csv", 1000)
    assert first.strata == (Stratum("r1", 150, 1, 1, 2),)
    assert second.start_ms == 1000
    assert second.strata == (Stratum("r1", 70, 0, 0), Stratum("r2", 30, 1, 0))


@pytest.mark.parametrize(
    ("audits", "passes", "told"),
    [
        ("at_ms,stratum\n", "at_ms,stratum,passes\n1,r,5\n", "needs the columns"),
        ("at_ms,stratum,answer\n", "at_ms,stratum,passes\n1,r,many\n", "'many' is no whole number"),
        ("at_ms,stratum,answer\n5000,r,OK\n", "at_ms,stratum,passes\n1,r,5\n", "no passes there"),
    ],
)
def test_files_that_cannot_be_are_refused_in_words(tmp_path: Path, audits: str, passes: str, told: str) -> None:
    (tmp_path / "audits.csv").write_text(audits)
    (tmp_path / "passes.csv").write_text(passes)
    with pytest.raises(ValueError, match=told):
        read_windows(tmp_path / "audits.csv", tmp_path / "passes.csv", 1000)


def test_an_unanswered_known_bad_was_not_caught(tmp_path: Path) -> None:
    (tmp_path / "bads.csv").write_text("at_ms,answer\n1,NG\n2,OK\n3,\n4,NG\n")
    assert read_catches(tmp_path / "bads.csv") == CatchRecord(shown=4, caught=2)


def test_known_bads_come_class_by_class_and_once_a_group() -> None:
    labels = [Label("crack", f"c{number // 2}") for number in range(10)] + [Label("pore", "p0"), Label(GOOD, "g")]
    chosen = choose_known_bads(labels, 4, np.random.default_rng(0))
    groups = [labels[index].group for index in chosen]
    assert len(set(groups)) == 4
    assert "p0" in groups[:2]
    assert "g" not in groups


def test_what_was_shown_lately_is_not_shown_again() -> None:
    labels = [Label("crack", f"c{number}") for number in range(5)]
    chosen = choose_known_bads(labels, 5, np.random.default_rng(0), recent={"c0", "c1"})
    assert sorted(labels[index].group for index in chosen) == ["c2", "c3", "c4"]


def test_a_group_of_two_classes_is_shown_once() -> None:
    labels = [Label("crack", "a"), Label("pore", "a")]
    assert len(choose_known_bads(labels, 2, np.random.default_rng(0))) == 1


def test_fifty_nine_caught_known_bads_show_a_catch_rate_of_ninety_five_percent() -> None:
    assert CatchRecord(59, 59).lower(0.05) >= 0.95
    assert CatchRecord(58, 58).lower(0.05) < 0.95
