"""Raw scores of a picture in tiles: what one tile cannot tell, no other tile hides."""

import numpy as np
import pytest
from numpy.typing import NDArray

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_train.training import scoring
from linewarden_train.training.calibration import TrustRecipe, fit_trust
from linewarden_train.training.scoring import INGREDIENTS, RawScores, score_samples
from linewarden_vision.card import CalibrationProvenance
from tests.support.distributions import InstallScores
from tests.unit.vision.helpers import small_card, small_network

_SPEC = small_card().picture.model_copy(update={"pad": "multiple"})


class _InTiles:
    """One picture that takes two tiles."""

    labels = (Label(GOOD, "part"),)

    def __getitem__(self, index: int) -> Sample:
        noise = np.random.default_rng(index).integers(60, 180, (150, 64), np.uint8)
        return Sample(noise, None, self.labels[index])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("tile", [0, 1])
def test_what_is_not_a_number_in_one_tile_is_none_of_the_picture(monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    one_pass = scoring._pass
    rows: list[int] = []

    def with_a_gap(*given: object) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        values, logits = one_pass(*given)  # type: ignore[arg-type]
        rows.append(len(values))
        values[tile, 0] = np.nan
        return values, logits

    monkeypatch.setattr(scoring, "_pass", with_a_gap)
    found = score_samples(small_network(), _InTiles(), _SPEC, epsilon=0.15).ingredients
    assert rows == [2]
    assert np.isnan(found[INGREDIENTS[0]]).all()
    assert np.isfinite(found["margin"]).all()


def test_a_score_of_another_distribution_is_scored_besides_and_fitted(install: InstallScores) -> None:
    source = """
from linewarden_vision.trust.scores import TrustScore
SPREAD = TrustScore("spread", {"en": "it spread"}, lambda output, maps: (maps.defect > 0).float().mean((1, 2)))
"""
    install("plate-scores", source, {"spread": "SPREAD"})
    found = score_samples(small_network(), _InTiles(), _SPEC, epsilon=0.15, also=["spread", "margin"]).ingredients
    assert list(found) == [*INGREDIENTS, "spread"]
    assert 0 <= found["spread"][0] <= 1
    spread = np.random.default_rng(0).uniform(0, 1, 80)
    labels = [Label("crack" if part % 4 == 0 else GOOD, f"p{part}") for part in range(80)]
    ones = np.ones(80)
    source_of = CalibrationProvenance(set_digest="0" * 64, set_name="t", n=1, curve_point="none", date="2026-01-01")
    card = fit_trust(RawScores({"spread": spread}, ones, ones, labels), TrustRecipe.of(["spread"]), source_of)
    assert [part.name for part in card.ingredients] == ["spread"]
