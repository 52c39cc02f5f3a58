"""The inspector: pictures in, scores out, from a bundle that passed its activation gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from linewarden_vision.bundle import Bundle, read_bundle
from linewarden_vision.card import Card
from linewarden_vision.device import Precision, choose_device, choose_precisions, precision_of, to_device
from linewarden_vision.errors import BundleError, GateError, ScoresNotFinite
from linewarden_vision.golden import Golden
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import Prepared, prepare_picture, restore_mask
from linewarden_vision.trust.cascade import Assessment, assess


@dataclass(frozen=True, slots=True)
class ViewScore:
    """What network and trust say about one picture.

    p_defect is the sigmoid of the margin. mask is bool at the picture's native size. The maps are
    uint8 at the tap's size, on the bundle's fixed scale. ingredients are raw values by name, those
    of the second look only where it ran.
    """

    p_defect: float
    margin: float
    suspicion: float
    ingredients: dict[str, float]
    mask: NDArray[np.bool_]
    class_specific: NDArray[np.uint8]
    class_agnostic: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's measurement: largest difference from the golden answers; precisions that failed before."""

    margin_deviation: float
    suspicion_deviation: float
    refused: tuple[str, ...]


class Inspector:
    """Scores pictures with one bundle on one device; ``score`` is for one thread at a time."""

    def __init__(
        self,
        card: Card,
        network: DefectNetwork,
        *,
        digest: str = "",
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        """Take a network in eval mode on that device as it is, ungated: ``load`` is the way to production."""
        self.digest = digest
        self.card = card
        self.device = device
        self.precision: Precision = precision
        self.gate = GateReport(0.0, 0.0, ())
        self._device = torch.device(device)
        self._network = network
        self._trust = card.trust.build()

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "auto",
        precision: str = "auto",
        expected_digest: str | None = None,
    ) -> "Inspector":
        """Load, verify and gate a bundle.

        With precision "auto" the first precision that repeats every golden verdict is taken. Raises
        BundleError for a damaged bundle, GateError when a golden verdict flips, ValueError for an
        unknown device or precision.
        """
        return cls.from_bundle(read_bundle(folder, expected_digest=expected_digest), device, precision)

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "auto", precision: str = "auto") -> "Inspector":
        """Do the same for a bundle in memory."""
        target = choose_device(device)
        network = _network(bundle, target)
        candidates = choose_precisions(precision, target)
        refused: list[str] = []
        for candidate in candidates:
            inspector = cls(bundle.card, network, digest=bundle.digest, device=str(target), precision=candidate)
            try:
                inspector.gate = inspector.pass_gate(bundle.golden, tuple(refused))
            except (GateError, ScoresNotFinite) as error:
                if candidate == candidates[-1]:
                    raise GateError(f"bundle {bundle.digest[:12]} on {target}: {error}") from error
                refused.append(f"{candidate}: {error}")
            else:
                return inspector
        raise AssertionError("unreachable: there is always a last candidate")

    def prepare(self, picture: NDArray[np.generic]) -> Prepared:
        """Prepare HxW or HxWx3 (RGB) uint8 or uint16; thread-safe. Raises UnusablePicture."""
        return prepare_picture(picture, self.card.picture)

    def score(self, batch: Sequence[Prepared]) -> list[ViewScore]:
        """Score prepared pictures in one device pass (a second, smaller one for the doubtful).

        A picture scores the same in any batch, up to rounding. Raises ScoresNotFinite.
        """
        if not batch:
            return []
        pictures = to_device(batch, self._device, self.card.picture.mean, self.card.picture.std)
        with precision_of(self._device, self.precision):
            assessed = assess(self._network, pictures, self._trust, reject_above=self.card.thresholds.defect.value)
            return self._read(assessed, batch)

    def pass_gate(self, golden: Golden, refused: tuple[str, ...] = ()) -> GateReport:
        """Score the golden set here; raises GateError if a verdict or a doubt differs."""
        scores = self.score([self.prepare(picture) for picture in golden.pictures])
        limits = self.card.thresholds
        for index, (score, answer) in enumerate(zip(scores, golden.answers, strict=True)):
            defect, doubtful = limits.is_defect(score.margin), limits.is_doubtful(score.suspicion)
            # doubt about a rejected picture decides nothing
            if defect != answer.defect or (not defect and doubtful != answer.doubtful):
                raise GateError(
                    f"{self.precision} flips golden picture {index}: margin {score.margin:.4f} "
                    f"(golden {answer.margin:.4f}), suspicion {score.suspicion:.4f} ({answer.suspicion:.4f})"
                )
        pairs = list(zip(scores, golden.answers, strict=True))
        return GateReport(
            margin_deviation=max(abs(score.margin - answer.margin) for score, answer in pairs),
            suspicion_deviation=max(abs(score.suspicion - answer.suspicion) for score, answer in pairs),
            refused=refused,
        )

    def _read(self, assessed: Assessment, batch: Sequence[Prepared]) -> list[ViewScore]:
        margins = np.asarray(assessed.output.margin.float().cpu().numpy(), np.float64)
        logits = assessed.output.mask_logits.float().cpu().numpy()
        broken = ~np.isfinite(margins) | ~np.isfinite(assessed.suspicion) | ~np.isfinite(logits).all((1, 2))
        if broken.any():
            raise ScoresNotFinite(f"no finite scores for {int(broken.sum())} of {len(batch)} pictures")
        scales = self.card.map_scales
        specific = _to_bytes(assessed.maps.defect, scales.class_specific)
        agnostic = _to_bytes(assessed.maps.agnostic, scales.class_agnostic)
        return [
            ViewScore(
                p_defect=float(expit(margins[row])),
                margin=float(margins[row]),
                suspicion=float(assessed.suspicion[row]),
                ingredients=self._named(assessed.ingredients[row]),
                mask=restore_mask(logits[row], prepared, self.card.thresholds.mask.value),
                class_specific=specific[row],
                class_agnostic=agnostic[row],
            )
            for row, prepared in enumerate(batch)
        ]

    def _named(self, values: NDArray[np.float64]) -> dict[str, float]:
        second = [] if self._trust.second is None else list(self._trust.second.names)
        names = [*self._trust.names, *second]
        return {name: float(value) for name, value in zip(names, values, strict=True) if not np.isnan(value)}


def _network(bundle: Bundle, device: torch.device) -> DefectNetwork:
    spec = bundle.card.network
    network = build_network(spec.name, spec.encoder, bundle.card.picture.channels, tap_channels=spec.tap_channels)
    try:
        network.load_state_dict(dict(bundle.weights))
    except RuntimeError as error:
        raise BundleError(f"the weights don't fit network {spec.name}/{spec.encoder}: {error}") from error
    network.requires_grad_(requires_grad=False)
    network.eval()
    network.to(memory_format=torch.channels_last)
    return network.to(device)


def _to_bytes(values: torch.Tensor, full: float) -> NDArray[np.uint8]:
    scaled = (values.float() * (255.0 / full)).clamp(0, 255).round().to(torch.uint8)
    return np.asarray(scaled.cpu().numpy(), np.uint8)
