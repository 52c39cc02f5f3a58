"""What `linewarden export` writes is a set that training reads, sides and masks included."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from linewarden.cli import main
from linewarden_history.labels.export import export_labels
from linewarden_history.labels.folder import side_of
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.testing import MemoryBroker
from linewarden_train.data.checks import inspect_set
from linewarden_train.data.coco import read_coco
from linewarden_train.data.reading_sets import read_set
from tests.support.shift import AT, frame, visit
from tests.unit.history.test_labels import DRAWN, EVERYTHING, NAMESPACE, fill


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    broker = MemoryBroker(ManualClock(AT + 10_000))
    with broker.admin() as admin:
        provision_topics(admin, NAMESPACE, partitions=2)
    fill(broker)
    export_labels(broker, NAMESPACE, EVERYTHING, tmp_path / "labels")
    return tmp_path / "labels"


def test_the_folder_is_recognised_and_has_labels_groups_sides_and_masks(exported: Path) -> None:
    with pytest.warns(UserWarning, match="1 defective pictures have no mask"):
        samples = read_set(exported)
    report = inspect_set(samples, lambda _: None)
    assert report.errors == []
    assert report.unannotated == [f"images/{frame(3)}.png"]
    labels = {label.name: label for label in samples.labels}
    assert {label.group for label in samples.labels} == {visit(number) for number in (1, 2, 3)}
    assert all(label.split == side_of(label.group) for label in samples.labels)
    marked = samples[[label.name for label in samples.labels].index(f"images/{frame(2)}.png")]
    assert labels[f"images/{frame(2)}.png"].defect_class == "crack"
    assert marked.mask is not None
    assert (np.asarray(marked.mask) == (DRAWN > 0)).all()


def test_coco_says_the_same(exported: Path) -> None:
    (exported / "coco" / "labels.json").rename(exported / "labels.json")
    with pytest.warns(UserWarning, match="1 defective pictures have no mask"):
        samples = read_coco(exported)
    (marked,) = [index for index, label in enumerate(samples.labels) if label.defect_class == "crack"]
    mask = samples[marked].mask
    assert mask is not None
    assert (np.asarray(mask) == (DRAWN > 0)).all()


def test_verify_exits_1_for_a_changed_export(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["linewarden", "export", "--out", str(exported), "--verify"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    (exported / "parts.csv").write_text("image\n")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "parts.csv: changed" in capsys.readouterr().out


@pytest.mark.parametrize(("line", "code"), [("line1", 0), ("line9", 1)])
def test_an_export_of_nothing_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, code: int
) -> None:
    broker = MemoryBroker(ManualClock(AT + 10_000))
    with broker.admin() as admin:
        provision_topics(admin, NAMESPACE, partitions=2)
    fill(broker)
    monkeypatch.setattr(
        "linewarden.commands.export.connect", lambda: SimpleNamespace(broker=broker, namespace=NAMESPACE)
    )
    command = ["linewarden", "export", "--out", str(tmp_path / "labels"), "--line", line, "--to", str(AT * 2)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == code
    assert ("nothing was exported" in capsys.readouterr().err) == bool(code)
