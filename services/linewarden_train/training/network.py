"""One network trained on one set of pictures, out of fold or whole, and what it says of others."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from linewarden_train.data.groups import split_folds
from linewarden_train.data.samples import Samples
from linewarden_train.progress import OnProgress, counting
from linewarden_train.training.drawing import Normalisation
from linewarden_train.training.inputs import InputSamples
from linewarden_train.training.loop import TrainStep, train
from linewarden_train.training.pretrained import load_imagenet
from linewarden_train.training.scoring import RawScores, score_samples
from linewarden_train.training.terms import Surroundings, TeachSettings
from linewarden_train.training.watch import EarlyStop, quality_of, watched_apart
from linewarden_vision.card import PictureSpec
from linewarden_vision.device import choose_device
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork


def train_network(
    samples: Samples, spec: PictureSpec, settings: TeachSettings, around: Surroundings, text: str = "training"
) -> DefectNetwork:
    """Build and train one network on the CUDA device that is there, or the CPU; returns it on the CPU in eval mode.

    With ``patience`` a share of the groups is held out to watch, and not trained on.
    """
    torch.manual_seed(settings.train.seed)
    network = build_network(settings.network, settings.encoder, spec.channels)
    if settings.pretrained:
        load_imagenet(network.backbone, spec.channels)
        network.hold_statistics()
    network.freeze(settings.frozen)
    network.to(memory_format=torch.channels_last).to(choose_device(settings.device))
    early_stop, kept = None, samples
    if settings.patience is not None:
        kept, watched = watched_apart(samples, settings.train.seed)
        early_stop = EarlyStop(partial(quality_of, samples=watched, spec=spec), patience=settings.patience)

    def show(step: TrainStep) -> None:
        around.on_step(text, step)
        around.on_progress(text, round(1000 * step.done), 1000)  # thousandths

    train(
        network,
        InputSamples(kept, spec),
        Normalisation(spec.mean, spec.std),
        settings.train.fitting(spec.height, spec.width),
        clock=around.clock,
        on_step=show,
        checkpoint=around.checkpoint(text),
        early_stop=early_stop,
    )
    around.on_progress(text, 1000, 1000)
    return network.to("cpu")


def score_held_out(
    samples: Samples,
    spec: PictureSpec,
    settings: TeachSettings,
    around: Surroundings,
    on_fold: Callable[[DefectNetwork, Samples, Samples], None] = lambda *_: None,
) -> list[RawScores]:
    """Score the training groups out of fold, each fold's network trained for a share of the effort.

    ``on_fold`` hears each network with what taught it and what it never saw.
    """
    if not settings.folds:
        return []
    part = replace(settings, train=settings.train.shortened(settings.fold_effort))
    trust = settings.trust
    scored, tell = [], counting(around.on_progress, "scoring out of fold", len(samples))
    for number, (rest, held_out) in enumerate(split_folds(samples, settings.folds, settings.train.seed), 1):
        network = train_network(rest, spec, part, around, f"fold {number} of {settings.folds}")
        began = around.clock()
        on_fold(network, rest, held_out)
        scored.append(score_samples(network, held_out, spec, epsilon=trust.epsilon, also=trust.names, on_batch=tell))
        around.scored.append((len(held_out), around.clock() - began))
    return scored


def score(
    network: DefectNetwork,
    spec: PictureSpec,
    samples: Samples,
    settings: TeachSettings,
    on_progress: OnProgress,
    text: str,
) -> RawScores:
    """Score samples with every ingredient, telling the progress."""
    tell = counting(on_progress, text, len(samples))
    trust = settings.trust
    return score_samples(network, samples, spec, epsilon=trust.epsilon, also=trust.names, on_batch=tell)
