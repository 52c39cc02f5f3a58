"""Sheets for people: pictures under tokens, and a table to fill in. Nothing on them tells the reference."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from linewarden_domain.study_sheet import FILE, SheetRow, answer_of, as_text, folder_of
from linewarden_domain.tables import read_table
from linewarden_history.msa.models import Appraisal, AppraisalPlan, AppraisalSheet


def write_sheets(plan: AppraisalPlan, folder: Path) -> None:
    """Write a folder for every person and round: `sheet.csv` in the order to be judged, and the pictures.

    Raises:
        ValueError: where the folder holds anything already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds something already; sheets go into an empty folder")
    for sheet in plan.sheets:
        place = folder / folder_of(sheet.operator, sheet.round)
        place.mkdir(parents=True)
        rows = [SheetRow(one.token, f"{one.token}{Path(one.picture).suffix.lower()}") for one in sheet.places]
        for one, row in zip(sheet.places, rows, strict=True):
            shutil.copyfile(one.picture, place / row.picture)
        (place / FILE).write_text(as_text(rows), encoding="utf-8", newline="")


def read_answers(plan: AppraisalPlan, source: Path) -> tuple[list[Appraisal], Counter[str]]:
    """Answers of a table with the columns operator, round, token (or part_id) and answer, or of a folder of sheets.

    What has no answer, an unknown token or another word in it is left out, and counted.

    Raises:
        ValueError: for a table without these columns, or a folder without sheets.
    """
    if source.is_file():
        return _read(plan, source, None)
    found: list[Appraisal] = []
    dropped: Counter[str] = Counter()
    sheets = [(sheet, source / folder_of(sheet.operator, sheet.round) / FILE) for sheet in plan.sheets]
    if not any(path.is_file() for _, path in sheets):
        raise ValueError(f"{source} holds no sheet of this plan")
    for sheet, path in sheets:
        if not path.is_file():
            dropped["sheet is missing"] += len(sheet.places)
            continue
        judged, without = _read(plan, path, sheet)
        found += judged
        dropped += without
    return found, dropped


def _read(plan: AppraisalPlan, path: Path, sheet: AppraisalSheet | None) -> tuple[list[Appraisal], Counter[str]]:
    found: list[Appraisal] = []
    dropped: Counter[str] = Counter()
    table = read_table(
        path, dict.fromkeys(("token", "part_id", "picture", "answer", "comment", "operator", "round"), ())
    )
    needed = {"answer"} | (set() if sheet else {"operator", "round"})
    if not needed <= table.columns or not table.columns & {"token", "part_id"}:
        raise ValueError(f"{path} needs the columns {', '.join(sorted(needed))} and token or part_id")
    for row in table.rows:
        cells = row.cells if sheet is None else row.cells | {"operator": sheet.operator, "round": str(sheet.round)}
        judged = _judgement(plan, cells)
        if isinstance(judged, str):
            dropped[judged] += 1
        else:
            found.append(judged)
    return found, dropped


def _judgement(plan: AppraisalPlan, row: Mapping[str, str]) -> Appraisal | str:
    """The judgement of a row, or why it is none."""
    try:
        answer = answer_of(row.get("answer", ""))
    except ValueError:
        return "answer is none of OK, NG, UNSURE"
    if answer is None:
        return "no answer"
    place = (row.get("operator", ""), row.get("round", ""))
    sheet = next((one for one in plan.sheets if (one.operator, str(one.round)) == place), None)
    if sheet is None:
        return "operator or round is not in the plan"
    parts = {place.token: place.part_id for place in sheet.places} if row.get("token") else {}
    part_id = parts.get(row["token"]) if parts else row.get("part_id")
    if part_id not in {place.part_id for place in sheet.places}:
        return "token or part is not on the sheet"
    return Appraisal(operator=sheet.operator, round=sheet.round, part_id=part_id, answer=answer)
