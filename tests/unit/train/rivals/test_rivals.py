"""Each rival against a case worked out by hand or a property that its source states."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_train.rivals import plain
from linewarden_train.rivals.fitted import Mahalanobis, Nearest
from linewarden_train.rivals.interface import Look
from linewarden_train.rivals.plain import Odin, gradient_norm
from linewarden_train.rivals.repeated import Ensemble, McDropout, flips_and_lights
from linewarden_train.rivals.scoring import score_rivals
from linewarden_vision.network.interface import DefectNetwork, NetworkOutput
from tests.unit.vision.helpers import pictures, small_card, small_network


def _look_at(margin: Tensor, tap: Tensor | None = None) -> Look:
    count = len(margin)
    tap = torch.ones(count, 2, 2, 2) if tap is None else tap
    cells = torch.arange(4.0 * count).reshape(count, 2, 2)
    output = NetworkOutput(margin, cells, tap, torch.arange(200.0 * count).reshape(count, 10, 20), {})
    return Look(small_network(), torch.zeros(count, 1, 32, 32), output, 110.0, 55.0)


@pytest.fixture(scope="module")
def network() -> DefectNetwork:
    return small_network()


@pytest.fixture
def look(network: DefectNetwork) -> Look:
    shown = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        return Look(network, shown, network(shown), 110.0, 55.0)


class _Samples:
    def __init__(self, count: int, defective: int) -> None:
        self._pictures = pictures(count)
        self.labels = [Label("crack" if index < defective else GOOD, f"g{index}") for index in range(count)]

    def __getitem__(self, index: int) -> Sample:
        return Sample(self._pictures[index], None, self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


def test_peak_and_mask_evidence_are_the_largest_cell_and_the_strongest_logits() -> None:
    look = _look_at(torch.zeros(2))
    assert plain.readings(look)["cell_peak"].tolist() == [3, 7]
    assert plain.readings(look)["mask_evidence"].tolist() == [198.5, 398.5]  # ceil(.0073 * 200) = 2


def test_confidence_entropy_and_temperature_all_rank_ok_parts_as_the_margin_does() -> None:
    margin = torch.linspace(-9, 0, 40, dtype=torch.float64)
    score = plain.readings(_look_at(margin))["softmax"]
    confidence = torch.maximum(score, 1 - score)
    entropy = -(score * score.log() + (1 - score) * (1 - score).log())
    cooled = torch.sigmoid(margin / 3.7)
    energy = plain.readings(_look_at(margin))["energy"]
    for suspicious in (score, -confidence, entropy, cooled, energy):
        assert bool((suspicious.diff() > 0).all())


def test_energy_is_that_of_two_logits_half_a_margin_either_way() -> None:
    margin = torch.tensor([-2.0, 0.0, 3.0])
    logits = torch.stack([margin / 2, -margin / 2], dim=1).double()
    torch.testing.assert_close(plain.readings(_look_at(margin))["energy"], -logits.logsumexp(1))


def test_the_feature_norm_is_that_of_the_cells_mean() -> None:
    tap = torch.zeros(1, 2, 2, 2)
    tap[0, 0], tap[0, 1] = 3.0, torch.tensor([[8.0, 0.0], [4.0, 4.0]])
    assert plain.readings(_look_at(torch.zeros(1), tap))["feature_norm"].tolist() == [5.0]


def test_mahalanobis_is_the_distance_in_deviations_of_the_shared_covariance() -> None:
    spread = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    features = torch.cat([spread, spread + torch.tensor([20.0, 0.0])])
    defective = torch.tensor([False] * 4 + [True] * 4)
    fitted = Mahalanobis.fit(features, defective)
    centres = torch.tensor([[0.0, 0.0], [20.0, 0.0], [18.0, 0.0], [0.0, 6.0]])
    found = fitted(_look_at(torch.zeros(4), centres[:, :, None, None].expand(4, 2, 2, 2)))
    # covariance diag(.5, 4.5), shrunk by 5 % towards 2.5: diag(.6, 4.4)
    torch.testing.assert_close(found["mahalanobis"], torch.tensor([0.0, 0.0, 4 / 0.6, 36 / 4.4], dtype=torch.float64))
    torch.testing.assert_close(
        found["mahalanobis_good"], torch.tensor([0.0, 400 / 0.6, 324 / 0.6, 36 / 4.4], dtype=torch.float64)
    )


def test_mahalanobis_of_good_pictures_alone_has_one_class() -> None:
    features = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    found = Mahalanobis.fit(features, torch.zeros(30, dtype=torch.bool))(_look_at(torch.zeros(2)))
    torch.testing.assert_close(found["mahalanobis"], found["mahalanobis_good"])


def test_the_kth_neighbour_is_found_among_directions_of_good_pictures() -> None:
    good = torch.tensor([[5.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    tap = torch.tensor([10.0, 0.0])[None, :, None, None].expand(1, 2, 2, 2)
    for k, distance in ((1, 0.0), (2, 2**0.5), (3, 2.0), (9, 2.0)):
        assert float(Nearest.fit(good, k)(_look_at(torch.zeros(1), tap))["knn"]) == pytest.approx(distance)


def test_the_gradient_norm_is_that_of_one_backward_pass_a_picture(look: Look) -> None:
    head = deepcopy(look.network.head)
    expected = []
    for tap in look.output.tap.clone():
        loss = torch.nn.functional.softplus(head(tap[None]).margin).sum()
        slopes = torch.autograd.grad(loss, list(head.parameters()))
        expected.append(torch.cat([slope.flatten() for slope in slopes]).norm())
    with torch.inference_mode():
        torch.testing.assert_close(gradient_norm(look)["gradient_norm"], torch.stack(expected), rtol=1e-4, atol=1e-6)


def test_odin_lowers_every_score_and_keeps_apart_what_a_large_temperature_flattens(look: Look) -> None:
    with torch.inference_mode():
        stepped = Odin(epsilon=0.05)(look)["odin"]
    plain_scores = torch.sigmoid(look.output.margin.double() / 1000)
    assert bool((stepped < plain_scores).all())
    assert len(set(stepped.tolist())) == 3


def test_augmentation_averages_flips_and_lights(look: Look) -> None:
    with torch.inference_mode():
        found = flips_and_lights(look)
        grey = look.pictures * 55 + 110
        views = [grey, grey.flip(2), grey.flip(3), grey.flip(2).flip(3), grey * 0.9, grey * 1.1]
        margins = torch.stack([look.network((view - 110) / 55).margin for view in views]).double()
    torch.testing.assert_close(found["tta"], margins.sigmoid().mean(0), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(found["tta_spread"], margins.std(0, correction=0), rtol=1e-2, atol=1e-4)


def test_dropout_of_nothing_is_the_plain_answer_and_of_something_spreads(look: Look) -> None:
    with torch.inference_mode():
        none = McDropout([1, 2, 3], share=0.0)(look)
        some = McDropout.draw(np.random.default_rng(0))(look)
    torch.testing.assert_close(none["mc_dropout"], look.output.margin.double().sigmoid(), rtol=1e-4, atol=1e-6)
    assert float(none["mc_dropout_spread"].max()) < 1e-4
    assert float(some["mc_dropout_spread"].min()) > 1e-3


def test_an_ensemble_of_copies_has_no_spread_and_one_of_strangers_has(look: Look) -> None:
    torch.manual_seed(1)
    stranger = small_network()
    with torch.no_grad():
        stranger.head.direction.normal_()
    with torch.inference_mode():
        copies = Ensemble([look.network, look.network])(look)
        mixed = Ensemble([stranger])(look)
        other = stranger(look.pictures).margin.double().sigmoid()
    torch.testing.assert_close(copies["ensemble"], look.output.margin.double().sigmoid(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(mixed["ensemble"], (copies["ensemble"] + other) / 2, rtol=1e-4, atol=1e-6)
    assert float(mixed["ensemble_spread"].min()) > 100 * float(copies["ensemble_spread"].max())
    with pytest.raises(ValueError, match="eval mode"):
        Ensemble([small_network().train()])


@pytest.fixture(scope="module")
def scored(network: DefectNetwork) -> dict[str, np.ndarray]:
    samples, reference = _Samples(5, 2), _Samples(8, 3)
    spec = small_card().picture
    return score_rivals(
        network, samples, spec, reference=reference, ensemble=[network], rng=np.random.default_rng(0), batch=4
    )


def test_all_rivals_give_one_finite_score_a_picture(scored: dict[str, np.ndarray]) -> None:
    spread = {"tta", "tta_spread", "mc_dropout", "mc_dropout_spread", "ensemble", "ensemble_spread"}
    fitted = {"mahalanobis", "mahalanobis_good", "knn"}
    assert set(scored) == spread | fitted | {
        "cell_peak", "mask_evidence", "softmax", "energy", "feature_norm", "gradient_norm", "odin"
    }  # fmt: skip
    assert all(values.shape == (5,) and np.isfinite(values).all() for values in scored.values())


def test_rivals_score_a_picture_the_same_alone_and_leave_the_network_alone(
    network: DefectNetwork, scored: dict[str, np.ndarray]
) -> None:
    state = {name: value.clone() for name, value in network.state_dict().items()}
    again = score_rivals(
        network,
        _Samples(5, 2),
        small_card().picture,
        reference=_Samples(8, 3),
        ensemble=[network],
        rng=np.random.default_rng(0),
        batch=1,
    )
    for name, values in scored.items():
        np.testing.assert_allclose(again[name], values, rtol=2e-3, atol=2e-4, err_msg=name)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_network_in_train_mode_or_a_reference_without_good_pictures_is_refused() -> None:
    spec, rng = small_card().picture, np.random.default_rng(0)
    with pytest.raises(ValueError, match="eval mode"):
        score_rivals(small_network().train(), _Samples(1, 0), spec, reference=_Samples(3, 0), rng=rng)
    with pytest.raises(ValueError, match="two good"):
        score_rivals(small_network(), _Samples(1, 0), spec, reference=_Samples(3, 3), rng=rng)
