"""A small untrained bundle: its verdicts mean nothing, but they must repeat."""

from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_vision.bundle import write_bundle
from linewarden_vision.card import (
    BundleThresholds,
    CalibrationProvenance,
    Card,
    CheapIngredient,
    EnhancedIngredient,
    LogisticCard,
    MapScales,
    NetworkSpec,
    PictureSpec,
    SecondLookCard,
    Threshold,
    TrustCard,
)
from linewarden_vision.golden import Golden, GoldenAnswer
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.synthetic.part import make_part

SIZE = 96
_SOURCE = CalibrationProvenance(set_digest="0" * 64, set_name="test", n=10, curve_point="none", date="2026-01-01")


@cache
def _network() -> DefectNetwork:
    torch.manual_seed(0)
    network = build_network("light", "mobilenetv3_small_050", 1)
    network.eval()
    return network


def small_network() -> DefectNetwork:
    """A copy of its own: some tests break it."""
    return deepcopy(_network())


def pictures(count: int, size: int = SIZE) -> list[NDArray[np.uint8]]:
    parts = [make_part(seed, views=2, size=size, defect_rate=0.5, difficulty=0.1) for seed in range(count)]
    return [view.picture for part in parts for view in part.views][:count]


def small_card(*, defect: float = 0.0, suspicion: float = 0.5, gate: float = 0.0) -> Card:
    good = np.linspace(-1, 1, 40).tolist()
    threshold = Threshold(value=defect, provenance=_SOURCE)
    return Card(
        name="small",
        stage="taught",
        created="2026-01-01",
        code_version="0",
        network=NetworkSpec(name="light", encoder="mobilenetv3_small_050", tap_channels=64),
        picture=PictureSpec(
            height=SIZE, width=SIZE, channels=1, mean=110.0, std=55.0, brightness=(5, 250), contrast=(2, 120)
        ),
        class_names=["defect"],
        thresholds=BundleThresholds(
            defect=threshold,
            suspicion=Threshold(value=suspicion, provenance=_SOURCE),
            mask=Threshold(value=0.0, provenance=_SOURCE),
        ),
        trust=TrustCard(
            ingredients=[
                CheapIngredient(name="agreement", good=good),
                CheapIngredient(name="mask_evidence", good=[value - 3 for value in good]),
            ],
            logistic=LogisticCard(intercept=-1.5, coefficients=[0.5, 0.5]),
            second=SecondLookCard(
                ingredients=[EnhancedIngredient(name="agreement_enhanced", good=good)],
                logistic=LogisticCard(intercept=-2.0, coefficients=[0.5, 0.5, 0.3]),
                epsilon=0.15,
                gate=gate,
            ),
            provenance=_SOURCE,
        ),
        map_scales=MapScales(class_specific=1.0, class_agnostic=10.0),
        notes=[],
    )


def golden_of(card: Card, network: DefectNetwork, count: int = 4) -> Golden:
    inspector = Inspector(card, network)
    shown = pictures(count)
    scores = inspector.score([inspector.prepare(picture) for picture in shown])
    limits = card.thresholds
    answers = [
        GoldenAnswer(
            margin=score.margin,
            suspicion=score.suspicion,
            defect=limits.is_defect(score.margin),
            doubtful=limits.is_doubtful(score.suspicion),
        )
        for score in scores
    ]
    return Golden(np.stack(shown), answers)


def middle_margin(network: DefectNetwork, count: int = 4) -> float:
    """A defect threshold between the golden pictures' margins, so that both verdicts occur."""
    inspector = Inspector(small_card(), network)
    margins = sorted(score.margin for score in inspector.score([inspector.prepare(shown) for shown in pictures(count)]))
    return (margins[1] + margins[2]) / 2


@cache
def _made() -> tuple[Card, dict[str, torch.Tensor], Golden]:
    network = small_network()
    card = small_card(defect=middle_margin(network))
    return card, dict(network.state_dict()), golden_of(card, network)


def write_small_bundle(folder: Path) -> str:
    return write_bundle(folder, *_made())
