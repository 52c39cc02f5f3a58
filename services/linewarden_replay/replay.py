"""Replay: recorded frames, inspected again into a namespace of its own, held against what was said then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from linewarden_history.reading import records_since
from linewarden_history.selection import Selection
from linewarden_replay.inspecting import RecordedFrame, ReplayPlan, Setting
from linewarden_replay.report import ReplayReport, report_of
from linewarden_replay.rerun.judge import judge_all
from linewarden_replay.rerun.keeping import keeping
from linewarden_replay.rerun.results import Results
from linewarden_runtime.books import LineBook, RecipeBook, readable
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.guard import require_live
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord
from linewarden_schemas.capture import FrameMetadata
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode_frame
from linewarden_schemas.ids import Namespace, recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.recipe import Recipe


def run(
    broker: Broker,
    live: Namespace,
    plan: ReplayPlan,
    *,
    results: Path | None = None,
    is_chosen: Callable[[str], bool] = lambda _visit: True,
    progress: Callable[[int], None] = lambda _done: None,
) -> ReplayReport:
    """Inspect a selection again, those of its visits whose id `is_chosen`, and compare.

    Reads the live namespace by assign(), commits nothing, and writes its inspections to `replay.<name>` alone. With a
    file for `results`, a run that was interrupted is gone on with. `progress` is told how many more frames are done.

    Raises:
        LiveTopicRefused: where `live` is no live namespace, or anything would be written outside the own one.
        BundleError: for another bundle that is not in the store.
        ConfigurationError: for another recipe that was never published.
        ResultsUnusable: for a file that holds the results of another run.
    """
    require_live(live)
    with RecipeBook(broker, live) as book:
        recipes = book.all.by_key()
    recipe = _other_recipe(recipes, plan.setting)
    identity = plan.identity(live, recipe)
    own = Namespace(f"replay.{plan.name or identity[:12]}")
    selection, gone = plan.selection, Counter[str]()
    with Results(results, identity, own.name) as kept:
        with keeping(broker, live, own, kept) as keeper, LineBook(broker, live) as lines:
            told = map(readable, records_since(broker, live.topic("dispositions"), selection.from_ms))
            kept.route(one for one in told if isinstance(one, Disposition) and one.revision == 0)
            said = map(readable, records_since(broker, live.topic("inspections"), selection.from_ms))
            answers = (one for one in said if isinstance(one, Inspection))
            kept.record(one for one in answers if selection.holds(one.line_id, one.captured_ms))
            records = records_since(broker, live.topic("frames"), selection.from_ms)
            frames = _not_done(records, selection, is_chosen, kept, lines, gone)
            for judged in judge_all(plan, recipes, iter(lambda: list(islice(frames, 16)), [])):
                keeper.keep(judged)
                progress(len(judged))
        kept.finish()
        key = None if recipe is None else recipe_key(recipe.recipe_id, recipe.version, recipe.digest())
        return report_of(kept, own.name, plan.setting.bundle, key, gone["unreadable"], gone["pinned_otherwise"])


def _other_recipe(recipes: dict[str, Recipe], setting: Setting) -> Recipe | None:
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


def beside_then(one: RecordedFrame, results: Results) -> RecordedFrame:
    """A frame with what was answered then."""
    answer, maps = results.then(one.frame.meta.frame_id) or (None, None)
    return replace(one, then=answer, maps=maps)


def _not_done(
    records: Iterable[InRecord],
    selection: Selection,
    is_chosen: Callable[[str], bool],
    results: Results,
    lines: LineBook,
    gone: Counter[str],
) -> Iterator[RecordedFrame]:
    """Frames of a selection that are not done yet; one that lies in the log twice counts once.

    `gone` counts those that are `unreadable` or `pinned_otherwise`.
    """
    for record in records:
        try:
            one = RecordedFrame(record, decode_frame(record.headers, record.value))
        except EnvelopeError:
            gone["unreadable"] += 1
            continue
        meta = one.frame.meta
        if selection.holds_frame(meta) and is_chosen(meta.visit_id):
            gone["pinned_otherwise"] += is_pinned_otherwise(meta, lines)
            if results.take(meta.frame_id):
                yield beside_then(one, results)


def is_pinned_otherwise(meta: FrameMetadata, lines: LineBook) -> bool:
    """Whether another recipe was active on the frame's line when it was captured."""
    active = lines.activation(meta.line_id, meta.captured_ms)
    return active is not None and not active.recipe.is_same(meta.recipe)
