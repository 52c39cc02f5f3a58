"""Early stopping: look at held-out groups now and then, and keep the best averaged weights."""

from collections.abc import Callable

from torch import Tensor

from linewarden_train.data.groups import Subset, split_set
from linewarden_train.data.samples import Samples
from linewarden_train.training.scoring import score_samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.enhancement import REFERENCE


class EarlyStop:
    """Every ``every`` steps ``quality`` judges the averaged network; ``patience`` looks without a gain end it.

    ``quality`` gets the network in eval mode and returns a number, high is good.
    """

    def __init__(self, quality: Callable[[DefectNetwork], float], *, patience: int, every: int = 200) -> None:
        if every < 1 or patience < 1:
            raise ValueError(f"every and patience are at least 1, not {every} and {patience}")
        self._quality, self._every, self._patience = quality, every, patience
        self._best: dict[str, Tensor] = {}
        self.history: list[tuple[int, float]] = []

    def is_over(self, taken: int, network: DefectNetwork) -> bool:
        """Look if it is time to, and tell whether the last looks brought nothing."""
        if taken % self._every:
            return False
        network.eval()
        value = self._quality(network)
        if not self._best or value > max(seen for _, seen in self.history):
            self._best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        self.history.append((taken, value))
        values = [seen for _, seen in self.history]
        return len(values) - 1 - values.index(max(values)) >= self._patience

    def bring_back(self, network: DefectNetwork) -> None:
        """Load the best weights seen, if any were looked at."""
        if self._best:
            network.load_state_dict(self._best)


def watched_apart(samples: Samples, seed: int) -> tuple[Subset, Subset]:
    """Return (kept, watched): 15 % of the groups are watched, classes in proportion."""
    sides = split_set(samples, {"kept": 1 - 0.15, "watched": 0.15}, seed)
    return sides["kept"], sides["watched"]


def quality_of(network: DefectNetwork, samples: Samples, spec: PictureSpec) -> float:
    """Return the mean of image AP and of Seg_mIoU at its best threshold, 0 to 1."""
    scores = score_samples(network, samples, spec, epsilon=REFERENCE.epsilon)
    overlap = 0.0 if scores.masks is None else float(scores.masks.seg_mean_iou().max())
    return (scores.image_ap + overlap) / 2
