import numpy as np
import pytest

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.training.calibration import TrustRecipe
from linewarden_train.training.choosing import choose
from linewarden_train.training.scoring import RawScores

NAMES = ("agreement", "mask_evidence", "margin", "agreement_enhanced", "margin_turned")


_TURNED = "lowering the threshold with a turned second look"


def fold(seed: int, telling: str | None, bad: int = 30) -> RawScores:
    """200 good parts and some bad ones, half of which the margin misses; ``telling`` sets the misses apart."""
    rng = np.random.default_rng(seed)
    defective = np.arange(200 + bad) >= 200
    columns = {name: rng.standard_normal(defective.size) for name in NAMES}
    columns["margin"][defective] += np.where(np.arange(bad) % 2, 8.0, 0.0)
    if telling is not None:
        columns[telling][defective] += 6.0 * (telling != "margin") + 1.5 * (telling == "margin")
    labels = [Label("bad" if is_bad else GOOD, f"{seed}-{row}") for row, is_bad in enumerate(defective)]
    return RawScores(columns, np.ones(defective.size), np.ones(defective.size), labels)


@pytest.mark.parametrize(
    ("telling", "named"),
    [
        ("agreement", {"trust"}),
        ("mask_evidence", {"trust", "mask evidence"}),
        ("margin", {"lowering the threshold", _TURNED}),
        ("margin_turned", {"trust with a turned second look", _TURNED}),
    ],
)
def test_the_score_that_tells_misses_apart_is_chosen(telling: str, named: set[str]) -> None:
    choice = choose([fold(1, telling), fold(2, telling)], TrustRecipe(), overkill=0.01, diverted=0.05)
    assert choice.name in named
    assert choice.recall[choice.name] == max(choice.recall.values())
    assert f"{choice.missed_groups} groups" in str(choice)


def test_a_tie_keeps_trust() -> None:
    only = TrustRecipe(cheap=("margin",), second=("margin_turned",))
    choice = choose([fold(1, "margin_turned"), fold(2, "margin_turned")], only, overkill=0.01, diverted=0.05)
    assert choice.recall["trust"] == choice.recall[_TURNED] == max(choice.recall.values())
    assert (choice.name, choice.recipe) == ("trust", only)


@pytest.mark.parametrize("folds", [[], [fold(1, "margin")], [fold(1, "margin", bad=4), fold(2, "margin", bad=4)]])
def test_too_little_to_choose_from_keeps_trust_and_says_so(folds: list[RawScores]) -> None:
    choice = choose(folds, TrustRecipe(), overkill=0.01, diverted=0.05)
    assert choice.name == "trust"
    assert choice.recipe == TrustRecipe()
    assert "give no choice" in str(choice)
