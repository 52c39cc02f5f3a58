import torch

from linewarden_train.training.losses import soft_cldice, soft_skeleton


def _bar(width: int) -> torch.Tensor:
    mask = torch.zeros(1, 32, 40)
    mask[0, 16 - width // 2 : 16 - width // 2 + width, 4:36] = 1
    return mask


def test_a_bar_shrinks_to_its_middle_row() -> None:
    line = soft_skeleton(_bar(5))[0]
    rows = line.sum(1)
    assert int(rows.argmax()) == 16
    assert float(rows[16]) >= 26
    assert float(line.sum()) < 0.35 * float(_bar(5).sum())


def test_equal_masks_agree_and_a_broken_crack_costs_its_gap() -> None:
    whole, broken = _bar(3), _bar(3)
    broken[0, :, 18:22] = 0
    assert float(soft_cldice(whole, whole)) < 0.01
    gap = float(soft_cldice(broken, whole))
    assert 0.03 < gap < 0.2
    assert float(soft_cldice(torch.zeros_like(whole), whole)) > gap
