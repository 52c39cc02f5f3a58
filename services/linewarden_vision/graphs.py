"""The plain forward pass by other ways than eager: CUDA graphs at fixed batch sizes, or torch.compile.

Either gives what the eager pass gives up to rounding, and is held to the same activation gate. Where it
cannot be had, the eager pass is taken, counted by reason and logged once a reason.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, get_args

import structlog
import torch
from torch import Tensor

from linewarden_vision.network.interface import DefectNetwork, NetworkOutput

ForwardMode = Literal["eager", "graphs", "compiled"]
Forward = Callable[[Tensor], NetworkOutput]
Replay = Callable[[], NetworkOutput]
Capture = Callable[[Forward, Tensor], Replay]
"""Record a pass that reads a fixed buffer; calling the result runs it on what the buffer holds then."""

_log = structlog.get_logger(__name__)


def choose_modes(wanted: str, device: torch.device) -> list[ForwardMode]:
    """List the ways to try in order; "auto" is graphs, then eager, on CUDA, and eager alone elsewhere.

    Raises ValueError for another word, or for graphs without CUDA.
    """
    if wanted == "auto":
        return ["graphs", "eager"] if device.type == "cuda" else ["eager"]
    if wanted == "graphs" and device.type != "cuda":
        raise ValueError(f"CUDA graphs need a CUDA device, not {device}; use 'auto', 'eager' or 'compiled'")
    for mode in get_args(ForwardMode):
        if mode == wanted:
            return [mode]
    raise ValueError(f"forward pass {wanted!r} is not one of auto, {', '.join(get_args(ForwardMode))}")


def batch_sizes(most: int) -> tuple[int, ...]:
    """Powers of two below ``most``, and ``most`` itself: padding wastes less than half a pass."""
    return (*(1 << power for power in range((most - 1).bit_length())), most)


class Fallbacks:
    """Counts passes that went eager after all, by reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, reason: str, detail: object = "") -> None:
        """Count one; the first of a reason is logged."""
        if not self.counts[reason]:
            _log.warning("forward pass runs eager", reason=reason, detail=str(detail)[:500])
        self.counts[reason] += 1


class GraphedForward:
    """Replays a captured pass at the next larger captured batch size and cuts the results back.

    Every size in ``sizes`` is captured when it is first needed, for pictures of ``shape`` (C, H, W) alone.
    What it returns is overwritten by the next call. For one thread.
    """

    def __init__(
        self,
        network: Forward,
        shape: tuple[int, int, int],
        sizes: Sequence[int],
        fallbacks: Fallbacks,
        capture: Capture | None = None,
    ) -> None:
        self.sizes = tuple(sorted(sizes))
        self._network, self._shape, self._fallbacks = network, shape, fallbacks
        self._capture = capture or capture_cuda
        self._captured: dict[int, tuple[Tensor, Replay] | None] = {}

    def __call__(self, pictures: Tensor) -> NetworkOutput:
        """Score normalised pictures (B, C, H, W)."""
        count = pictures.shape[0]
        place = bisect_left(self.sizes, count)
        if tuple(pictures.shape[1:]) != self._shape or place == len(self.sizes):
            self._fallbacks.note("shape", f"{tuple(pictures.shape)} was not captured")
            return self._network(pictures)
        captured = self._at(self.sizes[place], pictures)
        if captured is None:
            self._fallbacks.note("capture")
            return self._network(pictures)
        buffer, replay = captured
        buffer[:count].copy_(pictures, non_blocking=True)
        return cut(replay(), count)

    def _at(self, size: int, like: Tensor) -> tuple[Tensor, Replay] | None:
        if size not in self._captured:
            buffer = like[:1].expand(size, -1, -1, -1).clone(memory_format=torch.channels_last)
            try:
                self._captured[size] = (buffer, self._capture(self._network, buffer))
            except RuntimeError as error:  # what torch raises where an operation cannot be captured
                _log.warning("no CUDA graph", batch=size, why=str(error)[:500])
                self._captured[size] = None
        return self._captured[size]


class CompiledForward:
    """A compiled pass; from its first failure on, the eager one."""

    def __init__(self, network: Forward, compiled: Forward, fallbacks: Fallbacks) -> None:
        self._network, self._compiled, self._fallbacks = network, compiled, fallbacks
        self._failed = False

    def __call__(self, pictures: Tensor) -> NetworkOutput:
        """Score normalised pictures (B, C, H, W)."""
        if not self._failed:
            try:
                return self._compiled(pictures)
            except RuntimeError as error:  # the compiler's own errors are such
                self._failed = True
                self._fallbacks.note("compile", error)
                return self._network(pictures)
        self._fallbacks.note("compile")
        return self._network(pictures)


def make_forward(
    mode: ForwardMode,
    network: DefectNetwork,
    shape: tuple[int, int, int],
    most: int,
    fallbacks: Fallbacks,
) -> Forward:
    """Return the pass of that mode for pictures (C, H, W) in batches of at most ``most``."""
    if mode == "graphs":
        return GraphedForward(network, shape, batch_sizes(most), fallbacks)
    if mode == "compiled":
        return CompiledForward(network, torch.compile(network, dynamic=True), fallbacks)
    return network


def capture_cuda(network: Forward, buffer: Tensor) -> Replay:
    """Capture one pass over ``buffer`` as a CUDA graph, warmed up on a stream of its own."""
    stream = torch.cuda.Stream(buffer.device)  # type: ignore[no-untyped-call]  # torch's own gap
    stream.wait_stream(torch.cuda.current_stream(buffer.device))
    with torch.cuda.stream(stream):
        for _ in range(3):  # libraries choose their algorithms and workspaces outside the graph
            network(buffer)
    torch.cuda.current_stream(buffer.device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = network(buffer)

    def replay() -> NetworkOutput:
        graph.replay()
        return output

    return replay


def cut(output: NetworkOutput, count: int) -> NetworkOutput:
    """Return the first ``count`` pictures of an output, as views."""

    def first(value: Any) -> Any:  # noqa: ANN401 - a tensor, or a mapping of tensors
        if isinstance(value, Mapping):
            return {key: first(inner) for key, inner in value.items()}
        return value[:count] if isinstance(value, Tensor) else value

    return NetworkOutput(**{part.name: first(getattr(output, part.name)) for part in fields(output)})
