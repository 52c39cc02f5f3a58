"""The inspector: pictures in, scores out, from a bundle that passed its activation gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle, read_bundle
from linewarden_vision.card import Card
from linewarden_vision.device import Precision, choose_device, choose_precisions, precision_of, to_device
from linewarden_vision.errors import GateError, ScoresNotFinite
from linewarden_vision.gate import GateReport, check_golden
from linewarden_vision.golden import Golden
from linewarden_vision.graphs import Fallbacks, ForwardMode, GraphedForward, choose_modes, make_forward
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import Prepared, prepare_picture
from linewarden_vision.qualification import Qualification
from linewarden_vision.region_classes import ClassHead, ClassMap
from linewarden_vision.standing import OkBacking
from linewarden_vision.stitching import Mosaic, Tile, TileScore, passes
from linewarden_vision.trust.cascade import Assessment, assess

MAX_BATCH = 32


@dataclass(frozen=True, slots=True)
class ViewScore:
    """What network and trust say about one picture.

    p_defect is the sigmoid of the margin. mask is bool at the picture's native size. The maps are
    uint8, one cell for each 8 x 8 pixels of the scaled picture, on the bundle's fixed scale.
    ingredients are raw values by name (of the most suspicious tile), those of the second look only
    where it ran. ``classes`` tells what a marked region shows, where the bundle can.
    """

    p_defect: float
    margin: float
    suspicion: float
    ingredients: dict[str, float]
    mask: NDArray[np.bool_]
    class_specific: NDArray[np.uint8]
    class_agnostic: NDArray[np.uint8]
    classes: ClassMap | None = None


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
        forward: ForwardMode = "eager",
        max_batch: int = MAX_BATCH,
        classes: ClassHead | None = None,
    ) -> None:
        """Take a network in eval mode on that device as it is, ungated: ``load`` is the way to production."""
        self.digest = digest
        self.card = card
        self.device = device
        self.precision: Precision = precision
        self.forward: ForwardMode = forward
        self.gate = GateReport(0.0, 0.0, ())
        self.qualification: Qualification | None = None
        self.standing = OkBacking(card.stage)
        self._device = torch.device(device)
        self._network = network
        self._max_batch = max_batch
        self._classes = classes
        self._fallbacks = Fallbacks()
        shape = (card.picture.channels, card.picture.height, card.picture.width)
        self._forward = make_forward(forward, network, shape, max_batch, self._fallbacks)
        self._trust = card.trust.build()

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "auto",
        precision: str = "auto",
        forward: str = "auto",
        max_batch: int = MAX_BATCH,
        expected_digest: str | None = None,
    ) -> "Inspector":
        """Load, verify and gate a bundle.

        With "auto" the first precision and way of the forward pass that repeat every golden verdict are
        taken. Raises BundleError for a damaged bundle, GateError when a golden verdict flips, ValueError
        for an unknown device, precision or way.
        """
        bundle = read_bundle(folder, expected_digest=expected_digest)
        return cls.from_bundle(bundle, device, precision, forward=forward, max_batch=max_batch)

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        device: str = "auto",
        precision: str = "auto",
        *,
        forward: str = "auto",
        max_batch: int = MAX_BATCH,
    ) -> "Inspector":
        """Do the same for a bundle in memory."""
        target = choose_device(device)
        network = network_of(bundle).to(target)
        ways = list(product(choose_precisions(precision, target), choose_modes(forward, target)))
        refused: list[str] = []
        for number, mode in ways:
            inspector = cls(
                bundle.card,
                network,
                digest=bundle.digest,
                device=str(target),
                precision=number,
                forward=mode,
                max_batch=max_batch,
                classes=bundle.classes,
            )
            try:
                inspector.qualification = bundle.qualification
                inspector.gate = inspector.pass_gate(bundle.golden, tuple(refused))
                inspector.standing = OkBacking.of(bundle, number)
            except (GateError, ScoresNotFinite) as error:
                refused.append(f"{number}, {mode}: {error}")
            else:
                return inspector
        raise GateError(f"bundle {bundle.digest[:12]} on {target}: {refused[-1]}")

    @property
    def eager_passes(self) -> dict[str, int]:
        """Passes that should have run from a CUDA graph or compiled but ran eager, by reason."""
        return dict(self._fallbacks.counts)

    def prepare(self, picture: NDArray[np.generic]) -> Prepared:
        """Prepare HxW or HxWx3 (RGB) uint8 or uint16; thread-safe. Raises UnusablePicture."""
        return prepare_picture(picture, self.card.picture)

    def score(self, batch: Sequence[Prepared]) -> list[ViewScore]:
        """Score prepared pictures of any sizes, in their order, in device passes of at most ``max_batch`` tiles.

        The doubtful get a second, smaller pass. A picture scores the same in any batch, up to rounding.
        Raises ScoresNotFinite.
        """
        unfinished: dict[int, Mosaic] = {}
        found: dict[int, ViewScore] = {}
        for tiles in passes(batch, self._max_batch):
            for tile, score in zip(tiles, self._pass(tiles), strict=True):
                if tile.owner not in unfinished:
                    unfinished[tile.owner] = Mosaic(batch[tile.owner])
                mosaic = unfinished[tile.owner]
                mosaic.add(tile.origin, score)
                if mosaic.is_whole:
                    found[tile.owner] = self._merge(unfinished.pop(tile.owner), batch[tile.owner])
        return [found[owner] for owner in range(len(batch))]

    def pass_gate(self, golden: Golden, refused: tuple[str, ...] = ()) -> GateReport:
        """Score the golden set here, at every captured batch size; raises GateError if a verdict or a doubt differs."""
        prepared = [self.prepare(picture) for picture in golden.pictures]
        sizes = self._forward.sizes if isinstance(self._forward, GraphedForward) else (len(prepared),)
        way = f"{self.precision}, {self.forward}"
        reports = [
            check_golden(
                self.card.thresholds,
                [
                    score
                    for start in range(0, len(prepared), size)
                    for score in self.score(prepared[start : start + size])
                ],
                golden.answers,
                way,
            )
            for size in sizes
        ]
        return GateReport(
            margin_deviation=max(report[0] for report in reports),
            suspicion_deviation=max(report[1] for report in reports),
            refused=refused,
        )

    def _pass(self, tiles: Sequence[Tile]) -> list[TileScore]:
        pictures = to_device(tiles, self._device, self.card.picture.mean, self.card.picture.std)
        with precision_of(self._device, self.precision):
            limit = self.card.thresholds.defect.value
            assessed = assess(
                self._network,
                pictures,
                self._trust,
                reject_above=limit,
                grey_level=1 / self.card.picture.std,
                forward=self._forward,
            )
            return self._read(assessed)

    def _read(self, assessed: Assessment) -> list[TileScore]:
        margins = np.asarray(assessed.output.margin.float().cpu().numpy(), np.float64)
        logits = assessed.output.mask_logits.float().cpu().numpy()
        broken = ~np.isfinite(margins) | ~np.isfinite(assessed.suspicion) | ~np.isfinite(logits).all((1, 2))
        if broken.any():
            raise ScoresNotFinite(f"no finite scores for {int(broken.sum())} of {len(margins)} tiles")
        scales = self.card.map_scales
        specific = _to_bytes(assessed.maps.defect, scales.class_specific)
        agnostic = _to_bytes(assessed.maps.agnostic, scales.class_agnostic)
        classes = None if self._classes is None else self._classes.cell_logits(assessed.output)
        return [
            TileScore(
                margin=float(margins[row]),
                suspicion=float(assessed.suspicion[row]),
                ingredients=self._named(assessed.ingredients[row]),
                logits=logits[row],
                class_specific=specific[row],
                class_agnostic=agnostic[row],
                classes=None if classes is None else classes[row],
            )
            for row in range(len(margins))
        ]

    def _merge(self, mosaic: Mosaic, prepared: Prepared) -> ViewScore:
        whole, mask = mosaic.merged(self.card.thresholds.mask.value, self.card.thresholds.mask_peak)
        return ViewScore(
            p_defect=float(expit(whole.margin)),
            margin=whole.margin,
            suspicion=whole.suspicion,
            ingredients=whole.ingredients,
            mask=mask,
            class_specific=whole.class_specific,
            class_agnostic=whole.class_agnostic,
            classes=self._class_map(whole.classes, prepared),
        )

    def _class_map(self, cells: NDArray[np.float32] | None, prepared: Prepared) -> ClassMap | None:
        if self._classes is None or cells is None:
            return None
        whole = (int(prepared.pixels.shape[0]), int(prepared.pixels.shape[1]))
        return ClassMap(self._classes, cells, whole, prepared.inner, prepared.native)

    def _named(self, values: NDArray[np.float64]) -> dict[str, float]:
        second = [] if self._trust.second is None else list(self._trust.second.names)
        names = [*self._trust.names, *second]
        return {name: float(value) for name, value in zip(names, values, strict=True) if not np.isnan(value)}


def _to_bytes(values: torch.Tensor, full: float) -> NDArray[np.uint8]:
    scaled = (values.float() * (255.0 / full)).clamp(0, 255).round().to(torch.uint8)
    return np.asarray(scaled.cpu().numpy(), np.uint8)
