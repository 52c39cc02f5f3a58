"""A bundle from a few pictures without masks: 20 good, 10 bad, minutes of one core.

The encoder keeps its ImageNet weights. Good pictures give the bank of novelty and the neck; good and bad
ones the linear head. Every threshold comes from pictures left out in turn, near-duplicates together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_train.data.groups import Relabelled, Subset, split_by_group, with_groups
from linewarden_train.data.near_duplicates import group_alike, regrouped, thumbnails_of
from linewarden_train.data.samples import Samples
from linewarden_train.few_shot.card import FewSettings, HeldOut, make_card
from linewarden_train.few_shot.features import Views, encode_all
from linewarden_train.few_shot.fitting import build_bank, set_neck, train_head
from linewarden_train.progress import OnProgress
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


@dataclass(frozen=True, slots=True)
class TaughtFew:
    """All that a bundle is made of, and what pictures left out in turn were scored."""

    card: Card
    network: DefectNetwork
    golden: Golden
    extra: dict[str, bytes]
    held_out: HeldOut


def teach_few(samples: Samples, settings: FewSettings, on_progress: OnProgress) -> TaughtFew:
    """Teach from good and bad pictures; the same pictures and settings give the same bundle.

    Raises ValueError for fewer than 20 good or 5 bad pictures, and for too few independent ones.
    """
    bad = np.asarray([label.defective for label in samples.labels], bool)
    if (~bad).sum() < 20 or bad.sum() < 5:
        raise ValueError(f"{(~bad).sum()} good and {bad.sum()} bad pictures; at least 20 and 5 are needed")
    torch.manual_seed(settings.seed)
    grouped = _grouped(samples)
    folds = _folds(grouped, settings)
    longest = max(int(side) for index in range(len(grouped)) for side in grouped[index].picture.shape[:2])
    spec = picture_spec(grouped, InputSettings(scale=min(1.0, settings.most / longest), most=settings.most))
    network = _network(spec, settings.tap_channels)
    views = encode_all(network, grouped, spec, lambda done: on_progress("looking", done, len(grouped)))
    set_neck(network.fusion, [one for one, is_bad in zip(views, bad, strict=True) if not is_bad], settings.tap_channels)
    held_out = _leave_out(network, grouped, views, folds, settings, on_progress)
    network.head, bank = _learn(network, views, bad, settings)
    network.novelty = bank
    card = make_card(network, grouped, spec, held_out, settings)
    golden = choose_golden(Inspector(card, network), grouped, complete=False)
    groups = TrainedGroups.of(label.group for label in grouped.labels)
    return TaughtFew(card, network, golden, {**bank.to_files(), **groups.to_files()}, held_out)


def _grouped(samples: Samples) -> Relabelled:
    """Join near-duplicates, so that none is left out while its twin is learnt."""
    names = regrouped(samples, group_alike(thumbnails_of(samples)))
    joined: dict[str, str] = {}
    for label, name in zip(samples.labels, names, strict=True):  # what the set calls one part stays one
        joined.setdefault(label.group, name)
    return with_groups(samples, [joined[label.group] for label in samples.labels])


def _network(spec: PictureSpec, tap_channels: int) -> LightNetwork:
    """Build the network with ImageNet's encoder and a mask branch that marks nothing: no mask was given."""
    network = LightNetwork(PRETRAINED_ENCODER, spec.channels, tap_channels=tap_channels)
    load_imagenet(network.backbone, spec.channels)
    torch.nn.init.zeros_(network.decoder.out.weight)
    network.requires_grad_(requires_grad=False)
    network.eval()
    return network.to(memory_format=torch.channels_last)


def _learn(
    network: DefectNetwork, views: Sequence[Views], bad: NDArray[np.bool_], settings: FewSettings
) -> tuple[LinearHead, NoveltyBank]:
    with torch.inference_mode(mode=False), torch.no_grad():
        taps = [network.fuse(pyramid) for one in views for pyramid in one.pyramids]
        good = torch.cat([one.patches() for one, is_bad in zip(views, bad, strict=True) if not is_bad])
    flips = len(views[0].pyramids)
    head = train_head(taps, np.repeat(bad, flips).tolist())
    return head, build_bank(good, settings.bank, np.random.default_rng(settings.seed))


def _leave_out(
    network: DefectNetwork,
    samples: Samples,
    views: Sequence[Views],
    folds: Sequence[Subset],
    settings: FewSettings,
    on_progress: OnProgress,
) -> HeldOut:
    """Score every picture by what was learnt without its fold."""
    bad = np.asarray([label.defective for label in samples.labels], bool)
    margin, novelty = np.zeros(len(views)), np.zeros(len(views))
    for number, fold in enumerate(folds, 1):
        kept = [index for index in range(len(views)) if index not in set(fold.indices)]
        head, bank = _learn(network, [views[index] for index in kept], bad[kept], settings)
        with torch.inference_mode():
            for index in fold.indices:
                plain = views[index].plain
                margin[index] = float(head(network.fuse(plain)).margin)
                novelty[index] = float(bank(plain))
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
