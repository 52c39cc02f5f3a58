"""One network trained on one set of pictures, out of fold or whole, and what it says of others."""

from dataclasses import replace
from functools import partial

import torch

from linewarden_train.data.samples import Samples
from linewarden_train.training.crossfit import cross_fit
from linewarden_train.training.drawing import Normalisation
from linewarden_train.training.inputs import InputSamples
from linewarden_train.training.loop import Step, train
from linewarden_train.training.pretrained import load_imagenet
from linewarden_train.training.scoring import RawScores, score_samples
from linewarden_train.training.terms import OnProgress, Surroundings, TeachSettings
from linewarden_train.training.watch import EarlyStop, quality_of, watched_apart
from linewarden_vision.card import PictureSpec
from linewarden_vision.device import choose_device
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork

_THOUSANDTHS = 1000


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

    def show(step: Step) -> None:
        around.on_step(text, step)
        around.on_progress(text, round(_THOUSANDTHS * step.done), _THOUSANDTHS)

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
    around.on_progress(text, _THOUSANDTHS, _THOUSANDTHS)
    return network.to("cpu")


def score_held_out(
    samples: Samples, spec: PictureSpec, settings: TeachSettings, around: Surroundings
) -> list[RawScores]:
    """Score the training groups out of fold, each fold's network trained for a share of the effort."""
    if not settings.folds:
        return []
    part = replace(settings, train=settings.train.shortened(settings.fold_effort))
    scored = 0

    def count(more: int) -> None:
        nonlocal scored
        scored += more
        around.on_progress("scoring out of fold", scored, len(samples))

    def train_one(rest: Samples, number: int) -> DefectNetwork:
        return train_network(rest, spec, part, around, f"fold {number + 1} of {settings.folds}")

    folds = cross_fit(
        samples,
        spec,
        train_one,
        folds=settings.folds,
        seed=settings.train.seed,
        epsilon=settings.trust.epsilon,
        also=settings.trust.names,
        on_scored=count,
    )
    return [fold.scores for fold in folds]


def score(
    network: DefectNetwork,
    spec: PictureSpec,
    samples: Samples,
    settings: TeachSettings,
    on_progress: OnProgress,
    text: str,
) -> RawScores:
    """Score samples with every ingredient, telling the progress."""
    done = 0

    def count(scored: int) -> None:
        nonlocal done
        done += scored
        on_progress(text, done, len(samples))

    trust = settings.trust
    return score_samples(network, samples, spec, epsilon=trust.epsilon, also=trust.names, on_batch=count)
