"""Part ids, lots, views and visits of a folder's pictures: from a CSV beside them, or from their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from linewarden_domain.tables import UnusableTable, read_table
from linewarden_ingest.cameras.interface import PartInfo
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.ids import InvalidId, check_id
from linewarden_schemas.vocabulary import PartIdSource

COLUMNS = ("file", "visit", "view", "part_id", "lot_id", "product_id", "cavity")


@dataclass(frozen=True, slots=True)
class PictureLabel:
    """What is known of one picture. Pictures with the same `visit` are views of one visit."""

    visit: int | None = None
    view_id: str | None = None
    part: PartInfo = field(default_factory=PartInfo)


def read_sidecar(path: Path) -> dict[str, PictureLabel]:
    """Labels by file name from a CSV with a header line: `file`, and any of the other COLUMNS.

    Raises:
        ConfigurationError: naming the line that is not as it must be.
    """
    try:
        known = dict.fromkeys(COLUMNS, ()) | {"file": ("image", "picture")}
        rows = read_table(path, known, ("file",)).rows
    except UnusableTable as error:
        raise ConfigurationError(f"{error}; columns are {', '.join(COLUMNS)}") from error
    labels: dict[str, PictureLabel] = {}
    for row in rows:
        try:
            label = label_of({key: value for key, value in row.cells.items() if value})
        except (InvalidId, ValueError) as error:
            raise ConfigurationError(f"{path}, line {row.line}: {error}") from error
        if labels.setdefault(row["file"], label) != label:
            raise ConfigurationError(f"{path}, line {row.line}: {row['file']} is labelled twice")
    return labels


def label_from_name(name: str, pattern: re.Pattern[str]) -> PictureLabel:
    """The label in a file name, by the pattern's named groups, which are called as the COLUMNS.

    Raises:
        ConfigurationError: where the name does not match or a group is no id.
    """
    match = pattern.search(name)
    if match is None:
        raise ConfigurationError(f"{name!r} does not match the pattern {pattern.pattern!r}")
    try:
        return label_of({key: value for key, value in match.groupdict().items() if value})
    except (InvalidId, ValueError) as error:
        raise ConfigurationError(f"{name!r}: {error}") from error


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern of a folder's file names.

    Raises:
        ConfigurationError: where it is no regular expression or names an unknown group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(f"pattern {pattern!r}: {error}") from error
    unknown = set(compiled.groupindex) - set(COLUMNS[1:])
    if unknown:
        raise ConfigurationError(f"pattern {pattern!r} names {sorted(unknown)}; groups are {COLUMNS[1:]}")
    return compiled


def label_of(given: Mapping[str, str]) -> PictureLabel:
    """The label of cells that are not empty, by COLUMNS; raises ValueError, InvalidId among them."""
    visit = int(given["visit"]) if "visit" in given else None
    if visit is not None and not 0 <= visit < 1_000_000_000:
        raise ValueError(f"visit {given['visit']} is no number from 0 to 999999999")
    ids = {key: check_id(value) for key, value in given.items() if key not in {"file", "visit"}}
    part = PartInfo(
        part_id=ids.get("part_id"),
        part_id_source=PartIdSource.ASSIGNED if "part_id" in ids else None,
        lot_id=ids.get("lot_id"),
        cavity=ids.get("cavity"),
        product_id=ids.get("product_id"),
    )
    return PictureLabel(visit, ids.get("view"), part)
