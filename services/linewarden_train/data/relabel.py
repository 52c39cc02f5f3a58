"""The same pictures under other groups."""

from collections.abc import Sequence
from dataclasses import replace

from linewarden_train.data.samples import Label, Sample, Samples


class Relabelled:
    """Samples with labels that replace their own, one for one."""

    def __init__(self, samples: Samples, labels: Sequence[Label]) -> None:
        self._samples = samples
        self.labels: Sequence[Label] = list(labels)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample under its new label."""
        return replace(self._samples[index], label=self.labels[index])

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.labels)


def with_groups(samples: Samples, groups: Sequence[str]) -> Relabelled:
    """Put other groups on the samples, one for each; raises ValueError for another number of them."""
    pairs = zip(samples.labels, groups, strict=True)
    return Relabelled(samples, [replace(label, group=group) for label, group in pairs])
