"""One bundle on one side of one set: score it, evaluate it, say where every number comes from."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
from torch import Tensor

from linewarden_domain.resampling import Values
from linewarden_train.data.groups import Subset
from linewarden_train.data.samples import Samples, digest_of
from linewarden_train.evaluation.evaluate import evaluate
from linewarden_train.evaluation.of_bundle import Rows, ShownMiss, inspect_samples, scored_of
from linewarden_train.evaluation.results import Evaluation, EvaluationPlan, EvaluationSource
from linewarden_train.progress import OnProgress, counting
from linewarden_train.rivals.interface import Look, Rival
from linewarden_train.rivals.scoring import all_rivals, score_with
from linewarden_train.training.classes import class_table
from linewarden_train.training.scoring import with_built_in
from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle
from linewarden_vision.errors import UnusablePicture
from linewarden_vision.inspector import Inspector
from linewarden_vision.trust.enhancement import Enhancement, Source
from linewarden_vision.trust.ingredients import named_ingredients
from linewarden_vision.trust.maps import make_maps


@dataclass(frozen=True, slots=True)
class Task:
    """What to evaluate; ``seed`` is of the bootstrap and of rivals that draw.

    ``reference`` holds pictures that taught the bundle: some rivals are fitted on them. None leaves rivals out.
    """

    set_name: str
    split: str
    date: str
    seed: int = 0
    plan: EvaluationPlan = field(default_factory=EvaluationPlan)
    worst: int = 12
    reference: Samples | None = None


def evaluate_bundle(
    bundle: Bundle, inspector: Inspector, samples: Samples, task: Task, *, on_progress: OnProgress
) -> tuple[Evaluation, list[ShownMiss]]:
    """Evaluate, and return the worst misses beside it.

    Raises ValueError where nothing can be said: no good picture, or none that can be judged.
    """
    # all steps are named before the first begins: what is left is more than the rest of one step
    on_progress("inspecting", 0, len(samples))
    if task.reference is not None:
        on_progress("fitting rivals", 0, len(task.reference))
    on_progress(_scoring(task), 0, len(samples))
    told = counting(on_progress, "inspecting", len(samples))
    rows = inspect_samples(inspector, samples, worst=task.worst, on_scored=told)
    if not rows.decided:
        raise ValueError(f"not one of {len(samples)} pictures can be judged: {dict(rows.undecidable)}")
    decided = Subset(samples, rows.decided)
    scored = scored_of(inspector, samples, rows, _more_scores(bundle, inspector, decided, task, on_progress))
    limit = bundle.card.thresholds.suspicion.value
    found = evaluate(scored, task.plan, np.random.default_rng(task.seed), divert_from=limit)
    source = EvaluationSource(
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
    notes = _notes(bundle, samples, rows)
    if task.reference is None:
        notes.append("rivals were left out: no pictures were given to fit them on")
    classes = None
    if bundle.classes is not None:
        classes = class_table(f"regions that the bundle marked, {task.set_name} {task.split}".strip(), rows.regions)
    return found.model_copy(
        update={"source": source, "notes": notes, "classes": classes, "shared_groups": _shared(bundle, samples)}
    ), rows.worst


def _more_scores(
    bundle: Bundle, inspector: Inspector, samples: Samples, task: Task, on_progress: OnProgress
) -> Mapping[str, Values]:
    """Score every ingredient, and with a reference every rival, from the same passes.

    Rivals are fitted on those reference pictures that can be judged.
    """
    network, spec, second = network_of(bundle), bundle.card.picture, bundle.card.trust.second
    asked: list[Rival] = []
    if task.reference is not None:
        usable = []
        for index in range(len(task.reference)):
            with contextlib.suppress(UnusablePicture):  # a rival is fitted on what can be judged
                inspector.prepare(task.reference[index].picture)
                usable.append(index)
        reference = Subset(task.reference, usable)
        told = counting(on_progress, "fitting rivals", len(reference))
        asked += all_rivals(network, reference, spec, rng=np.random.default_rng(task.seed), on_scored=told)
    named = [part.name for part in (*bundle.card.trust.ingredients, *(second.ingredients if second else ()))]
    asked.append(every_ingredient(second.epsilon if second else 0.15, named))
    told = counting(on_progress, _scoring(task), len(samples))
    return score_with(asked, network, samples, spec, on_scored=told)


def _scoring(task: Task) -> str:
    return "every ingredient" if task.reference is None else "every ingredient and rival"


def _notes(bundle: Bundle, samples: Samples, rows: Rows) -> list[str]:
    notes = [f"{count} pictures not decidable: {reason}" for reason, count in sorted(rows.undecidable.items())]
    if bundle.groups is None:
        return [*notes, "the bundle does not say which groups taught it: nobody checked that these are others"]
    shared = _shared(bundle, samples)
    if shared:
        notes.append(f"{shared} groups of this set also made the bundle: nothing here is held out")
    return notes


def _shared(bundle: Bundle, samples: Samples) -> int | None:
    return None if bundle.groups is None else len(bundle.groups.overlap(label.group for label in samples.labels))


def every_ingredient(epsilon: float, also: Sequence[str] = ()) -> Rival:
    """Return what gives each built-in ingredient (B,) under its name, used or not, and those of ``also``."""
    names = with_built_in(also)

    def scores(look: Look) -> Mapping[str, Tensor]:
        output = look.output
        source = Source(look.pictures, output.pyramid, 1 / look.std)
        maps = make_maps(output.cells, output.tap)
        values = named_ingredients(look.network, source, output, maps, names, Enhancement(epsilon=epsilon))
        return dict(zip(names, values.unbind(1), strict=True))

    return scores
