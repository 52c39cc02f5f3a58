import numpy as np
import pytest

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.training.drawing import sampling_weights


def test_good_has_half_and_each_class_and_each_group_within_it_has_an_equal_share() -> None:
    labels = [
        *(Label(GOOD, f"g{index}") for index in range(8)),
        Label("crack", "a"),
        Label("crack", "a"),
        Label("crack", "b"),
        Label("pore", "c"),
    ]
    weights = sampling_weights(labels)
    assert weights.sum() == pytest.approx(1)
    assert weights[:8].sum() == pytest.approx(0.5)
    np.testing.assert_allclose(weights[8:], [0.0625, 0.0625, 0.125, 0.25])


@pytest.mark.parametrize("labels", [[Label(GOOD, "a")], [Label("crack", "a")], []])
def test_one_side_alone_cannot_be_balanced(labels: list[Label]) -> None:
    with pytest.raises(ValueError, match="good and defective"):
        sampling_weights(labels)
