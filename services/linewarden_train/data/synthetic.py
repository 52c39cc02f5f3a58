"""Synthetic parts as a data set, held in memory."""

from collections.abc import Sequence

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_vision.synthetic.part import make_part


class SyntheticSamples:
    """All views of the parts with the given seeds, difficulties in turn; each part is its own group."""

    def __init__(
        self,
        seeds: Sequence[int],
        *,
        defect_rate: float,
        difficulties: Sequence[float],
        views: int = 3,
        size: int = 160,
    ) -> None:
        if not difficulties:
            raise ValueError("at least one difficulty")
        self._samples = [
            Sample(view.picture, view.mask, Label(view.defect_class or GOOD, f"part-{seed}", part=f"part-{seed}"))
            for order, seed in enumerate(seeds)
            for view in make_part(
                seed,
                views=views,
                size=size,
                defect_rate=defect_rate,
                difficulty=difficulties[order % len(difficulties)],
            ).views
        ]
        self.views = views
        self.labels: Sequence[Label] = [sample.label for sample in self._samples]

    def __getitem__(self, index: int) -> Sample:
        """Return one view."""
        return self._samples[index]

    def __len__(self) -> int:
        """Count the views."""
        return len(self._samples)
