"""Batches judged here or by several processes; results come in the order of the batches, few of them in memory."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import torch

from .judge import Bench, Judge, Judged, Work

_AHEAD = 2
"""Batches that wait at each worker."""
_judge: Judge | None = None


def judge_all(bench: Bench, batches: Iterable[list[Work]], workers: int = 1) -> Iterator[list[Judged]]:
    """Judge every batch; with one worker in this process, else in as many others, which hold no client.

    Raises:
        BundleError: for a bundle of the setting that is not in the store.
    """
    if workers == 1:
        yield from map(Judge(bench).judge, batches)
        return
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    with ProcessPoolExecutor(workers, context, _begin, (bench, threads)) as pool:
        waiting: deque[Future[list[Judged]]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(_judged, batch))
                if len(waiting) >= _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(bench: Bench, threads: int) -> None:
    global _judge  # noqa: PLW0603 - a pool's initializer has no other place
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _judge = Judge(bench)


def _judged(batch: list[Work]) -> list[Judged]:
    if _judge is None:
        raise RuntimeError("the worker was not begun")
    return _judge.judge(batch)


def _end_with_parent() -> None:
    """Leave when the parent is gone: a killed one cannot say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
