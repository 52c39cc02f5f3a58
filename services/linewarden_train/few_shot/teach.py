"""A bundle from a few pictures without masks: 20 good, 10 bad, minutes of one core.

The encoder keeps its ImageNet weights. Good pictures give the bank of novelty and the neck; good and bad
ones the linear head. Every threshold comes from pictures left out in turn, near-duplicates together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_train.data.groups import Subset, split_by_group
from linewarden_train.data.near_duplicates import group_alike, regrouped, thumbnails_of
from linewarden_train.data.relabel import Relabelled, with_groups
from linewarden_train.data.samples import Samples
from linewarden_train.few_shot.card import HeldOut, make_card
from linewarden_train.few_shot.features import Views, encode_all, patches_of
from linewarden_train.few_shot.head import HeadSettings, train_head
from linewarden_train.few_shot.neck import set_neck
from linewarden_train.few_shot.novelty import build_bank
from linewarden_train.training.golden import choose_golden
from linewarden_train.training.inputs import InputSettings, picture_spec
from linewarden_train.training.pretrained import PRETRAINED_ENCODER, load_imagenet
from linewarden_vision.card import Card, PictureSpec
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.head import LinearHead
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.network.light import LightNetwork
from linewarden_vision.trained_groups import TrainedGroups
from linewarden_vision.trust.novelty import NoveltyBank

LEAST_GOOD = 20
LEAST_BAD = 5
TAP_CHANNELS = 128
OnProgress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class FewSettings:
    """Named beforehand; ``most`` is the longest side of the input in pixels, larger pictures shrink to it."""

    name: str
    date: str
    code_version: str
    most: int = 512
    folds: int = 5
    bank: int = 1500
    seed: int = 0
    head: HeadSettings = field(default_factory=HeadSettings)


@dataclass(frozen=True, slots=True)
class TaughtFew:
    """All that a bundle is made of, and what pictures left out in turn were scored."""

    card: Card
    network: DefectNetwork
    golden: Golden
    extra: dict[str, bytes]
    held_out: HeldOut


@dataclass(frozen=True, slots=True)
class _Learnt:
    head: LinearHead
    bank: NoveltyBank


def teach_few(samples: Samples, settings: FewSettings, on_progress: OnProgress) -> TaughtFew:
    """Teach from good and bad pictures; the same pictures and settings give the same bundle.

    Raises ValueError for fewer than 20 good or 5 bad pictures, and for too few independent ones.
    """
    _check_counts(samples)
    torch.manual_seed(settings.seed)
    grouped = _grouped(samples)
    folds = _folds(grouped, settings)
    spec = picture_spec(grouped, InputSettings(scale=_scale(grouped, settings.most), most=settings.most))
    network = _network(spec)
    views = encode_all(network, grouped, spec, lambda done: on_progress("looking", done, len(grouped)))
    bad = np.asarray([label.defective for label in grouped.labels])
    set_neck(network.fusion, [one for one, is_bad in zip(views, bad, strict=True) if not is_bad], TAP_CHANNELS)
    held_out = _leave_out(network, grouped, views, folds, settings, on_progress)
    learnt = _learn(network, views, bad, settings)
    network.head, network.novelty = learnt.head, learnt.bank
    card = make_card(network, grouped, spec, held_out, settings)
    golden = choose_golden(Inspector(card, network), grouped, complete=False)
    groups = TrainedGroups.of(label.group for label in grouped.labels)
    return TaughtFew(card, network, golden, {**learnt.bank.to_files(), **groups.to_files()}, held_out)


def _check_counts(samples: Samples) -> None:
    bad = sum(label.defective for label in samples.labels)
    good = len(samples) - bad
    if good < LEAST_GOOD or bad < LEAST_BAD:
        raise ValueError(f"{good} good and {bad} bad pictures; at least {LEAST_GOOD} and {LEAST_BAD} are needed")


def _grouped(samples: Samples) -> Relabelled:
    """Join near-duplicates, so that none is left out while its twin is learnt."""
    names = regrouped(samples, group_alike(thumbnails_of(samples)))
    joined: dict[str, str] = {}
    for label, name in zip(samples.labels, names, strict=True):  # what the set calls one part stays one
        joined.setdefault(label.group, name)
    return with_groups(samples, [joined[label.group] for label in samples.labels])


def _scale(samples: Samples, most: int) -> float:
    longest = max(int(side) for index in range(len(samples)) for side in samples[index].picture.shape[:2])
    return min(1.0, most / longest)


def _network(spec: PictureSpec) -> LightNetwork:
    """Build the network with ImageNet's encoder and a mask branch that marks nothing: no mask was given."""
    network = LightNetwork(PRETRAINED_ENCODER, spec.channels, tap_channels=TAP_CHANNELS)
    load_imagenet(network.backbone, spec.channels)
    torch.nn.init.zeros_(network.decoder.out.weight)
    network.requires_grad_(requires_grad=False)
    network.eval()
    return network.to(memory_format=torch.channels_last)


def _learn(network: DefectNetwork, views: Sequence[Views], bad: NDArray[np.bool_], settings: FewSettings) -> _Learnt:
    with torch.inference_mode(mode=False), torch.no_grad():
        taps = [network.fuse(pyramid) for one in views for pyramid in one.pyramids]
        good = patches_of([one for one, is_bad in zip(views, bad, strict=True) if not is_bad])
    flips = len(views[0].pyramids)
    head = train_head(taps, np.repeat(bad, flips).tolist(), settings.head)
    return _Learnt(head, build_bank(good, settings.bank, np.random.default_rng(settings.seed)))


def _leave_out(
    network: DefectNetwork,
    samples: Samples,
    views: Sequence[Views],
    folds: Sequence[Subset],
    settings: FewSettings,
    on_progress: OnProgress,
) -> HeldOut:
    """Score every picture by what was learnt without its fold."""
    bad = np.asarray([label.defective for label in samples.labels])
    margin, novelty = np.zeros(len(views)), np.zeros(len(views))
    for number, fold in enumerate(folds, 1):
        kept = [index for index in range(len(views)) if index not in set(fold.indices)]
        learnt = _learn(network, [views[index] for index in kept], bad[kept], settings)
        with torch.inference_mode():
            for index in fold.indices:
                plain = views[index].plain
                margin[index] = float(learnt.head(network.fuse(plain)).margin)
                novelty[index] = float(learnt.bank(plain))
        on_progress("leaving out in turn", number, len(folds))
    return HeldOut(margin, novelty, bad, [label.group for label in samples.labels])


def _folds(samples: Samples, settings: FewSettings) -> list[Subset]:
    """Split so that every fold leaves pictures of both kinds to learn from, where a group may hold both."""
    bad = {label.group for label in samples.labels if label.defective}
    good = {label.group for label in samples.labels if not label.defective}
    most = min(settings.folds, len(bad), len(good))
    if most < 2:
        raise ValueError(
            f"{len(good)} good and {len(bad)} bad parts after near-duplicates are joined: at least 2 of each"
        )
    folds = split_by_group(samples, most, np.random.default_rng(settings.seed))
    for fold in folds:
        out = set(fold.indices)
        if len({label.defective for index, label in enumerate(samples.labels) if index not in out}) < 2:
            raise ValueError("near-duplicates hang together so that a fold leaves only good or only bad parts to learn")
    return folds
