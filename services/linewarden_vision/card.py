"""The card of a bundle: what it is, what it was taught, its thresholds and where they come from."""

from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from linewarden_vision.network.build import NetworkName
from linewarden_vision.trust.cascade import SecondLook, TrustModel
from linewarden_vision.trust.enhancement import Direction, Enhancement, Space, Stride
from linewarden_vision.trust.registry import find_cheap, find_second
from linewarden_vision.trust.suspicion import FEWEST_GOOD, MOST_INGREDIENTS, Logistic, Normaliser

Stage = Literal["taught", "shadow", "assisted", "released"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class NetworkSpec(_Strict):
    """Which network the weights belong to."""

    name: NetworkName
    encoder: str
    tap_channels: int = Field(gt=0)


class PictureSpec(_Strict):
    """What the network takes, and which pictures are fit to be judged (grey levels 0 to 255)."""

    height: int = Field(gt=0, multiple_of=32)
    width: int = Field(gt=0, multiple_of=32)
    channels: Literal[1, 3]
    mean: FiniteFloat
    std: FiniteFloat = Field(gt=0)
    brightness: tuple[FiniteFloat, FiniteFloat]
    """A picture whose mean lies outside is not judged (cap on the lens, light off, overexposed)."""
    contrast: tuple[FiniteFloat, FiniteFloat]
    """The same for its standard deviation (nothing there, out of focus altogether)."""
    scale: FiniteFloat = Field(default=1.0, gt=0, le=8)
    """Pixels of the input for each pixel of the picture; one number for all pictures, so that widths compare."""
    overlap: int = Field(default=32, ge=0)
    """Pixels of the input that neighbouring tiles share at least (at most a side less 32)."""
    pad: Literal["full", "multiple", "stretch"] = "full"
    """Small pictures grow by their own edge to height x width, or only to the next multiple of 32; or every picture
    is stretched by at most 16 pixels a side to the nearest one: then no made-up edge can look like a defect."""
    levels: FiniteFloat | None = Field(default=None, gt=0, le=65535)
    """White level of the camera, such as 4095 for 12 bits; absent: 255 for uint8, 65535 for uint16."""


class CalibrationProvenance(_Strict):
    """Where a number comes from: pictures by digest, how many, the point on the curve, the day."""

    set_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    set_name: str
    n: int = Field(gt=0)
    curve_point: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")


class Threshold(_Strict):
    """A number with its provenance."""

    value: FiniteFloat
    provenance: CalibrationProvenance


class BundleThresholds(_Strict):
    """A picture is NG when not margin <= defect; an OK is doubtful when not suspicion < suspicion.

    Written this way round, a value that is not a number rejects or diverts.
    """

    defect: Threshold
    suspicion: Threshold
    mask: Threshold
    """Mask logit from which on a pixel counts as defective."""
    mask_peak: FiniteFloat | None = None
    """Mask logit that the strongest pixel of a region must reach, or the region is dropped; None keeps all."""

    @property
    def named(self) -> dict[str, Threshold]:
        """Every threshold that the card has, by name; the mask's two were chosen together and share their source."""
        found = {"defect": self.defect, "suspicion": self.suspicion, "mask": self.mask}
        if self.mask_peak is not None:
            found["mask_peak"] = Threshold(value=self.mask_peak, provenance=self.mask.provenance)
        return found

    def is_defect(self, margin: float) -> bool:
        """Tell whether the verdict is NG."""
        return not margin <= self.defect.value

    def is_doubtful(self, suspicion: float) -> bool:
        """Tell whether an OK must not be trusted; ties divert."""
        return not suspicion < self.suspicion.value


class LogisticCard(_Strict):
    """Intercept and one non-negative coefficient per ingredient, in their order."""

    intercept: FiniteFloat
    coefficients: list[float] = Field(min_length=1, max_length=MOST_INGREDIENTS)

    @model_validator(mode="after")
    def _no_negative(self) -> "LogisticCard":
        if not all(value >= 0 for value in self.coefficients):
            raise ValueError("a coefficient of suspicion is never negative")
        return self

    def build(self) -> Logistic:
        """The logistic that turns rarities of the ingredients, in the card's order, into suspicion from 0 to 1."""
        return Logistic(self.intercept, tuple(self.coefficients))


class CheapIngredient(_Strict):
    """A trust score of the one pass and its sorted values on good calibration pictures."""

    name: Annotated[str, AfterValidator(lambda name: find_cheap(name).name)]
    good: list[FiniteFloat] = Field(min_length=FEWEST_GOOD)


class EnhancedIngredient(_Strict):
    """A trust score of the second look and its sorted values on good calibration pictures."""

    name: Annotated[str, AfterValidator(lambda name: find_second(name).name)]
    good: list[FiniteFloat] = Field(min_length=FEWEST_GOOD)


class SecondLookCard(_Strict):
    """Settings of the enhancement and what it adds."""

    ingredients: list[EnhancedIngredient] = Field(min_length=1)
    logistic: LogisticCard
    epsilon: FiniteFloat = Field(gt=0)
    space: Space = "feature"
    stride: Stride = 16
    steps: int = Field(default=1, ge=1)
    direction: Direction = "defect"
    gate: FiniteFloat

    def build(self) -> SecondLook:
        """The second look as the cascade takes it."""
        return SecondLook(
            names=[part.name for part in self.ingredients],
            normalisers=[Normaliser(np.asarray(part.good)) for part in self.ingredients],
            logistic=self.logistic.build(),
            enhancement=Enhancement(self.space, self.stride, self.epsilon, self.steps, self.direction),
            gate=self.gate,
        )


class TrustCard(_Strict):
    """Trust as it was calibrated: for each ingredient its values on good parts, and the logistic over rarities."""

    ingredients: list[CheapIngredient] = Field(min_length=1)
    logistic: LogisticCard
    second: SecondLookCard | None
    provenance: CalibrationProvenance

    @model_validator(mode="after")
    def _coefficients_match(self) -> "TrustCard":
        cheap = len(self.ingredients)
        if len(self.logistic.coefficients) != cheap:
            raise ValueError("one coefficient per ingredient")
        if self.second and len(self.second.logistic.coefficients) != cheap + len(self.second.ingredients):
            raise ValueError("one coefficient per ingredient of the second look")
        return self

    def build(self) -> TrustModel:
        """The model that turns ingredients of a batch into suspicion, with a second look where the card has one."""
        return TrustModel(
            names=[part.name for part in self.ingredients],
            normalisers=[Normaliser(np.asarray(part.good)) for part in self.ingredients],
            logistic=self.logistic.build(),
            second=None if self.second is None else self.second.build(),
        )


class MapScales(_Strict):
    """Map values shown as 255, the same for every picture of the bundle."""

    class_specific: FiniteFloat = Field(gt=0)
    class_agnostic: FiniteFloat = Field(gt=0)


class Card(_Strict):
    """Everything about a bundle but its weights and golden pictures."""

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")
    stage: Stage
    created: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    code_version: str
    network: NetworkSpec
    picture: PictureSpec
    class_names: list[str]
    thresholds: BundleThresholds
    trust: TrustCard
    map_scales: MapScales
    notes: list[str]
