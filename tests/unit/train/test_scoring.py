"""Raw scores of a picture in tiles: what one tile cannot tell, no other tile hides."""

import numpy as np
import pytest
from numpy.typing import NDArray

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_train.training import scoring
from linewarden_train.training.scoring import INGREDIENTS, score_samples
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
