"""What a training run takes and gives: data sets, settings, surroundings, and what was taught."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from linewarden_train.data.samples import Samples
from linewarden_train.progress import OnProgress
from linewarden_train.training.calibration import TrustRecipe
from linewarden_train.training.checkpoint import Checkpoint
from linewarden_train.training.inputs import InputSettings
from linewarden_train.training.loop import TrainSettings, TrainStep
from linewarden_train.training.scoring import RawScores
from linewarden_vision.card import Card
from linewarden_vision.golden import Golden
from linewarden_vision.network.build import NetworkName
from linewarden_vision.network.interface import DefectNetwork


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run touches besides its data: a clock (seconds), who hears of it, where it may go on after a stop."""

    clock: Callable[[], float]
    on_progress: OnProgress
    on_step: Callable[[str, TrainStep], None] = lambda *_: None
    """Hears the losses of each training step, with the name of what is trained."""
    checkpoint: Callable[[str], Checkpoint | None] = lambda _: None
    """The checkpoint of what is trained, by its name; None keeps nothing."""
    ends_at: float | None = None
    """When everything has to be done, by the clock; None leaves it to the settings."""
    scored: list[tuple[int, float]] = field(default_factory=list)
    """How long scoring took so far: pictures, seconds."""

    def in_time(self, budget_s: float | None, to_score: int) -> float | None:
        """The seconds left for the last training, so that as many pictures can be scored after it as `to_score`.

        What is left is measured on what was scored, with half of it again for what comes after; without a measure, or
        without an end, `budget_s` stays.
        """
        pictures = sum(count for count, _ in self.scored)
        if self.ends_at is None or budget_s is None or not pictures:
            return budget_s
        reserve = 1.5 * to_score * sum(seconds for _, seconds in self.scored) / pictures
        return max(1.0, self.ends_at - self.clock() - reserve)


@dataclass(frozen=True, slots=True)
class NamedSamples:
    """A data set with the name that provenance shows."""

    name: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class TeachingSets:
    """``teaching`` shares no group with the others; ``thresholds`` needs good parts only."""

    teaching: NamedSamples
    calibration: NamedSamples
    thresholds: NamedSamples
    golden: NamedSamples


@dataclass(frozen=True, slots=True)
class TeachSettings:
    """What to teach and what the thresholds promise; shares are of good parts.

    With ``folds`` the logistic and the mask threshold come from out-of-fold scores of the training groups,
    each fold's network trained for ``fold_effort`` of the final one's steps or budget; with 0 they come from
    the calibration set.
    """

    name: str
    date: str
    code_version: str
    encoder: str
    network: NetworkName = "light"
    pretrained: bool = False
    frozen: int = 0
    """Stages of the encoder, from its stem on, that keep their weights."""
    inputs: InputSettings = field(default_factory=InputSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    trust: TrustRecipe = field(default_factory=TrustRecipe)
    folds: int = 0
    fold_effort: float = 0.5
    patience: int | None = None
    """Looks at held-out groups without a gain that end training early; None trains to the end on all groups."""
    device: str = "auto"
    overkill: float = 0.01
    diverted: float = 0.05


@dataclass(frozen=True, slots=True)
class Taught:
    """All that a bundle is made of, and the network itself in eval mode."""

    card: Card
    network: DefectNetwork
    golden: Golden
    extra: Mapping[str, bytes] = field(default_factory=dict)
    """The bundle's optional files."""
    held_out: list[RawScores] = field(default_factory=list)
    """What networks said of groups that they never saw; empty without folds."""

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The network's state as a bundle stores it, tensors by name."""
        return dict(self.network.state_dict())
