"""Looking at every picture and mask of a set before anything is taught on it; all errors in one list."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from linewarden_train.data.samples import Samples


@dataclass(frozen=True, slots=True)
class SetReport:
    """What is wrong with a set.

    ``errors`` are sentences, one for each file or name; ``unannotated`` names the defective pictures
    whose mask is missing or empty: they are kept for classification only.
    """

    pictures: int
    errors: list[str]
    unannotated: list[str]


class UnsoundSet(ValueError):  # a set that must be mended, with everything that is wrong with it
    """The set holds files that cannot be used; ``report`` has all of them, the message the first 20."""

    def __init__(self, report: SetReport) -> None:
        self.report = report
        shown = report.errors[:20]
        rest = len(report.errors) - len(shown)
        lines = [f"{len(report.errors)} errors in {report.pictures} pictures:", *shown]
        super().__init__("\n  ".join([*lines, f"and {rest} more"] if rest else lines))


def inspect_set(samples: Samples, on_picture: Callable[[int], None] = lambda _: None) -> SetReport:
    """Decode every picture and mask; ``on_picture`` hears how many are done.

    Found are unreadable and missing files, masks of another size or that mark by other values than the rest, marks
    on good pictures, names that occur twice, and defective pictures without anything marked.
    """
    counts = Counter(label.name for label in samples.labels if label.name)
    errors = [f"{name} occurs {count} times" for name, count in counts.items() if count > 1]
    unannotated = []
    scales: dict[str, list[str]] = defaultdict(list)
    for index, label in enumerate(samples.labels):
        try:
            sample = samples[index]
        except ValueError as error:
            errors.append(str(error))
        else:
            if label.defective and sample.mask is None:
                unannotated.append(label.name or f"picture {index}")
            if sample.scale is not None:
                scales[str(sample.scale.value)].append(label.name)
        on_picture(index + 1)
    if len(scales) > 1:
        told = "; ".join(f"{scale} in {len(names)}, as for {names[0]}" for scale, names in sorted(scales.items()))
        errors.append(f"the masks of the set mark in several ways, of which one is wrong: {told}")
    return SetReport(len(samples), errors, unannotated)


def check_set(samples: Samples, on_picture: Callable[[int], None] = lambda _: None) -> SetReport:
    """Do the same; raises UnsoundSet, a ValueError, where there is any error."""
    report = inspect_set(samples, on_picture)
    if report.errors:
        raise UnsoundSet(report)
    return report
