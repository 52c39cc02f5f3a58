"""One camera's process, run here on the in-memory broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from linewarden_ingest.cameras.folder import FolderCamera, FolderOptions
from linewarden_ingest.cameras.interface import CameraFault
from linewarden_ingest.cameras.line import LineOptions
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.cameras.simulation import LinePlan, plan_visit
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.settings import IngestOptions, SpoolOptions
from linewarden_ingest.worker import CameraDead, Worker
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.vocabulary import CameraCondition, Loss
from tests.support.ingest_line import write_pictures
from tests.unit.ingest.lines import NAMESPACE, captures, frames, heartbeats, set_up_line

Run = Callable[[CameraOptions, int], None]


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker(SystemClock())  # of one time with the worker, which would hold the line otherwise
    set_up_line(broker)
    return broker


@pytest.fixture
def run(broker: MemoryBroker, tmp_path: Path) -> Run:
    """Runs a camera in a run of that name until it ends."""

    def start(camera: CameraOptions, run_ms: int) -> None:
        options = IngestOptions(cameras=(camera,), spool=SpoolOptions(folder=tmp_path / "spool"), drain_s=5.0)
        board = PinBoard(LineBook(broker, NAMESPACE), RecipeBook(broker, NAMESPACE), "line1", SystemClock())
        worker = Worker(options, camera, broker.producer, NAMESPACE, partitions=4, board=board, clock=SystemClock())
        worker.run(Stop(), run_ms)

    return start


@pytest.fixture
def folder(tmp_path: Path) -> FolderOptions:
    write_pictures(tmp_path / "pictures", 5, 500)
    return FolderOptions(camera_id="cam0", view_id="view0", path=tmp_path / "pictures")


def test_it_ends_when_everything_is_published_and_tells_the_last_sequence(
    run: Run, folder: FolderOptions, broker: MemoryBroker
) -> None:
    run(folder, 1_000)
    assert [one.sequence for one in captures(broker)] == list(range(5))
    assert len(frames(broker)) == 5
    assert heartbeats(broker)[-1].last_sequence == 4


def test_a_finished_run_that_is_started_again_publishes_nothing_and_a_new_run_begins_anew(
    run: Run, folder: FolderOptions, broker: MemoryBroker
) -> None:
    run(folder, 1_000)
    run(folder, 1_000)
    assert len(captures(broker)) == 5
    run(folder, 2_000)
    assert [one.sequence for one in captures(broker)] == list(range(10))


def test_a_camera_that_dies_is_told_after_its_trigger_was_published_and_the_next_process_goes_on(
    run: Run, folder: FolderOptions, broker: MemoryBroker
) -> None:
    broken = folder.path / "000002.png"
    broken.unlink()
    broken.mkdir()
    with pytest.raises(CameraDead, match="000002"):
        run(folder, 1_000)
    assert [one.lost for one in captures(broker)] == [None, None, Loss.CAMERA_FAULT]
    run(folder, 1_000)
    assert [one.sequence for one in captures(broker)] == list(range(5))


class Away(FolderOptions):
    """A camera that does not answer."""

    def open(self, run: CameraRun) -> FolderCamera:
        raise CameraFault("no route to it")


def test_a_camera_that_does_not_answer_when_it_is_opened_is_dead(
    run: Run, folder: FolderOptions, broker: MemoryBroker
) -> None:
    with pytest.raises(CameraDead, match="cam0: no route to it"):
        run(Away(**vars(folder)), 1_000)
    assert heartbeats(broker)[-1].conditions == (CameraCondition.LOST,)
    run(folder, 1_000)
    assert heartbeats(broker)[-1].conditions == ()
    assert [one.sequence for one in captures(broker)] == list(range(5))


def test_the_simulated_line_names_its_visits_by_run_and_number(run: Run, broker: MemoryBroker) -> None:
    line = LineOptions(camera_id="cam1", view_id="view1", view=1, visits=6, size=64, rate_per_s=1000.0, seed=3)
    run(line, 7_000)
    published = captures(broker)
    assert [one.visit_id for one in published] == [f"line1.st1.{7_000 + n:013d}.{n:06d}" for n in range(6)]
    assert [one.part_id for one in published] == [plan_visit(LinePlan(seed=3), n).part_id for n in range(6)]
    assert all(one.is_simulated for one in published)


def test_a_camera_with_an_unexpected_view_is_refused_before_a_picture_is_taken(
    run: Run, folder: FolderOptions, broker: MemoryBroker
) -> None:
    with pytest.raises(ConfigurationError, match="view_id"):
        run(folder.model_copy(update={"view_id": "other"}), 1_000)
    assert not captures(broker)
