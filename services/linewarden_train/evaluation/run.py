"""One bundle on one side of one set: score it, evaluate it, say where every number comes from."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np

from linewarden_train.data.digest import digest_of
from linewarden_train.data.groups import Subset
from linewarden_train.data.samples import Samples
from linewarden_train.evaluation.evaluate import evaluate
from linewarden_train.evaluation.of_bundle import Rows, Shown, inspect_samples, scored_of
from linewarden_train.evaluation.results import Evaluation, Plan, Source
from linewarden_train.evaluation.scored import Values
from linewarden_train.rivals.scoring import score_rivals
from linewarden_train.scoring import score_samples
from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle
from linewarden_vision.errors import UnusablePicture
from linewarden_vision.inspector import Inspector

OnProgress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""
_EPSILON = 0.15


@dataclass(frozen=True, slots=True)
class Task:
    """What to evaluate; ``seed`` is of the bootstrap and of rivals that draw.

    ``reference`` holds pictures that taught the bundle: some rivals are fitted on them. None leaves rivals out.
    """

    set_name: str
    split: str
    date: str
    seed: int = 0
    plan: Plan = field(default_factory=Plan)
    worst: int = 12
    reference: Samples | None = None


def evaluate_bundle(
    bundle: Bundle, inspector: Inspector, samples: Samples, task: Task, *, on_progress: OnProgress
) -> tuple[Evaluation, list[Shown]]:
    """Evaluate, and return the worst misses beside it.

    Raises ValueError where nothing can be said: no good picture, or none that can be judged.
    """
    rows = inspect_samples(
        inspector, samples, worst=task.worst, on_scored=_counting(on_progress, "inspecting", len(samples))
    )
    if not rows.decided:
        raise ValueError(f"not one of {len(samples)} pictures can be judged: {dict(rows.undecidable)}")
    decided = Subset(samples, rows.decided)
    more = {
        **rivals_of(bundle, inspector, decided, task, on_progress),
        **ingredients_of(bundle, decided, on_progress),
    }
    scored = scored_of(inspector, samples, rows, more)
    limit = bundle.card.thresholds.suspicion.value
    found = evaluate(scored, task.plan, np.random.default_rng(task.seed), divert_from=limit)
    source = _source(bundle, inspector, samples, task)
    notes = _notes(bundle, samples, rows)
    if task.reference is None:
        notes.append("rivals were left out: there are no pictures to fit them on")
    return found.model_copy(update={"source": source, "notes": notes}), rows.worst


def ingredients_of(bundle: Bundle, samples: Samples, on_progress: OnProgress) -> Mapping[str, Values]:
    """Score every ingredient of every picture, those that the bundle does not use included."""
    second = bundle.card.trust.second
    scores = score_samples(
        network_of(bundle),
        samples,
        bundle.card.picture,
        epsilon=second.epsilon if second else _EPSILON,
        on_batch=_counting(on_progress, "every ingredient", len(samples)),
    )
    return scores.ingredients


def rivals_of(
    bundle: Bundle, inspector: Inspector, samples: Samples, task: Task, on_progress: OnProgress
) -> Mapping[str, Values]:
    """Score every rival, fitted on those reference pictures that can be judged; none without a reference."""
    if task.reference is None:
        return {}
    on_progress("rivals", 0, len(samples))
    reference = Subset(task.reference, _usable(inspector, task.reference))
    found = score_rivals(
        network_of(bundle), samples, bundle.card.picture, reference=reference, rng=np.random.default_rng(task.seed)
    )
    on_progress("rivals", len(samples), len(samples))
    return found


def _usable(inspector: Inspector, samples: Samples) -> list[int]:
    usable = []
    for index in range(len(samples)):
        with contextlib.suppress(UnusablePicture):  # a rival is fitted on what can be judged
            inspector.prepare(samples[index].picture)
            usable.append(index)
    return usable


def _counting(on_progress: OnProgress, text: str, total: int) -> Callable[[int], None]:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        on_progress(text, done, total)

    return count


def _source(bundle: Bundle, inspector: Inspector, samples: Samples, task: Task) -> Source:
    return Source(
        bundle_digest=bundle.digest,
        content_digest=bundle.content,
        name=bundle.card.name,
        set_name=task.set_name,
        split=task.split,
        data_digest=digest_of(samples),
        device=inspector.device,
        precision=inspector.precision,
        code_version=version("linewarden"),
        date=task.date,
    )


def _notes(bundle: Bundle, samples: Samples, rows: Rows) -> list[str]:
    notes = [f"{count} pictures not decidable: {reason}" for reason, count in sorted(rows.undecidable.items())]
    if bundle.groups is None:
        return [*notes, "the bundle does not say which groups taught it: nobody checked that these are others"]
    shared = bundle.groups.overlap(label.group for label in samples.labels)
    if shared:
        notes.append(f"{len(shared)} groups of this set also made the bundle: nothing here is held out")
    return notes
