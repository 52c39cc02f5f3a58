"""The only place that builds the worker's clients and touches the device's settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import structlog
import torch

from linewarden_inspect.settings import WorkerProcess
from linewarden_inspect.worker import InspectWorker
from linewarden_inspect.writing import SERVICE
from linewarden_runtime import logs
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, run_visibly, stop_on_signals
from linewarden_runtime.topic_settings import verify_topics
from linewarden_runtime.watchdog import Watchdog
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import Recipe
from linewarden_vision.bundle import find_bundle, read_bundle
from linewarden_vision.inspecting.scorer import Scorer
from linewarden_vision.inspector import MAX_BATCH, Inspector

_log = structlog.get_logger(__name__)


def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - all settings come from the environment
    """Run a worker until SIGTERM; the exit code."""
    logs.configure(SERVICE)
    stop = Stop()
    stop_on_signals(stop)
    return run_service(SERVICE, run, stop)


def run(stop: Stop) -> None:
    """Build a worker from the environment and run it; raises ConfigurationError for what cannot be."""
    settings = WorkerProcess.load()
    logs.configure(SERVICE, level=settings.log_level)
    set_threads(settings.inspect.torch_threads)
    watchdog = Watchdog()
    health = Health()
    inspect = settings.inspect
    broker, namespace = KafkaBroker(settings.kafka, watchdog), Namespace(settings.namespace)
    topics = ("frames", "inspections", "recipes", "line-state", "activations", "workers", "live-limits", "dead-letters")
    verify_topics(broker, namespace, topics)
    worker = InspectWorker(
        broker,
        namespace,
        inspect,
        loader(inspect.bundles, inspect.device, inspect.precision, inspect.forward, inspect.max_batch),
        instance=settings.instance,
        clock=SystemClock(),
        health=health,
        guard=lambda: watchdog.guard("device", inspect.device_timeout_s),
        recipes_by_digest=settings.recipes_by_digest,
        on_use=tell_of_criteria,
    )
    with HealthServer(health, settings.health_port, settings.health_host):
        run_visibly(lambda: worker.run(stop), health, stop, SystemClock())


def loader(
    store: Path, device: str, precision: str, forward: str = "auto", max_batch: int = MAX_BATCH
) -> Callable[[str], Inspector]:
    """Find a bundle by its digest in a folder of bundles, load and gate it, and log what is not promised of it."""

    def load(digest: str) -> Inspector:
        bundle = read_bundle(find_bundle(store, digest), expected_digest=digest)
        inspector = Inspector.from_bundle(bundle, device, precision, forward=forward, max_batch=max_batch)
        today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date().isoformat()
        why = bundle.unqualified(inspector.precision, today)
        if why is not None:
            level = logging.INFO if bundle.qualification is None else logging.WARNING
            _log.log(level, why, bundle=digest, stage=bundle.card.stage)
        return inspector

    return load


def tell_of_criteria(recipe: Recipe, scorer: Scorer) -> None:
    """Log where a bundle's qualification does not speak of what a recipe lets pass."""
    record = scorer.qualification if isinstance(scorer, Inspector) else None
    void = None if record is None else record.void_under(recipe)
    if void is not None:
        _log.warning("qualification void", why=void, recipe=recipe.ref().short, bundle=recipe.bundle_digest)


def set_threads(torch_threads: int) -> None:
    """Pictures are decoded on threads of our own; OpenCV's would only compete with them and with torch's."""
    cv2.setNumThreads(1)
    if torch_threads:
        torch.set_num_threads(torch_threads)
