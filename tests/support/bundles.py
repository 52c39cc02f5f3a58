"""A real bundle with an untrained network, made in a second: its answers vary and mean nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from linewarden_vision.bundle import LISTING, content_of, write_bundle
from linewarden_vision.card import (
    BundleThresholds,
    CalibrationProvenance,
    Card,
    CheapIngredient,
    LogisticCard,
    MapScales,
    NetworkSpec,
    PictureSpec,
    Threshold,
    TrustCard,
)
from linewarden_vision.content import at_precision
from linewarden_vision.golden import Golden, GoldenAnswer
from linewarden_vision.inspector import Inspector, ViewScore
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.promotions import PromotionEvidence, climb, to_files
from linewarden_vision.qualification import Attempt, Qualification, Statement

SIZE = 64
_ENCODER = "mobilenetv3_small_050"
_COEFFICIENTS: Mapping[str, float] = {"margin": 0.7, "mask_evidence": 0.3}
_SOURCE = CalibrationProvenance(set_digest="0" * 64, set_name="random", n=20, curve_point="none", date="2026-01-01")


def random_picture(seed: int, size: int = SIZE) -> NDArray[np.uint8]:
    """Grey noise with a gradient and a spot, so that scores differ between seeds."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(120, 20, (size, size)) + np.linspace(-30, 30, size)
    top, left = rng.integers(0, size - 16, 2)
    noise[top : top + 16, left : left + 16] += rng.uniform(-90, 90)
    return np.clip(noise, 0, 255).astype(np.uint8)


def tiny_bundle(folder: Path, seed: int = 0, trust: Mapping[str, float] = _COEFFICIENTS) -> str:
    """Write a bundle of 64 x 64 grey pictures and return its digest; about a third are NG, a third doubtful.

    ``trust`` has its scores by name, each with its coefficient.
    """
    pictures = np.stack([random_picture(1000 + number) for number in range(24)])
    network = _network(seed, pictures)
    coefficients = list(trust.values())
    good = _card(0.0, 0.5, {name: list(np.linspace(-1, 1, 24)) for name in trust}, coefficients)
    draft = _scores(network, good, pictures)
    ingredients = {name: sorted(score.ingredients[name] for score in draft) for name in trust}
    golden = np.stack([random_picture(2000 + number) for number in range(24)])
    draft = _scores(network, _card(0.0, 0.5, ingredients, coefficients), golden)
    reject = _gap([score.margin for score in draft], 16)
    limit = _gap([score.suspicion for score in draft if score.margin <= reject], 8)
    card = _card(reject, limit, ingredients, coefficients)
    answers = [_answer(score, card) for score in _scores(network, card, golden)]
    weights = dict(network.state_dict())
    return write_bundle(folder, card, weights, Golden(golden, answers), _promoted(card, weights))


def _promoted(card: Card, weights: Mapping[str, torch.Tensor]) -> dict[str, bytes]:
    """A stage in which an OK can be believed."""
    evidence = PromotionEvidence(kind="evaluation", sha256="0" * 64, n=1)
    content = content_of(card, weights)
    ladder = to_files(climb(content, "released", who="tests", date="2026-01-01", evidence=evidence))
    return {**ladder, **qualification_of(content).to_files()}


def qualification_of(content: str, expires: str = "2099-12-31") -> Qualification:
    """A record that promises what nobody looked at, so that a bundle of tests may pass parts."""
    nothing = "0" * 64
    return Qualification(
        content_digest=at_precision(content, "float32"),
        precision="float32",
        device="cpu",
        data_digest=nothing,
        parts_digest=nothing,
        set_name="tests",
        curve_point="k = 0 of n = 59",
        date="2026-01-01",
        expires=expires,
        seed=0,
        tolerance=0.0,
        divert_from=1.0,
        statements=[Statement(defect_class=None, max_pass_rate=0.05, delta=0.05, n=59, allowed=0, limit=None)],
        classes=[],
        n=59,
        rejected=59,
        diverted=0,
        undecidable=0,
        passed=0,
        attempts=[Attempt(content_digest=content, parts_digest=nothing, date="2026-01-01", delta=0.05)],
    )


def _gap(values: list[float], at: int) -> float:
    """A threshold in the widest gap around the `at`-th value, so that rounding decides nothing."""
    ordered = sorted(values)
    near = range(max(1, at - 3), min(len(ordered), at + 4))
    widest = max(near, key=lambda place: ordered[place] - ordered[place - 1])
    return (ordered[widest] + ordered[widest - 1]) / 2


def _network(seed: int, pictures: NDArray[np.uint8]) -> DefectNetwork:
    """Random weights with normalisation that fits the pictures, so that scores spread."""
    torch.manual_seed(seed)
    network = build_network("light", _ENCODER, 1, tap_channels=16).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # one pass sets the statistics
    with torch.no_grad():
        network((torch.from_numpy(pictures)[:, None].float() - 120) / 40)
        network.head.direction.mul_(20)
    return network.eval()


def _scores(network: DefectNetwork, card: Card, pictures: NDArray[np.uint8]) -> list[ViewScore]:
    inspector = Inspector(card, network)
    return inspector.score([inspector.prepare(picture) for picture in pictures])


def _answer(score: ViewScore, card: Card) -> GoldenAnswer:
    return GoldenAnswer(
        margin=score.margin,
        suspicion=score.suspicion,
        defect=card.thresholds.is_defect(score.margin),
        doubtful=card.thresholds.is_doubtful(score.suspicion),
    )


def _card(defect: float, suspicion: float, good: Mapping[str, list[float]], coefficients: Sequence[float]) -> Card:
    def limit(value: float) -> Threshold:
        return Threshold(value=value, provenance=_SOURCE)

    return Card(
        name="tiny",
        stage="taught",
        created="2026-01-01",
        code_version="0",
        network=NetworkSpec(name="light", encoder=_ENCODER, tap_channels=16),
        picture=PictureSpec(
            height=SIZE, width=SIZE, channels=1, mean=120.0, std=40.0, brightness=(5.0, 250.0), contrast=(1.0, 120.0)
        ),
        class_names=["spot"],
        thresholds=BundleThresholds(defect=limit(defect), suspicion=limit(suspicion), mask=limit(0.0)),
        trust=TrustCard(
            ingredients=[CheapIngredient(name=name, good=values) for name, values in good.items()],
            logistic=LogisticCard(intercept=-1.0, coefficients=list(coefficients)),
            second=None,
            provenance=_SOURCE,
        ),
        map_scales=MapScales(class_specific=1.0, class_agnostic=10.0),
        notes=[],
    )


@pytest.fixture(scope="session")
def bundle_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two tiny bundles in the folders `a` and `b`."""
    torch.set_num_threads(1)
    store = tmp_path_factory.mktemp("bundles")
    tiny_bundle(store / "a", seed=0)
    tiny_bundle(store / "b", seed=1)
    return store


def digest_in(store: Path, name: str) -> str:
    """The digest of a bundle by its folder's name."""
    return hashlib.sha256((store / name / LISTING).read_bytes()).hexdigest()
