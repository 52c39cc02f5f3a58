"""A folder nobody prepared, judged by a real bundle through the command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from linewarden.cli import app
from tests.support.bundles import SIZE, random_picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve parts of two pictures each in four formats, and everything that goes wrong."""
    root = tmp_path_factory.mktemp("parts")
    for number in range(24):
        name = (
            root / f"tray{number // 12}" / f"part{number // 2}_view{number % 2}{('.png', '.bmp', '.tif')[number % 3]}"
        )
        name.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(name), random_picture(number, SIZE + 16 * (number % 4)))
    odd = root / "odd"
    odd.mkdir()
    cv2.imwrite(str(odd / "dark.png"), np.zeros((SIZE, SIZE), np.uint8))
    cv2.imwrite(str(odd / "alpha.png"), np.zeros((SIZE, SIZE, 4), np.uint8))
    cv2.imwrite(str(odd / "colour.png"), cv2.cvtColor(random_picture(50), cv2.COLOR_GRAY2BGR))
    cv2.imwrite(str(odd / "deep.png"), random_picture(51).astype(np.uint16) * 257)
    (odd / "text.jpg").write_bytes(b"no picture at all")
    (odd / "empty.png").write_bytes(b"")
    (odd / "cut.png").write_bytes((root / "tray0" / "part0_view0.png").read_bytes()[:-20])
    (odd / "cut.tif").write_bytes(b"II*\x00" + bytes(20))
    return root


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def inspected(folder: Path, store: Path, out: Path, *more: object) -> list[dict[str, Any]]:
    done = run(folder, "--bundle", store / "a", "--out", out, "--part", r"(?P<part_id>part\d+)", *more)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.fixture(scope="module")
def lines(folder: Path, bundle_store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return inspected(folder, bundle_store, tmp_path_factory.mktemp("out") / "r.jsonl")


def test_every_picture_has_one_line_in_order(folder: Path, lines: list[dict[str, Any]]) -> None:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert [line["image"] for line in lines] == files
    assert {line["verdict"] for line in lines} == {"OK", "NG", "NOT_DECIDABLE"}


def test_what_cannot_be_judged_says_why_and_is_diverted(lines: list[dict[str, Any]]) -> None:
    odd = {Path(line["image"]).name: line for line in lines if line["image"].startswith("odd/")}
    assert {name: line["undecidable"] for name, line in odd.items()} == {
        "alpha.png": "unreadable",
        "colour.png": None,
        "cut.png": "unreadable",
        "cut.tif": "unreadable",
        "dark.png": "out_of_distribution",
        "deep.png": None,
        "empty.png": "not_a_picture",
        "text.jpg": "not_a_picture",
    }
    for line in odd.values():
        if line["undecidable"]:
            assert (line["verdict"], line["routing"], line["cause"]) == ("NOT_DECIDABLE", "diverted", "not_decidable")
            assert line["reasons"]
            assert line["p_defect"] is line["trust"] is line["mask"] is None


def test_the_routing_of_a_part_is_the_worst_of_its_pictures(lines: list[dict[str, Any]]) -> None:
    order = ["trusted_pass", "diverted", "rejected"]
    parts: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        parts.setdefault(line["part_id"], []).append(line)
    assert any(len({line["picture_routing"] for line in views}) == 2 for views in parts.values())
    for views in parts.values():
        worst = max((line["picture_routing"] for line in views), key=order.index)
        assert {line["routing"] for line in views} == {worst}


def test_an_ok_passes_or_is_diverted_for_low_trust(lines: list[dict[str, Any]]) -> None:
    passed = [line for line in lines if line["verdict"] == "OK"]
    assert {(line["picture_routing"], line["cause"]) for line in passed} == {
        ("trusted_pass", None),
        ("diverted", "low_trust"),
    }
    assert all(line["trust"] == 1 - line["suspicion"] for line in passed)


def test_the_same_pictures_give_the_same_bytes_with_maps_of_the_right_size(
    folder: Path, bundle_store: Path, tmp_path: Path
) -> None:
    for name in ("1", "2"):
        inspected(
            folder, bundle_store, tmp_path / f"{name}.jsonl", "--maps", tmp_path / name, "--threads", 1 + int(name)
        )
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    first, second = (
        {path.relative_to(tmp_path / n): path.read_bytes() for path in (tmp_path / n).rglob("*.png")} for n in "12"
    )
    assert first == second
    for line in map(json.loads, (tmp_path / "1.jsonl").read_text().splitlines()):
        if line["verdict"] != "NOT_DECIDABLE":
            shown = cv2.imread(str(folder / line["image"]), cv2.IMREAD_GRAYSCALE)
            mask = cv2.imread(str(tmp_path / "1" / line["mask"]), cv2.IMREAD_UNCHANGED)
            assert shown is not None
            assert mask is not None
            assert mask.shape == shown.shape
            assert set(np.unique(mask)) <= {0, 255}
            assert (mask > 0).sum() == line["mask_pixels"]
            specific, agnostic, signed = (
                np.asarray(cv2.imread(str(tmp_path / "1" / line[layer]), cv2.IMREAD_UNCHANGED), int)
                for layer in ("class_specific", "class_agnostic", "difference")
            )
            assert np.abs(signed - 128 - (specific - agnostic) / 2).max() <= 0.5


def test_the_summary_counts_everything_once(folder: Path, bundle_store: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["inspect", str(folder), "--bundle", str(bundle_store / "a"), "--out", str(tmp_path / "r"), "--json"]
    )
    assert done.exit_code == 0
    summary = json.loads(done.stdout)
    assert summary["pictures"] == sum(summary["verdicts_of_pictures"].values()) == 32
    assert summary["verdicts_of_pictures"]["NOT_DECIDABLE"] == 6
    assert summary["diverted_pictures_by_reason"]["not_decidable: out_of_distribution"] == 1
    assert sum(summary["routings_of_parts"].values()) == summary["parts"]


def test_wrong_usage_exits_with_2_and_leaves_no_results(folder: Path, bundle_store: Path, tmp_path: Path) -> None:
    out, bundle = tmp_path / "r", bundle_store / "a"
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (
        (tmp_path / "absent", "--bundle", bundle, "--out", out),
        (empty, "--bundle", bundle, "--out", out),
        (folder, "--bundle", tmp_path / "absent", "--out", out),
        (folder, "--bundle", bundle, "--out", tmp_path / "no" / "such"),
        (folder, "--bundle", bundle, "--out", out, "--maps", folder / "maps"),
        (folder, "--bundle", bundle, "--out", out, "--device", "nonsense"),
        (folder, "--bundle", bundle, "--out", out, "--part", "("),
        (folder, "--bundle", bundle),
    ):
        assert run(*arguments).exit_code == 2, arguments
    assert not out.exists()


def test_a_damaged_bundle_is_one_line_and_exits_with_1(folder: Path, bundle_store: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle_store / "a", tmp_path / "b")
    (tmp_path / "b" / "card.json").write_text("{}")
    done = run(folder, "--bundle", tmp_path / "b", "--out", tmp_path / "r")
    assert done.exit_code == 1
    assert "fetch the bundle again" in done.output
