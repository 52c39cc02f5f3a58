"""The same work on several things at once, each in a process of its own with one thread."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, TypeVar

import cv2
import torch

Result = TypeVar("Result")


def side_by_side(
    work: Callable[..., Result], calls: Sequence[tuple[Any, ...]], jobs: int, tell: Callable[[int, int], None]
) -> list[Result]:
    """Return the results in the order of the calls; ``tell`` hears how many of how many are done.

    With one job everything stays in this process. Raises what the first failure raised.
    """
    tell(0, len(calls))
    if jobs == 1:
        return [_told(work(*call), tell, number, len(calls)) for number, call in enumerate(calls, start=1)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        running = [pool.submit(work, *call) for call in calls]
        for number, done in enumerate(as_completed(running), start=1):
            _told(done.result(), tell, number, len(calls))
        return [one.result() for one in running]


def _told(result: Result, tell: Callable[[int, int], None], done: int, total: int) -> Result:
    tell(done, total)
    return result


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
