"""A recipe's criteria in a qualification: which true defects lie beyond them, and which marked ones they let go."""

from collections.abc import Sequence
from dataclasses import replace

from linewarden_domain.acceptance import criteria_digest, judged
from linewarden_schemas.recipe import Recipe, Thresholds, ViewSpec
from linewarden_train.data.samples import Label, Sample, Samples
from linewarden_vision.card import Card
from linewarden_vision.inspecting.judging import judged_view, thresholds_of_card
from linewarden_vision.inspecting.measuring import measured
from linewarden_vision.inspector import ViewScore


class CriteriaJudge:
    """Judges pictures of one view as inspect does, at one time (epoch ms, held against the scale's end)."""

    def __init__(self, recipe: Recipe, view_id: str | None, at_ms: int) -> None:
        """Raise ValueError for a view that is none, has no valid scale, or for a recipe with thresholds of its own."""
        views = [view for view in recipe.views if view_id in (None, view.view_id)]
        if len(views) != 1:
            raise ValueError(f"name one view of the recipe: {', '.join(view.view_id for view in recipe.views)}")
        if recipe.thresholds is not None:
            raise ValueError("the recipe has thresholds of its own, and a qualification speaks of the bundle's")
        self.recipe, self.view, self._at_ms = recipe, views[0], at_ms
        until = self.view.scale_until_ms
        if self.view.mm_per_pixel is None or (until is not None and at_ms >= until):
            raise ValueError(f"view {self.view.view_id} has no valid scale: run linewarden camera calibrate")

    @property
    def digest(self) -> str | None:
        """Digest of the criteria; None where they let nothing go."""
        return criteria_digest(self.recipe)

    def is_beyond(self, sample: Sample) -> bool:
        """Whether a true defect lies beyond what is accepted; one that nobody marked does, whatever its size."""
        if sample.mask is None or not sample.mask.any():
            return True
        found = measured(sample.mask, self.recipe, self.view, self.view.region, self._at_ms)
        kind = {"defect_class": sample.label.defect_class}
        told = judged([one.model_copy(update=kind) for one in found or ()], self.recipe.criteria)
        return found is None or not all(one.is_within for one in told)

    def lets_go(self, score: ViewScore, card: Card) -> bool:
        """Whether an NG becomes OK, since all that is marked is accepted or ignored."""
        limits: Thresholds = thresholds_of_card(card, None)
        region = self.view.region
        return judged_view(score, self.recipe, self.view.view_id, region, limits, self._at_ms).accepted


class CutSamples:
    """Samples cut to a view's region, which pictures that are no larger are already."""

    def __init__(self, samples: Samples, view: ViewSpec) -> None:
        self._samples, self._view = samples, view
        self.labels: Sequence[Label] = samples.labels

    def __getitem__(self, index: int) -> Sample:
        """Return one sample; raises ValueError for a picture in which the region does not lie."""
        sample, region = self._samples[index], self._view.region
        if region is None or sample.picture.shape[:2] == (region.height, region.width):
            return sample
        if self._view.locate is not None:
            raise ValueError(
                f"{sample.label.name}: view {self._view.view_id} has the part located, and here nothing does; give "
                "pictures that are cut to its region"
            )
        spot = (slice(region.y, region.y + region.height), slice(region.x, region.x + region.width))
        picture = sample.picture[spot]
        if picture.shape[:2] != (region.height, region.width):
            raise ValueError(
                f"{sample.label.name}: the region of view {self._view.view_id} does not lie in the picture"
            )
        return replace(sample, picture=picture, mask=None if sample.mask is None else sample.mask[spot])

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._samples)
