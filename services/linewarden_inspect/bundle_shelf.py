"""Loaded bundles: the newest are loaded in the background as soon as a recipe names them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from linewarden_inspect import metrics
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock
from linewarden_schemas.live_limit import LiveLimit
from linewarden_schemas.recipe import Recipe
from linewarden_vision.errors import BundleError, GateError
from linewarden_vision.inspecting.scorer import Scorer

_RETRY_S = 5.0


@dataclass(slots=True)
class _Loading:
    future: Future[Scorer]
    begun: float


class BundleShelf:
    """At most `held` bundles, the least recently used given up first; one is loaded at a time.

    `load` finds, verifies and gates a bundle by its digest, and raises BundleError or GateError. A failure is
    remembered for a few seconds, so that a folder copied late is found without being asked for at every frame. `on_use`
    hears each recipe whose bundle was asked for ahead and is loaded.
    """

    def __init__(
        self,
        load: Callable[[str], Scorer],
        *,
        wait_s: float,
        held: int,
        clock: Clock,
        on_use: Callable[[Recipe, Scorer], None] = lambda *_: None,
    ) -> None:
        self._load, self._wait_s, self._held, self._clock, self._on_use = load, wait_s, held, clock, on_use
        self._bundles: Bounded[str, _Loading] = Bounded(held)
        self._lock = threading.Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="bundles")

    def get(self, digest: str) -> Scorer:
        """The bundle, loaded now if need be.

        Raises:
            BundleError: where it cannot be loaded, or is not loaded within the wait.
            GateError: where it answers its golden set differently on this device.
        """
        future = self.request(digest)
        try:
            return future.result(self._wait_s)
        except TimeoutError as error:
            raise BundleError(f"bundle {digest[:12]} is still being loaded") from error

    def request(self, digest: str) -> Future[Scorer]:
        """Begin to load a bundle unless it is there, and return at once."""
        with self._lock:
            known = self._bundles.get(digest)
            if known is None or self._is_to_be_tried_again(known):
                known = _Loading(self._loader.submit(self._load, digest), self._clock.monotonic())
                known.future.add_done_callback(self._count)
                self._bundles[digest] = known
            self._bundles.move_to_end(digest)
            metrics.BUNDLES_LOADED.set(len(self._bundles))
            return known.future

    def expect(self, recipes: Iterable[Recipe]) -> list[Future[Scorer]]:
        """Begin to load the bundles of the newest version of each recipe, as many as are held."""
        newest = {recipe.recipe_id: recipe for recipe in recipes}
        digests = dict.fromkeys(recipe.bundle_digest for recipe in reversed(newest.values()))
        loading = {digest: self.request(digest) for digest in list(digests)[: self._held]}
        for recipe in newest.values():
            if recipe.bundle_digest in loading:
                loading[recipe.bundle_digest].add_done_callback(partial(self._tell, recipe))
        return list(loading.values())

    def _tell(self, recipe: Recipe, loaded: Future[Scorer]) -> None:
        if not loaded.cancelled() and loaded.exception() is None:
            self._on_use(recipe, loaded.result())

    def failures(self) -> dict[str, str]:
        """Why bundles that were asked for cannot be used, by digest; each is tried again at its next frame."""
        with self._lock:
            asked = {digest: one.future for digest, one in self._bundles.items()}
        done = {digest: future for digest, future in asked.items() if future.done() and not future.cancelled()}
        return {digest: str(why) for digest, future in done.items() if (why := future.exception()) is not None}

    def notices(self, now_ms: int, live: Callable[[str], Sequence[LiveLimit]] = lambda _: ()) -> dict[str, str]:
        """What to announce, by the digest of a loaded bundle: what stands behind it ends soon, or ended.

        `live` tells the live limits of a bundle.
        """
        with self._lock:
            loaded = [one.future for one in self._bundles.values()]
        found = {}
        for future in loaded:
            if not future.done() or future.cancelled() or future.exception() is not None:
                continue
            scorer = future.result()
            limits = live(scorer.digest)
            left, notice = scorer.standing.days_left(now_ms, limits), scorer.standing.notice(now_ms, limits)
            if left is not None:
                metrics.QUALIFICATION_DAYS.labels(scorer.digest[:12]).set(left)
            if notice is not None:
                found[scorer.digest] = notice
        return found

    def close(self) -> None:
        """Wait for a load in progress and give everything up."""
        self._loader.shutdown(cancel_futures=True)
        self._bundles.clear()

    def _is_to_be_tried_again(self, loading: _Loading) -> bool:
        if not loading.future.done() or loading.future.exception() is None:
            return False
        return self._clock.monotonic() - loading.begun >= _RETRY_S

    @staticmethod
    def _count(future: Future[Scorer]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BundleError | GateError):
            metrics.BUNDLE_FAILURES.inc()
