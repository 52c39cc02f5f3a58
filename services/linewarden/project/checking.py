"""Whether a project's files fit together, before anything is started."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from linewarden.commands.bundles import facts_of
from linewarden.commands.doctor import HealthCheck
from linewarden_ingest.settings import IngestOptions, IngestSettings, with_cameras
from linewarden_inspect.settings import WorkerProcess
from linewarden_reinspect.settings import StationProcess
from linewarden_route.settings import RouteSettings
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.recipe import Recipe, unjudged
from linewarden_schemas.violations import violations
from linewarden_vision.bundle import find_bundle, read_bundle
from linewarden_vision.errors import BundleError
from linewarden_vision.standing import LIVE_CODES, OkBacking


def look_through(folder: Path | None, now_ms: int) -> Iterator[HealthCheck]:
    """Settings of each service, cameras, and with a project's folder its recipe and the bundle that it names."""
    loaders: dict[str, Callable[[], object]] = {
        "ingest": IngestSettings.load,
        "inspect": WorkerProcess.load,
        "route": RouteSettings.load,
        "station": StationProcess.load,
    }
    for name, load in loaders.items():
        yield _well(f"settings of {name}", load)
    cameras = _cameras()
    if isinstance(cameras, HealthCheck):
        yield cameras
        return
    yield HealthCheck(f"cameras: {', '.join(one.camera_id for one in cameras.cameras)}", good=True)
    if folder is not None:
        yield from _recipe(folder / "recipe.json", cameras, now_ms)


def _well(check: str, load: Callable[[], object]) -> HealthCheck:
    try:
        load()
    except ConfigurationError as error:
        return HealthCheck(check, good=False, advice=str(error))
    return HealthCheck(check, good=True)


def _cameras() -> IngestOptions | HealthCheck:
    try:
        return with_cameras(IngestSettings.load().ingest)
    except ConfigurationError as error:
        return HealthCheck("cameras", good=False, advice=str(error))


def _recipe(file: Path, cameras: IngestOptions, now_ms: int) -> Iterator[HealthCheck]:
    try:
        recipe = Recipe.model_validate_json(file.read_bytes())
    except OSError as error:
        yield HealthCheck("recipe", good=False, advice=f"{file}: {error.strerror}; linewarden recipe example")
        return
    except ValidationError as error:
        yield HealthCheck("recipe", good=False, advice=f"{file}: {violations(error)}")
        return
    known = {one.camera_id for one in cameras.cameras}
    absent = sorted({view.camera_id for view in recipe.views} - known)
    advice = f"its views name cameras that are not there: {', '.join(absent)}; every part would divert"
    yield HealthCheck(f"recipe {recipe.recipe_id}@{recipe.version}", not absent, advice)
    asked = unjudged(recipe)
    if asked:
        yield HealthCheck("recipe: judgeable", good=False, advice=f"no stage can judge {', '.join(asked)} by it")
    yield from _bundle(recipe, now_ms)


def _bundle(recipe: Recipe, now_ms: int) -> Iterator[HealthCheck]:
    try:
        store = WorkerProcess.load().inspect.bundles
        if not facts_of(store, recipe.bundle_digest).is_known:
            advice = f"{recipe.bundle_digest[:12]} is not in {store}: copy its folder there"
            yield HealthCheck("bundle", good=False, advice=advice)
            return
        bundle = read_bundle(find_bundle(store, recipe.bundle_digest), expected_digest=recipe.bundle_digest)
    except (ConfigurationError, BundleError) as error:
        yield HealthCheck("bundle", good=False, advice=str(error))
        return
    yield HealthCheck(f"bundle {bundle.card.name}, {bundle.card.stage}", good=True)
    precision = "float32" if bundle.qualification is None else bundle.qualification.precision
    standing = OkBacking.of(bundle, precision)
    doubt = standing.doubt(bundle.card, recipe, now_ms)
    why = "" if doubt is None else re.sub("_", " ", doubt.code.removeprefix("network_"))
    held = f"it is {why}, so every OK diverts: linewarden qualify, linewarden bundle promote"
    if doubt is not None and doubt.code in LIVE_CODES:
        held = "it is assisted: every OK diverts until a limit within the recipe's is told: linewarden live"
    notice = standing.notice(now_ms)
    yield HealthCheck("its OK may pass on trust", doubt is None and notice is None, notice or held)
