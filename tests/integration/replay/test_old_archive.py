"""What commit 61330c7 archived, before the packages were laid out anew, is read, balanced and judged again as it was.

`tests/data/archive-of-61330c7` is an archive that the code of that commit wrote of a demo: 8 parts, three views each,
of which 5 passed, 1 was rejected and 2 were diverted. `bundle-of-61330c7` is what its demo's bundle had otherwise than
today's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from linewarden.demo.line import BUNDLE
from linewarden_archive.archive import Archive
from linewarden_archive.broker import ArchiveBroker
from linewarden_archive.verify import verify_archive
from linewarden_audit.audit import read_ledger
from linewarden_audit.balance import balance
from linewarden_history.index.following import catch_up
from linewarden_history.index.store import StoryIndex
from linewarden_history.index.story import stories
from linewarden_history.selection import Selection
from linewarden_replay.compare import DifferenceKind
from linewarden_replay.inspecting import ReplayPlan
from linewarden_replay.replay import run
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.vocabulary import Routing, Verdict

ARCHIVE = Path(__file__).parents[2] / "data" / "archive-of-61330c7"
OLD_BUNDLE = ARCHIVE.with_name("bundle-of-61330c7")
PARTS, VIEWS = 8, 3


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """The demo's bundle as it was then: the same weights, not yet qualified, under the promotions of then."""
    place = tmp_path / "bundles" / "demo-bundle"
    shutil.copytree(BUNDLE, place)
    (place / "qualification.json").unlink()
    for one in OLD_BUNDLE.iterdir():
        shutil.copy(one, place)
    return place.parent


def test_what_the_code_before_archived_reads_balances_and_repeats_itself(
    tansu: EmbeddedBroker, namespace: str, bundles: Path, tmp_path: Path
) -> None:
    assert verify_archive(ARCHIVE, ()).holds
    archive = Archive(ARCHIVE)
    broker, line = ArchiveBroker(archive, KafkaBroker(tansu.settings(6_000))), archive.namespace

    plan = ReplayPlan(Selection(0, 1 << 52), bundles, device="cpu", name=namespace)
    again = run(broker, line, plan)
    assert again.frames == PARTS * VIEWS
    # Of all that was said one thing is said otherwise, on purpose: since a stage means something on the line, every OK
    # of a bundle without a qualification that holds is doubtful. NG, figures and maps are as they were.
    assert {one.kind for one in again.differences} == {DifferenceKind.TRUST}
    for one in again.differences:
        assert one.recorded is not None
        assert one.replayed is not None
        assert one.recorded.verdict is one.replayed.verdict is Verdict.OK
        assert (one.recorded.doubtful, one.replayed.doubtful) == (False, True)
        assert one.replayed.maps == one.recorded.maps
        assert one.replayed.p_defect == pytest.approx(one.recorded.p_defect, abs=1e-5)
        assert one.replayed.suspicion == pytest.approx(one.recorded.suspicion, abs=1e-5)

    with StoryIndex(tmp_path / "index", line.name) as index:
        catch_up(broker, line, index)
        rows = list(index.rows("SELECT visit_id, routing FROM visits", {}))
        (story,) = stories(index, str(rows[0]["visit_id"]))
    assert (
        sorted(row["routing"] for row in rows)
        == [Routing.DIVERTED] * 2 + [Routing.REJECTED] + [Routing.TRUSTED_PASS] * 5
    )
    assert {"captured", "inspected", "routed"} <= {one.kind for one in story.happened}

    closed = balance(read_ledger(broker, line), 1 << 52)
    assert (closed.visits, closed.inspected, closed.unsafe, closed.unsound) == (PARTS, PARTS * VIEWS, (), ())
