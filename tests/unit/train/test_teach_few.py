"""A bundle from few pictures: honest about them, and a kind of defect that it never saw still stands out."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from linewarden.cli import main
from linewarden_train.data.groups import Subset
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.few_shot.card import FewSettings, HeldOut, count
from linewarden_train.few_shot.features import Views
from linewarden_train.few_shot.fitting import build_bank, cover, set_neck, train_head
from linewarden_train.few_shot.teach import TaughtFew, teach_few
from linewarden_vision.bundle import read_bundle, write_bundle
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.fusion import TopDownFusion

SIZE = 64
LEFT_OUT = "stain"
SETTINGS = FewSettings("few", "2026-01-01", "0", folds=2, bank=300)


def _parts(start: int, count: int) -> SyntheticSamples:
    return SyntheticSamples(range(start, start + count), defect_rate=0.6, difficulties=[0.0], views=1, size=SIZE)


def _few() -> Subset:
    parts = _parts(0, 90)
    kinds = [label.defect_class for label in parts.labels]
    good = [index for index, kind in enumerate(kinds) if kind == "good"][:20]
    bad = [index for index, kind in enumerate(kinds) if kind not in {"good", LEFT_OUT}][:10]
    return Subset(parts, [*good, *bad])


@pytest.fixture(scope="module")
def taught() -> TaughtFew:
    return teach_few(_few(), SETTINGS, lambda *_: None)


def test_a_kind_of_defect_that_was_never_taught_is_still_suspicious_far_above_chance(taught: TaughtFew) -> None:
    parts = _parts(1000, 120)
    inspector = Inspector(taught.card, taught.network)
    scores = inspector.score([inspector.prepare(parts[index].picture) for index in range(len(parts))])
    kinds = np.asarray([label.defect_class for label in parts.labels])
    suspicion = np.asarray([score.suspicion for score in scores])
    novelty = np.asarray([score.ingredients["novelty"] for score in scores])
    good, strange = kinds == "good", kinds == LEFT_OUT
    assert strange.sum() >= 10
    for values in (suspicion, novelty):
        assert (values[strange][:, None] > values[good][None]).mean() > 0.75
    at_five = np.quantile(suspicion[good], 0.95)
    assert (suspicion[strange] > at_five).mean() > 0.3  # chance: 0.05


def test_the_bundle_is_only_taught_and_says_how_few_pictures_made_it(taught: TaughtFew, tmp_path: Path) -> None:
    write_bundle(tmp_path, taught.card, taught.network.state_dict(), taught.golden, taught.extra)
    bundle = read_bundle(tmp_path)
    assert bundle.card.stage == "taught"
    assert [part.name for part in bundle.card.trust.ingredients] == ["novelty", "margin"]
    assert any("taught from 20 good and 10 bad pictures" in note for note in bundle.card.notes)
    assert bundle.groups is not None
    inspector = Inspector.load(tmp_path, device="cpu")
    assert inspector.gate.suspicion_deviation < 0.05
    (score,) = inspector.score([inspector.prepare(_few()[0].picture)])
    assert not score.mask.any()
    assert score.class_agnostic.any()


@pytest.mark.parametrize(("good", "bad"), [(19, 10), (20, 4)])
def test_too_few_pictures_are_refused_with_how_many_are_needed(good: int, bad: int) -> None:
    few = _few()
    chosen = Subset(few, [*range(good), *range(20, 20 + bad)])
    with pytest.raises(ValueError, match=f"{good} good and {bad} bad pictures; at least 20 and 5"):
        teach_few(chosen, SETTINGS, lambda *_: None)


def test_copies_of_one_bad_part_are_one_part() -> None:
    few = _few()
    copies = Subset(few, [*range(20), *([20] * 6)])
    with pytest.raises(ValueError, match="1 bad parts after near-duplicates are joined"):
        teach_few(copies, SETTINGS, lambda *_: None)


def test_the_head_finds_the_channel_that_tells_bad_from_good_in_pictures_of_any_size() -> None:
    made = torch.Generator().manual_seed(0)
    taps = [torch.rand(1, 6, 8 + index % 2, 8, generator=made) for index in range(12)]
    bad = [index >= 8 for index in range(12)]
    for tap, is_bad in zip(taps, bad, strict=True):
        tap[0, 2, 3, 3] += 4.0 * is_bad
    head = train_head(taps, bad, steps=80)
    margins = [float(head(tap).margin) for tap in taps]
    assert min(margins[8:]) > max(margins[:8])
    assert int(head.direction.argmax()) == 2
    with pytest.raises(ValueError, match="good and bad"):
        train_head(taps, [True] * 12)


def test_the_neck_shows_every_direction_both_ways_at_unit_spread() -> None:
    made = torch.Generator().manual_seed(0)
    widths = {8: 4, 16: 5, 32: 6}
    level = {8: (1, 4, 16, 16), 16: (1, 5, 8, 8), 32: (1, 6, 4, 4)}
    pyramid = {stride: torch.rand(*shape, generator=made) for stride, shape in level.items()}
    fusion = TopDownFusion(widths, 8).eval()
    set_neck(fusion, [Views([pyramid])], 8)
    with torch.no_grad():
        whitened = sum_of_laterals(fusion, pyramid)
        tap = fusion(pyramid)
    assert torch.allclose(whitened[:, :4], -whitened[:, 4:], atol=1e-5)
    assert torch.allclose(whitened[:, :4].std((0, 2, 3)), torch.ones(4), atol=0.05)
    assert tap.shape == (1, 8, 16, 16)
    assert (tap >= 0).all()
    with pytest.raises(ValueError, match="odd"):
        set_neck(fusion, [Views([pyramid])], 7)


def sum_of_laterals(fusion: TopDownFusion, pyramid: dict[int, torch.Tensor]) -> torch.Tensor:
    """What the smoothing sees."""
    seen: list[torch.Tensor] = []
    handle = fusion.smooth.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    fusion(pyramid)
    handle.remove()
    return seen[0]


def test_a_bank_covers_what_it_selects_from() -> None:
    corners = torch.tensor([[0.0, 0], [9, 0], [0, 9], [9, 9]])
    noise = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * 0.1
    points = corners.repeat(50, 1) + noise
    chosen = cover(points, 4, np.random.default_rng(0))
    assert len({tuple(row) for row in points[chosen].round().tolist()}) == 4
    assert len(build_bank(points, 10, np.random.default_rng(0)).patches) == 10
    with pytest.raises(ValueError, match="finite patches"):
        build_bank(torch.full((3, 2), torch.nan), 2, np.random.default_rng(0))


def test_counts_say_what_happened_to_those_left_out(taught: TaughtFew) -> None:
    held_out: HeldOut = taught.held_out
    counts = count(held_out, taught.card.thresholds, taught.card.trust)
    assert (counts.good, counts.bad) == (20, 10)
    assert counts.overkill == 0
    assert counts.good_diverted <= 1
    low, high = counts.miss_interval
    assert low <= counts.missed / 10 <= high
    assert high - low > 0.2  # ten pictures prove little
    assert counts.in_words() == taught.card.notes


@pytest.mark.slow
def test_the_command_teaches_from_two_folders_and_tells_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = _few()
    for index in range(len(few)):
        label = few.labels[index]
        folder = tmp_path / ("bad" if label.defective else "good")
        folder.mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / f"{index}.png"), few[index].picture)
    line = ["linewarden", "teach", "--good", f"{tmp_path}/good", "--bad", f"{tmp_path}/bad"]
    monkeypatch.setattr(sys, "argv", [*line, "--out", f"{tmp_path}/bundle", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["stage"] == "taught"
    assert told["good"] == 20
    assert read_bundle(tmp_path / "bundle").digest == told["digest"]
    (tmp_path / "bad" / "20.png").write_bytes(b"?")
    monkeypatch.setattr(sys, "argv", [*line, "--out", f"{tmp_path}/other"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code != 0
    assert "1 errors in 30 pictures" in capsys.readouterr().err
