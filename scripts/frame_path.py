"""Which files of the product a frame passes from its camera to its disposition.

    python -m scripts.frame_path [--list]

A few pictures and then many go through the whole line in this process, on the broker in memory with the demo's bundle:
ingest, inspect, route. A file counts where one of its functions runs more often for the many. Turns of a loop that wait
count as well, so the figure is rather too large than too small; what is done once, at a start, does not count.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import cv2

from linewarden.commands.bundles import digest_of
from linewarden.demo.line import BUNDLE
from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.settings import IngestOptions, SpoolOptions
from linewarden_ingest.worker import Worker
from linewarden_inspect.bootstrap import loader
from linewarden_inspect.settings import InspectSettings
from linewarden_inspect.worker import InspectWorker
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.provision import activation_record, line_state_record, provision_topics, recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.recipe import Recipe, ViewSpec
from linewarden_schemas.vocabulary import LineMode
from linewarden_vision.synthetic.demo import demo_part
from scripts.measure import PLACES, ROOT
from tests.support.route_line import RouteLine

NAMESPACE = Namespace("path")
PARTITIONS = 2
FEW, MANY = 2, 14


class Once(Stop):
    """Asks a loop to stop once a condition holds."""

    def __init__(self, done: Callable[[], bool]) -> None:
        super().__init__()
        self._done = done

    def is_set(self) -> bool:
        """Whether the condition holds, or held."""
        if self._done():
            self.set("all is done")
        return super().is_set()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each function of the product was called meanwhile, as FILE:FUNCTION, on whatever thread."""
    places = tuple(str(ROOT / place) for place in PLACES)
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: Any) -> None:  # noqa: ANN401 - the interpreter's own
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(places) and code.co_name != "<module>":
            calls[f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_qualname}"] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def passed(pictures: int, folder: Path) -> Counter[str]:
    """Send so many pictures through the line; the calls that it took."""
    (folder / "pictures").mkdir(parents=True)
    for number in range(pictures):
        cv2.imwrite(str(folder / "pictures" / f"{number:03}.png"), demo_part(number).views[0].picture)
    clock = SystemClock()
    broker = MemoryBroker(clock)
    provision_topics(broker.admin(), NAMESPACE, PARTITIONS)
    camera = FolderOptions(camera_id="cam", view_id="top", path=folder / "pictures", rate_per_s=200.0)
    views = (ViewSpec(view_id="top", camera_id="cam"),)
    recipe = Recipe(
        recipe_id="path",
        version=1,
        product_id="path",
        bundle_digest=digest_of(BUNDLE),
        views=views,
        created_ms=1,
        created_by="path",
    )
    activation = Activation(line_id="line1", recipe=recipe.ref(), from_ms=0, actor="path")
    state = LineState(line_id="line1", mode=LineMode.PRODUCTION, since_ms=1, actor="path")
    broker.append(recipe_record(NAMESPACE, recipe, "/path"))
    broker.append(activation_record(NAMESPACE, activation, "/path"))
    broker.append(line_state_record(NAMESPACE, state, "/path"))
    settings = InspectSettings.model_validate({"bundles": BUNDLE.parent, "device": "cpu", "torch_threads": 1})
    with counted() as calls:
        board = PinBoard(LineBook(broker, NAMESPACE), RecipeBook(broker, NAMESPACE), "line1", clock)
        options = IngestOptions(cameras=(camera,), spool=SpoolOptions(folder=folder / "spool"))
        ingest = Worker(options, camera, broker.producer, NAMESPACE, partitions=PARTITIONS, board=board, clock=clock)
        ingest.run(Stop(), run_ms=1)
        board.close()
        load = loader(BUNDLE.parent, "cpu", "float32")
        inspect = InspectWorker(broker, NAMESPACE, settings, load, instance="0", clock=clock, health=Health())
        inspect.run(Once(lambda: len(broker.records(NAMESPACE.topic("inspections"))) >= pictures))
        line = RouteLine(broker, NAMESPACE.name, PARTITIONS, has_topics=True)
        router = line.router()
        while len(broker.records(NAMESPACE.topic("dispositions"))) < pictures:
            router.step()
        line.close()
    return calls


def main() -> None:
    """Print how many files a frame passes, and with `--list` which."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--list", action="store_true", help="the files, one a line")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        passed(FEW, Path(folder) / "warm")  # what is done once in a process
        few, many = passed(FEW, Path(folder) / "few"), passed(MANY, Path(folder) / "many")
    calling = {name.split(":")[0] for name, count in many.items() if count > few[name]}
    files = sorted(file for file in calling if "linewarden_runtime/testing/" not in file)  # the broker is no part of it
    if given.list:
        sys.stdout.write("".join(f"{file}\n" for file in files))
    sys.stdout.write(f"{len(files)} files\n")


if __name__ == "__main__":
    main()
