"""Decisions become labels: only what counted, of frames that were looked at, on a side that never changes."""

from __future__ import annotations

import csv
import json
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from linewarden_history.labels.choosing import FrameLabel, JudgedVisit, LeftOut, label_visit
from linewarden_history.labels.coco import run_lengths
from linewarden_history.labels.export import export_labels
from linewarden_history.labels.folder import LabelFolder, side_of, verify
from linewarden_history.selection import Selection
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision, Mark, Shown
from linewarden_schemas.disposition import Disposition, ViewResult
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace, digest, slot_id
from linewarden_schemas.inspection import Evidence
from linewarden_schemas.vocabulary import Act, Cause, Judgement, Outcome, Role, Routing
from tests.support import picture_files
from tests.support.shift import AT, disposition, frame, inspection, visit

NAMESPACE = Namespace("line1")
EVERYTHING = Selection(0, AT * 2)


def png(plane: np.ndarray) -> bytes:
    done, encoded = cv2.imencode(".png", plane)
    assert done
    return encoded.tobytes()


PICTURE = png(np.arange(48, dtype=np.uint8).reshape(6, 8))
DRAWN = np.zeros((6, 8), np.uint8)
DRAWN[1:3, 2:5] = 255


def decision(number: int, judgement: Judgement | None = Judgement.NG, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "decision_id": f"d{number}",
        "slot_id": slot_id(visit(number), 0, 0),
        "visit_id": visit(number),
        "judgement": judgement,
        "first_judgement": judgement,
        "blind": True,
        "actor": "anna",
        "role": Role.OPERATOR,
        "decided_ms": AT + number + 5_000,
        "covers": (frame(number),),
        "shown": (Shown(frame_id=frame(number), layers=("mask",)),),
    }
    return Decision(**(fields | changes))


def diverted(number: int, **changes: Any) -> Disposition:
    return disposition(number, Routing.DIVERTED, Cause.LOW_TRUST, final=False, **changes)


def ended(number: int, outcome: Outcome, *decisions: str, **changes: Any) -> Disposition:
    named: dict[str, Any] = {"revision": 1, "outcome": outcome, "decision_ids": decisions or (f"d{number}",)}
    return disposition(number, Routing.DIVERTED, Cause.LOW_TRUST, **(named | changes))


def told(number: int, outcome: Outcome, *decisions: Decision, **changes: Any) -> JudgedVisit:
    names = [one.decision_id for one in decisions]
    return JudgedVisit(diverted(number), ended(number, outcome, *names, **changes), decisions)


def test_an_accepted_visit_makes_good_frames_and_a_rejected_one_a_defective_one() -> None:
    (good,), _ = label_visit(told(1, Outcome.ACCEPT, decision(1, Judgement.OK)))
    (bad,), left = label_visit(told(2, Outcome.SCRAP, decision(2, defect_class="crack")))
    assert (good.defective, good.defect_class, good.blind) == (False, None, True)
    assert (bad.defective, bad.defect_class, bad.mask_png) == (True, "crack", None)
    assert not left


def test_a_changed_answer_is_not_blind() -> None:
    changed = decision(1, Judgement.NG, first_judgement=Judgement.OK)
    (label,), _ = label_visit(told(1, Outcome.SCRAP, changed))
    assert not label.blind


def test_of_several_views_only_the_marked_one_is_defective() -> None:
    views = tuple(ViewResult(view_id=name, frame_id=f"{frame(1)}.{name}") for name in ("top", "left"))
    covers = tuple(str(view.frame_id) for view in views)
    marked = decision(1, covers=covers, marks=(Mark(frame_id=covers[1], mask_png=png(DRAWN)),))
    labels, left = label_visit(told(1, Outcome.SCRAP, marked, views=views))
    assert [(label.frame_id, label.mask_png) for label in labels] == [(covers[1], png(DRAWN))]
    assert left == Counter({LeftOut.OTHER_VIEW: 1})
    labels, left = label_visit(told(1, Outcome.SCRAP, decision(1, covers=covers), views=views))
    assert labels == []
    assert left == Counter({LeftOut.OTHER_VIEW: 2})


def test_only_those_who_agree_with_the_outcome_speak_and_only_of_what_they_saw() -> None:
    first = decision(1, Judgement.OK, decision_id="a", actor="anna")
    second = decision(1, Judgement.NG, decision_id="b", actor="bert", defect_class="pore")
    third = decision(1, Judgement.NG, decision_id="c", actor="cleo", covers=())
    (label,), _ = label_visit(told(1, Outcome.SCRAP, first, second, third))
    assert label.defect_class == "pore"
    labels, left = label_visit(told(1, Outcome.SCRAP, first, third))
    assert labels == []
    assert left == Counter({LeftOut.NOT_LOOKED_AT: 1})


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        (JudgedVisit(diverted(1), diverted(1), ()), LeftOut.NOT_FINAL),
        (JudgedVisit(diverted(1), ended(1, Outcome.SCRAP), ()), LeftOut.DECISION_MISSING),
        (told(1, Outcome.SCRAP, decision(1), is_simulated=True), LeftOut.SIMULATED),
        (told(1, Outcome.SCRAP, decision(1), causes=(Cause.KNOWN_BAD,)), LeftOut.KNOWN_BAD),
    ],
)
def test_what_cannot_be_a_label_is_left_out_and_counted(case: JudgedVisit, cause: LeftOut) -> None:
    assert label_visit(case) == ([], Counter({cause: 1}))


@given(st.text(min_size=1, max_size=20))
def test_a_group_has_one_side_for_ever(group: str) -> None:
    assert side_of(group) == side_of(group)
    assert side_of(group) in {"train", "calibration", "test"}


def test_sides_get_about_their_shares() -> None:
    found = Counter(side_of(f"part-{number}") for number in range(2000))
    assert 1100 < found["train"] < 1300
    assert 330 < found["test"] < 470


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_run_lengths_bring_the_mask_back(rows: list[list[bool]]) -> None:
    mask = np.array(rows)
    counts = run_lengths(mask)
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    assert (mask == flat.reshape(mask.T.shape).T).all()


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker(ManualClock(AT + 10_000))
    with made.admin() as admin:
        provision_topics(admin, NAMESPACE, partitions=2)
    return made


def put(broker: MemoryBroker, topic: str, key: str, message: Message) -> None:
    sent = encode(message, id=key, source="/test", time_ms=AT)
    broker.append(OutRecord(NAMESPACE.topic(topic), key.encode(), sent.value, sent.headers))


def evidence(number: int, picture: bytes = PICTURE) -> Evidence:
    return Evidence(
        frame_id=frame(number),
        visit_id=visit(number),
        view_id="top",
        picture=picture,
        content_type="image/png",
        sha256=digest(PICTURE),
        kept_ms=AT,
    )


def fill(broker: MemoryBroker) -> None:
    """Three visits: one accepted, one rejected with a mask, one undone and decided again by another."""
    undone = [decision(3, Judgement.OK), decision(3, None, decision_id="u3", act=Act.UNDO, undoes="d3", blind=None)]
    again = decision(3, Judgement.NG, decision_id="d3b", actor="bert")
    marked = decision(2, defect_class="crack", marks=(Mark(frame_id=frame(2), mask_png=png(DRAWN)),))
    for one in [decision(1, Judgement.OK), marked, *undone, again]:
        put(broker, "decisions", one.visit_id, one)
    for number, outcome, name in [(1, Outcome.ACCEPT, "d1"), (2, Outcome.SCRAP, "d2"), (3, Outcome.SCRAP, "d3b")]:
        put(broker, "dispositions", visit(number), diverted(number))
        put(broker, "dispositions", visit(number), ended(number, outcome, name))
        put(broker, "evidence", frame(number), evidence(number))
        put(broker, "inspections", visit(number), inspection(number, suspicion=0.9))
    put(broker, "dispositions", visit(4), ended(4, Outcome.SCRAP, "d4"))
    put(broker, "decisions", visit(4), decision(4))


def test_a_shift_becomes_a_folder_that_says_where_everything_comes_from(broker: MemoryBroker, tmp_path: Path) -> None:
    fill(broker)
    manifest = export_labels(broker, NAMESPACE, EVERYTHING, tmp_path / "out")
    assert (manifest["pictures"], manifest["with_mask"], manifest["blind"]) == (3, 1, 3)
    assert manifest["classes"] == {"good": 1, "crack": 1, "defect": 1}
    assert manifest["left_out"] == {LeftOut.NO_PICTURE.value: 1}
    with (tmp_path / "out" / "parts.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert rows[f"{frame(2)}.png"]["class"] == "crack"
    assert rows[f"{frame(1)}.png"]["defective"] == "0"
    lines = [json.loads(line) for line in (tmp_path / "out" / "labels.jsonl").read_text().splitlines()]
    (third,) = [line for line in lines if line["frame_id"] == frame(3)]
    assert [one["actor"] for one in third["decisions"]] == ["bert"]
    assert third["decisions"][0]["shown"][0]["layers"] == ["mask"]
    assert third["machine"]["suspicion"] == 0.9
    (drawn,) = [one for one in coco_of(tmp_path / "out")["annotations"] if not one["iscrowd"]]
    assert (drawn["bbox"], drawn["area"]) == ([2, 1, 3, 2], 6)


def coco_of(folder: Path, name: str = "labels") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "coco" / f"{name}.json").read_text())
    return document


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_perfect_predictions_have_average_precision_1_by_the_formats_own_tool(
    broker: MemoryBroker, tmp_path: Path, kind: str
) -> None:
    fill(broker)
    export_labels(broker, NAMESPACE, EVERYTHING, tmp_path / "out")
    with redirect_stdout(StringIO()):
        truth = COCO(tmp_path / "out" / "coco" / "labels.json")
        perfect = [
            {
                "image_id": one["image_id"],
                "category_id": one["category_id"],
                "score": 0.9,
                "bbox": one["bbox"],
                "segmentation": truth.annToRLE(one),
            }
            for one in truth.anns.values()
        ]
        scored = COCOeval(truth, truth.loadRes(perfect), kind)
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    assert scored.stats[0] == pytest.approx(1.0)
    (marked,) = [one for one in truth.anns.values() if not one["iscrowd"]]
    assert (truth.annToMask(marked) == (DRAWN > 0)).all()
    (unmarked,) = [one for one in truth.anns.values() if one["iscrowd"]]
    assert truth.annToMask(unmarked).all()


def test_each_image_names_its_side_and_each_side_has_a_file_of_its_own(broker: MemoryBroker, tmp_path: Path) -> None:
    fill(broker)
    export_labels(broker, NAMESPACE, EVERYTHING, tmp_path / "out")
    with (tmp_path / "out" / "parts.csv").open(newline="") as file:
        sides = {row["image"]: row["split"] for row in csv.DictReader(file)}
    assert {one["file_name"]: one["split"] for one in coco_of(tmp_path / "out")["images"]} == sides
    for side in ("train", "calibration", "test"):
        own = {one["file_name"] for one in coco_of(tmp_path / "out", side)["images"]}
        assert own == {name for name, found in sides.items() if found == side}


def test_a_record_that_cannot_be_read_is_told_with_its_place(broker: MemoryBroker, tmp_path: Path) -> None:
    fill(broker)
    broker.append(OutRecord(NAMESPACE.topic("decisions"), b"?", b"none of ours", (), 1))
    manifest = export_labels(broker, NAMESPACE, EVERYTHING, tmp_path / "out")
    (place,) = manifest["unreadable"]
    assert place.startswith(f"{NAMESPACE.topic('decisions')}[1]@")
    assert manifest["pictures"] == 3


def test_a_changed_file_and_a_stranger_are_named(broker: MemoryBroker, tmp_path: Path) -> None:
    fill(broker)
    export_labels(broker, NAMESPACE, EVERYTHING, tmp_path)
    assert verify(tmp_path) == []
    (tmp_path / "parts.csv").write_text("image\n")
    (tmp_path / "images" / f"{frame(1)}.png").unlink()
    (tmp_path / "mine.txt").write_text("?")
    assert verify(tmp_path) == [
        f"images/{frame(1)}.png: missing",
        "mine.txt: not in the manifest",
        "parts.csv: changed",
    ]


def test_an_export_never_changes_another_one(broker: MemoryBroker, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("?")
    with pytest.raises(ConfigurationError, match="not empty"):
        export_labels(broker, NAMESPACE, EVERYTHING, tmp_path)


def test_a_picture_that_is_not_what_was_captured_stops_the_export(broker: MemoryBroker, tmp_path: Path) -> None:
    fill(broker)
    put(broker, "evidence", frame(1), evidence(1, picture=PICTURE + b"?"))
    with pytest.raises(ConfigurationError, match="digest differs"):
        export_labels(broker, NAMESPACE, EVERYTHING, tmp_path / "out")


def test_only_visits_of_the_selection_are_exported(broker: MemoryBroker, tmp_path: Path) -> None:
    fill(broker)
    assert export_labels(broker, NAMESPACE, Selection(AT + 2, AT + 2), tmp_path / "out")["pictures"] == 1
    assert export_labels(broker, NAMESPACE, Selection(0, AT * 2, "line9"), tmp_path / "none")["pictures"] == 0


@pytest.mark.parametrize(
    ("picture", "mask", "cause"),
    [
        (PICTURE, png(np.ones((8, 6), np.uint8)), LeftOut.MASK_UNUSABLE),
        (PICTURE, b"no mask", LeftOut.MASK_UNUSABLE),
        (PICTURE + PICTURE, png(DRAWN), LeftOut.PICTURE_UNREADABLE),
    ],
    ids=["another size", "no mask", "two pictures"],
)
def test_one_bad_mask_or_picture_is_left_out_and_never_costs_the_export(
    tmp_path: Path, picture: bytes, mask: bytes, cause: LeftOut
) -> None:
    labels = [replace(one, mask_png=drawn) for one, drawn in zip(_two_labels(), (mask, png(DRAWN)), strict=True)]
    out = LabelFolder.make(tmp_path / "out", labels, Counter())
    for one, content in zip(labels, (picture, PICTURE), strict=True):
        out.take(_evidence(one, content))
    manifest = out.finish({}, {})
    assert manifest["pictures"] == 1
    assert manifest["left_out"][cause.value] == 1


def test_an_exported_picture_lies_under_its_mask_in_every_reader(tmp_path: Path) -> None:
    (label, _) = _two_labels()
    jpeg = picture_files.encoded(np.arange(48, dtype=np.uint8).reshape(6, 8) * 5, ".jpg")
    out = LabelFolder.make(tmp_path / "out", [replace(label, mask_png=png(DRAWN))], Counter())
    out.take(_evidence(label, picture_files.turned(jpeg, 6), "image/jpeg"))
    (written,) = (tmp_path / "out" / "images").iterdir()
    read = cv2.imread(str(written))  # turns by a tag where it finds one
    assert read is not None
    assert read.shape[:2] == DRAWN.shape


def _two_labels() -> list[FrameLabel]:
    told = JudgedVisit(diverted(1), diverted(1), ())
    return [FrameLabel(f"f{n}", "top", f"g{n}", True, "crack", None, told) for n in range(2)]


def _evidence(label: FrameLabel, picture: bytes, kind: str = "image/png") -> Evidence:
    return Evidence(
        frame_id=label.frame_id,
        visit_id=visit(1),
        view_id="top",
        picture=picture,
        content_type=kind,
        sha256=digest(picture),
        kept_ms=AT,
    )
