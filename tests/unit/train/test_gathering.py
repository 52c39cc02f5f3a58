"""Tiles of one shape from all over a set, each once, few of them waiting."""

from collections import Counter

import numpy as np

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_train.rivals.interface import gathered
from tests.unit.vision.helpers import small_card

_SPEC = small_card().picture.model_copy(update={"pad": "multiple"})


class _Sizes:
    """Noise of the sizes given."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        self._sizes = sizes
        self.labels = [Label(GOOD, str(index)) for index in range(len(sizes))]
        self.read: list[int] = []

    def __getitem__(self, index: int) -> Sample:
        self.read.append(index)
        noise = np.random.default_rng(index).integers(60, 180, self._sizes[index], np.uint8)
        return Sample(noise, None, self.labels[index])

    def __len__(self) -> int:
        return len(self._sizes)


def test_pictures_of_one_shape_share_a_pass_wherever_they_stand_and_each_tile_comes_once() -> None:
    samples = _Sizes([(32, 32), (64, 32), (150, 64), (32, 32), (64, 32), (32, 32)])
    found = [[tile.owner for tile in tiles] for tiles in gathered(samples, _SPEC, 2)]
    assert [0, 3] in found
    assert [1, 4] in found
    assert Counter(owner for tiles in found for owner in tiles) == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1, 5: 1}
    assert samples.read == list(range(6))


def test_a_large_set_of_many_shapes_does_not_wait_for_its_end() -> None:
    samples = _Sizes([(32, 32 * (1 + index % 2)) for index in range(140)])
    first = next(gathered(samples, _SPEC, 100))
    assert len(samples.read) == 129
    assert [tile.owner for tile in first] == list(range(0, 129, 2))
