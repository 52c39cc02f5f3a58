"""Tables as people and spreadsheets write them: lenient about blanks, strict about names."""

from __future__ import annotations

from pathlib import Path

import pytest

from linewarden_domain.tables import UnusableTable, parse_table, read_table

KNOWN = {"image": ("file", "picture"), "part_id": ("part", "group"), "class": ()}


def cells(text: str) -> list[dict[str, str]]:
    return [row.cells for row in parse_table(text, KNOWN, ("image",), "parts.csv").rows]


@pytest.mark.parametrize(
    "text",
    [
        "image,part_id\na.png,P1\n",
        "image, part_id\na.png, P1\n",
        " Image ;PART_ID\r\na.png;P1\r\n",
        "\ufefffile\tGroup\na.png\tP1\n",
        "\n,\npicture,part\n,\n\na.png,P1\n,,\n",
        'image,"part_id"\n"a.png",P1',
    ],
)
def test_names_are_trimmed_and_matched_without_case_and_empty_rows_skipped(text: str) -> None:
    assert cells(text) == [{"image": "a.png", "part_id": "P1"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,part id\na,b\n", "column 'part id', which is not known; known are image, part_id, class"),
        ("image,Image\na,b\n", "the column 'Image' twice"),
        ("part_id\nP1\n", "needs the column image"),
        ("", "needs the column image"),
        ("image,part_id\na,b,c\n", "line 2: more cells than columns"),
        ("image,part_id\na,b\n,c\n", "line 3: image is empty"),
        ('image\n"a', "is no CSV"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line_and_what_is_known(text: str, words: str) -> None:
    with pytest.raises(UnusableTable, match=r"parts\.csv") as refused:
        cells(text)
    assert words in str(refused.value)


def test_of_two_columns_for_one_thing_the_more_exact_counts() -> None:
    assert cells("group,part_id,image\ng,p,a\n") == [{"part_id": "p", "image": "a"}]


def test_a_file_in_another_encoding_or_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image\nä\n", encoding="latin-1")
    with pytest.raises(UnusableTable, match="no text in UTF-8"):
        read_table(tmp_path / "t.csv", KNOWN)
    with pytest.raises(UnusableTable, match="cannot be read"):
        read_table(tmp_path / "none.csv", KNOWN)
