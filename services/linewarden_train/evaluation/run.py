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
from linewarden_train.evaluation.ingredients import EveryIngredient
from linewarden_train.evaluation.of_bundle import Rows, Shown, inspect_samples, scored_of
from linewarden_train.evaluation.results import Evaluation, Plan, Source
from linewarden_train.evaluation.scored import Values
from linewarden_train.rivals.interface import Rival
from linewarden_train.rivals.scoring import all_rivals, score_with
from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle
from linewarden_vision.errors import UnusablePicture
from linewarden_vision.inspector import Inspector
from linewarden_vision.trust.enhancement import Enhancement

OnProgress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""
INSPECTING, FITTING = "inspecting", "fitting rivals"
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
    told = _counting(on_progress, INSPECTING, len(samples))
    _announce(task, len(samples), on_progress)
    rows = inspect_samples(inspector, samples, worst=task.worst, on_scored=told)
    if not rows.decided:
        raise ValueError(f"not one of {len(samples)} pictures can be judged: {dict(rows.undecidable)}")
    decided = Subset(samples, rows.decided)
    scored = scored_of(inspector, samples, rows, _more_scores(bundle, inspector, decided, task, on_progress))
    limit = bundle.card.thresholds.suspicion.value
    found = evaluate(scored, task.plan, np.random.default_rng(task.seed), divert_from=limit)
    source = _source(bundle, inspector, samples, task)
    notes = _notes(bundle, samples, rows)
    if task.reference is None:
        notes.append("rivals were left out: no pictures were given to fit them on")
    return found.model_copy(update={"source": source, "notes": notes}), rows.worst


def _more_scores(
    bundle: Bundle, inspector: Inspector, samples: Samples, task: Task, on_progress: OnProgress
) -> Mapping[str, Values]:
    """Score every ingredient, and with a reference every rival, from the same passes.

    Rivals are fitted on those reference pictures that can be judged.
    """
    network, spec, second = network_of(bundle), bundle.card.picture, bundle.card.trust.second
    asked: list[Rival] = []
    if task.reference is not None:
        reference = Subset(task.reference, _usable(inspector, task.reference))
        told = _counting(on_progress, FITTING, len(reference))
        asked += all_rivals(network, reference, spec, rng=np.random.default_rng(task.seed), on_scored=told)
    named = [part.name for part in (*bundle.card.trust.ingredients, *(second.ingredients if second else ()))]
    asked.append(EveryIngredient(Enhancement(epsilon=second.epsilon if second else _EPSILON), named))
    told = _counting(on_progress, _scoring(task), len(samples))
    return score_with(asked, network, samples, spec, on_scored=told)


def _usable(inspector: Inspector, samples: Samples) -> list[int]:
    usable = []
    for index in range(len(samples)):
        with contextlib.suppress(UnusablePicture):  # a rival is fitted on what can be judged
            inspector.prepare(samples[index].picture)
            usable.append(index)
    return usable


def _announce(task: Task, count: int, on_progress: OnProgress) -> None:
    """Name all steps before the first begins: what is left is more than the rest of one step."""
    on_progress(INSPECTING, 0, count)
    if task.reference is not None:
        on_progress(FITTING, 0, len(task.reference))
    on_progress(_scoring(task), 0, count)


def _scoring(task: Task) -> str:
    return "every ingredient" if task.reference is None else "every ingredient and rival"


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
