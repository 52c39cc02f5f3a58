from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from linewarden_inspect.offline.listing import UnusableFolder, list_pictures


def made(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def images(root: Path) -> list[str]:
    return [entry.image for entry in list_pictures(root).entries]


def test_every_picture_below_the_folder_is_listed_in_order_with_its_path_as_part(tmp_path: Path) -> None:
    made(tmp_path, "b/2.PNG", "b/1.jpg", "a.bmp", "c/d/e.tiff", "notes.txt", ".hidden/x.png")
    listing = list_pictures(tmp_path)
    assert [(entry.image, entry.part_id) for entry in listing.entries] == [
        ("a.bmp", "a"),
        ("b/1.jpg", "b/1"),
        ("b/2.PNG", "b/2"),
        ("c/d/e.tiff", "c/d/e"),
    ]
    assert (listing.skipped["other files"], listing.skipped["hidden"]) == (1, 1)


def test_a_pattern_names_the_part_in_a_path(tmp_path: Path) -> None:
    made(tmp_path, "kos01/Part0.jpg", "kos01/Part1.jpg", "other.jpg")
    listing = list_pictures(tmp_path, re.compile(r"(?P<part_id>kos\d+)/"))
    assert [entry.part_id for entry in listing.entries] == ["kos01", "kos01", "other"]


def test_masks_of_labelled_sets_are_no_parts_and_are_counted(tmp_path: Path) -> None:
    made(
        tmp_path, "images/1.jpg", "masks/1.png", "kos/Part5.jpg", "kos/Part5_label.bmp", "t/20000.png", "t/20000_GT.png"
    )
    made(tmp_path, "test/cut/003.png", "ground_truth/cut/003_mask.png")
    listing = list_pictures(tmp_path)
    assert [entry.image for entry in listing.entries] == [
        "images/1.jpg",
        "kos/Part5.jpg",
        "t/20000.png",
        "test/cut/003.png",
    ]
    assert listing.skipped["masks"] == 4


def test_a_picture_in_a_folder_called_masks_without_a_picture_that_it_belongs_to_is_a_part(tmp_path: Path) -> None:
    made(tmp_path, "masks/respirator-7.png", "face_mask.png")
    assert images(tmp_path) == ["face_mask.png", "masks/respirator-7.png"]


def test_the_table_says_which_pictures_and_parts_there_are(tmp_path: Path) -> None:
    made(tmp_path, "images/b.jpg", "images/a.jpg", "masks/a.png", "c.png")
    (tmp_path / "parts.csv").write_text(
        "image,class,group\nb.jpg,free,p1\na.jpg,crack,p1\nc.png,free,\ngone.jpg,free,p2\n"
    )
    listing = list_pictures(tmp_path)
    assert [(entry.image, entry.part_id) for entry in listing.entries] == [
        ("b.jpg", "p1"),
        ("a.jpg", "p1"),
        ("c.png", "c"),
        ("gone.jpg", "p2"),
    ]
    assert [entry.refused.detail for entry in listing.entries if entry.refused] == ["the file is missing"]
    assert listing.skipped["not in parts.csv"] == 1


def test_a_part_id_in_the_table_comes_before_its_group(tmp_path: Path) -> None:
    made(tmp_path, "a.png")
    (tmp_path / "parts.csv").write_text("file,group,part_id\na.png,g,serial-1\n")
    assert list_pictures(tmp_path).entries[0].part_id == "serial-1"


@pytest.mark.parametrize("name", ["../outside.png", "/etc/outside.png", "link.png"])
def test_what_lies_outside_the_folder_keeps_its_line_and_is_not_opened(tmp_path: Path, name: str) -> None:
    inside = made(tmp_path / "in", "a.png")
    made(tmp_path, "outside.png")
    (inside / "link.png").symlink_to(tmp_path / "outside.png")
    (inside / "parts.csv").write_text(f"image\na.png\n{name}\n")
    refused = list_pictures(inside).entries[1].refused
    assert refused is not None
    assert "outside the folder" in refused.detail


def test_a_link_out_of_the_folder_keeps_its_line_and_a_linked_folder_is_counted(tmp_path: Path) -> None:
    inside = made(tmp_path / "in", "a.png")
    made(tmp_path / "out", "b.png")
    (inside / "b.png").symlink_to(tmp_path / "out" / "b.png")
    (inside / "more").symlink_to(tmp_path / "out")
    (inside / "c.png").symlink_to(inside / "a.png")
    listing = list_pictures(inside)
    assert [(entry.image, entry.refused is None) for entry in listing.entries] == [
        ("a.png", True),
        ("b.png", False),
        ("c.png", True),
    ]
    assert listing.skipped["links to folders"] == 1


def test_a_pipe_called_a_picture_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    refused = list_pictures(tmp_path).entries[0].refused
    assert refused is not None
    assert "regular" in refused.detail


@pytest.mark.parametrize(
    ("table", "text"),
    [("part_id\n1\n", "needs the column image"), ("image\na.png\na.png\n", "twice"), ("image\n\xff\n", "UTF-8")],
)
def test_a_table_that_cannot_be_understood_says_what_to_change(tmp_path: Path, table: str, text: str) -> None:
    made(tmp_path, "a.png")
    (tmp_path / "parts.csv").write_bytes(table.encode("latin-1"))
    with pytest.raises(UnusableFolder, match=text):
        list_pictures(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFolder, match="holds no pictures"):
        list_pictures(made(tmp_path, "a.txt"))
