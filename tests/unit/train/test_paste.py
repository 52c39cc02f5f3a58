import numpy as np

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_train.training.paste import cut_patches, paste


class _One:
    def __init__(self, sample: Sample) -> None:
        self.labels = [sample.label]
        self._sample = sample

    def __getitem__(self, index: int) -> Sample:
        return self._sample

    def __len__(self) -> int:
        return 1


def _scratched(level: int) -> Sample:
    picture = np.full((80, 80), level, np.uint8)
    mask = np.zeros((80, 80), bool)
    picture[40:43, 20:50], mask[40:43, 20:50] = level - 30, True
    return Sample(picture, mask, Label("scratch", "a"))


def _good(level: int, side: int = 80) -> Sample:
    return Sample(np.full((side, side), level, np.uint8), np.zeros((side, side), bool), Label(GOOD, "b"))


def test_a_pasted_defect_keeps_the_new_surface_and_brings_its_contrast() -> None:
    patches = cut_patches(_One(_scratched(100)), 64)
    pasted = paste(_good(200), patches, np.random.default_rng(0))
    assert pasted.mask is not None
    assert pasted.mask.sum() == 90
    assert pasted.label == Label("scratch", "b")  # the class of the defect, the group of the part
    inside = float(pasted.picture[pasted.mask].mean())
    assert 200 - 1.2 * 30 - 1 <= inside <= 200 - 0.7 * 30 + 8
    assert abs(float(np.median(pasted.picture)) - 200) < 1


def test_nothing_is_pasted_onto_a_defect_or_where_it_does_not_fit() -> None:
    patches = cut_patches(_One(_scratched(100)), 64)
    for sample in (_scratched(90), _good(100, side=32)):
        assert paste(sample, patches, np.random.default_rng(0)) is sample


def test_what_covers_a_fifth_of_a_window_is_not_cut_out() -> None:
    sample = _scratched(100)
    assert sample.mask is not None
    sample.mask[10:70, 10:70] = True
    assert cut_patches(_One(sample), 64) == []
