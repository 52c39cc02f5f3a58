"""The containment list as one self-contained page, by lot and serial, with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from linewarden_history.reports.rendering import render


def containment_page(report: Mapping[str, Any], pictures: Mapping[str, tuple[str, str]]) -> str:
    """The page of a report (`ReplayReport.as_dict`); `pictures` by frame: as captured, and with the mask, as data."""
    parts = [one | {"shots": [_shot(frame, pictures) for frame in one["views"]]} for one in report["containment"]]
    lots = [{"lot_id": lot, "parts": list(group)} for lot, group in groupby(parts, key=lambda one: one["lot_id"])]
    return render("containment.html.j2", {**report, "differences": [], "containment": parts, "lots": lots})


def _shot(frame_id: str, pictures: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    plain, marked = pictures.get(frame_id, ("", ""))
    captions = (("as captured", plain), ("the mask of today", marked))
    return {"frame_id": frame_id, "pictures": [[caption, uri] for caption, uri in captions if uri]}
