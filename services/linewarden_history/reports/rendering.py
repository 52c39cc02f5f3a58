"""Pages without script and without anything fetched, fit to print. The same document gives the same page."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

NONE = "–"  # noqa: RUF001 - a dash where nothing is known


def render(template: str, document: Mapping[str, Any], **more: object) -> str:
    """One page from a document, named `doc` in the template. The document is taken as a file of JSON would give it."""
    environment = Environment(
        loader=PackageLoader("linewarden_history.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "when": when, "lasted": lasted, "number": number, "words": words}
    text: str = environment.get_template(template).render(doc=json.loads(as_json(document)), **more)
    return text


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of figures as CSV with a header, lines ended by a line feed."""
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def as_json(document: Mapping[str, Any]) -> str:
    """The document as it is stored: the page made of the stored one is the same byte for byte."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_stored(path: Path, schema: str) -> dict[str, Any]:
    """A document that `as_json` stored earlier; raises ValueError for anything else."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told = found.get("schema")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no stored report: {error}") from error
    if told != schema:
        raise ValueError(f"{path} is no {schema}, but {told!r}")
    return found


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage with so many digits; a dash where it is not known."""
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits behind the point; a dash where it is not known."""
    return NONE if value is None else f"{value:.{digits}f}"


def when(at_ms: int | None) -> str:
    """Epoch ms as a time in UTC, to the second."""
    if at_ms is None:
        return NONE
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def lasted(ms: float) -> str:
    """Milliseconds as hours, minutes and seconds."""
    minutes, seconds = divmod(round(ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def words(name: str) -> str:
    """A name of the code as words; rates keep theirs, since the name says the denominator."""
    return name.replace("_", " ")
