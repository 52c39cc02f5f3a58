"""Replay: recorded frames, inspected again into a namespace of its own, held against what was said then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from linewarden_history.reading import records_since
from linewarden_history.selection import Selection
from linewarden_runtime.books import LineBook, RecipeBook, readable
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.guard import require_live
from linewarden_runtime.ports import Broker
from linewarden_schemas.capture import FrameMetadata
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode_frame
from linewarden_schemas.ids import Namespace, recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.judging import code_version

from .compare import Tolerances
from .inspecting import Recorded, Setting
from .report import ReplayReport, report_of
from .rerun.judge import Bench, Work
from .rerun.keeping import keeping
from .rerun.pool import judge_all
from .rerun.results import Results

_BATCH = 16
Progress = Callable[[int], None]
"""Called with the number of frames done since the last call."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to inspect again, and by what. `name` names the namespace of the run; its identity by default."""

    selection: Selection
    store: Path
    setting: Setting = field(default_factory=Setting)
    device: str = "auto"
    precision: str = "auto"
    tolerances: Tolerances = field(default_factory=Tolerances)
    workers: int = 1
    name: str | None = None
    torch_threads: int = 0

    def identity(self, live: Namespace, recipe: Recipe | None) -> str:
        """A digest of all that the results depend on: selection, bundle, recipe, code and device.

        Where no other recipe is tried, each frame's own counts, and a version of a recipe never changes.
        """
        told = {
            "live": live.name,
            "selection": self.selection.words(),
            "bundle": self.setting.bundle,
            "recipe": None if recipe is None else hashlib.sha256(recipe.to_json()).hexdigest(),
            "code": code_version(),
            "device": [self.device, self.precision, self.torch_threads],
            "tolerances": asdict(self.tolerances),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def bench(self, recipes: Mapping[str, Recipe]) -> Bench:
        """What its workers need, beside recipes by ID@VERSION."""
        return Bench(
            self.store, self.setting, recipes, self.device, self.precision, self.tolerances, self.torch_threads
        )


def run(
    broker: Broker,
    live: Namespace,
    plan: Plan,
    *,
    results: Path | None = None,
    is_chosen: Callable[[str], bool] = lambda _visit: True,
    progress: Progress = lambda _done: None,
) -> ReplayReport:
    """Inspect a selection again, those of its visits whose id `is_chosen`, and compare.

    Reads the live namespace by assign(), commits nothing, and writes its inspections to `replay.<name>` alone. With a
    file for `results`, a run that was interrupted is gone on with.

    Raises:
        LiveTopicRefused: where `live` is no live namespace, or anything would be written outside the own one.
        BundleError: for another bundle that is not in the store.
        ConfigurationError: for another recipe that was never published.
        ResultsUnusable: for a file that holds the results of another run.
    """
    require_live(live)
    recipes = known_recipes(broker, live)
    recipe = other_recipe(recipes, plan.setting)
    identity = plan.identity(live, recipe)
    own = Namespace(f"replay.{plan.name or identity[:12]}")
    bench = plan.bench(recipes)
    with Results(results, identity, own.name) as kept:
        frames = _Frames(broker, live, plan.selection, kept, is_chosen)
        with keeping(broker, live, own, kept) as keeper, closing(LineBook(broker, live)) as lines:
            learn(broker, live, plan.selection, kept)
            for batch in judge_all(bench, batches(frames.works(lines)), plan.workers):
                keeper.keep(batch)
                progress(len(batch))
        kept.finish()
        key = None if recipe is None else recipe_key(recipe.recipe_id, recipe.version, recipe.digest())
        gone = frames.unreadable, frames.pinned_otherwise
        return report_of(kept, own.name, plan.setting.bundle, key, *gone)


def known_recipes(broker: Broker, live: Namespace) -> dict[str, Recipe]:
    """The known versions by ID@VERSION, and every content that was published by ID@VERSION@DIGEST."""
    with closing(RecipeBook(broker, live)) as book:
        return book.all.by_key()


def other_recipe(recipes: dict[str, Recipe], setting: Setting) -> Recipe | None:
    """The recipe that a setting puts in the place of a frame's own; raises ConfigurationError for an unknown one."""
    if setting.recipe is None:
        return None
    key = recipe_key(setting.recipe.recipe_id, setting.recipe.version, setting.recipe.digest)
    if key not in recipes:
        known = ", ".join(sorted(one for one in recipes if one.count("@") == 1)) or "none"
        raise ConfigurationError(
            f"recipe {key} was never published, or with more than one content; known are {known}; "
            "see 'linewarden recipe list'"
        )
    return recipes[key]


def learn(broker: Broker, live: Namespace, selection: Selection, results: Results) -> None:
    """Keep what was answered and routed then."""
    results.route(_first_routings(broker, live, selection))
    results.record(_inspections(broker, live, selection))


def batches(works: Iterator[Work]) -> Iterator[list[Work]]:
    """Works as they go to a device."""
    while batch := list(islice(works, _BATCH)):
        yield batch


def work_of(one: Recorded, results: Results) -> Work:
    """A frame beside what was answered then."""
    then = results.then(one.frame.meta.frame_id)
    if then is None:
        return Work(one, None)
    was_late = then.answer.undecidable is Undecidable.LATE
    return Work(Recorded(one.record, one.frame, was_late), then.answer, then.maps)


class _Frames:
    """Frames of a selection that are not done yet; one that lies in the log twice counts once."""

    def __init__(
        self,
        broker: Broker,
        live: Namespace,
        selection: Selection,
        results: Results,
        is_chosen: Callable[[str], bool],
    ) -> None:
        self._broker, self._live, self._selection = broker, live, selection
        self._results, self._is_chosen = results, is_chosen
        self.unreadable = 0
        self.pinned_otherwise = 0

    def works(self, lines: LineBook) -> Iterator[Work]:
        """Each frame with what was answered then; what cannot be read is counted."""
        for one in self._recorded():
            meta = one.frame.meta
            if self._selection.holds_frame(meta) and self._is_chosen(meta.visit_id):
                self.pinned_otherwise += is_pinned_otherwise(meta, lines)
                if self._results.take(meta.frame_id):
                    yield work_of(one, self._results)

    def _recorded(self) -> Iterator[Recorded]:
        for record in records_since(self._broker, self._live.topic("frames"), self._selection.from_ms):
            try:
                frame = decode_frame(record.headers, record.value)
            except EnvelopeError:
                self.unreadable += 1
                continue
            yield Recorded(record, frame)


def is_pinned_otherwise(meta: FrameMetadata, lines: LineBook) -> bool:
    """Whether another recipe was active on the frame's line when it was captured."""
    active = lines.activation(meta.line_id, meta.captured_ms)
    return active is not None and not active.recipe.is_same(meta.recipe)


def _inspections(broker: Broker, live: Namespace, selection: Selection) -> Iterable[Inspection]:
    for record in records_since(broker, live.topic("inspections"), selection.from_ms):
        message = readable(record)
        if isinstance(message, Inspection) and selection.holds(message.line_id, message.captured_ms):
            yield message


def _first_routings(broker: Broker, live: Namespace, selection: Selection) -> Iterable[Disposition]:
    for record in records_since(broker, live.topic("dispositions"), selection.from_ms):
        message = readable(record)
        if isinstance(message, Disposition) and message.revision == 0:
            yield message
