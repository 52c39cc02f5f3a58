"""One line of a side channel, by a stated form, into a counter and a part's data; pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from linewarden_ingest.cameras.interface import PartInfo
from linewarden_schemas.base import MOST_MS
from linewarden_schemas.ids import check_id
from linewarden_schemas.vocabulary import ChannelWord, PartIdSource

MOST_LINE = 2048
"""Bytes of a line at most."""
MOST_COUNTER = 9_999_999_999
_Name = Literal["counter", "time", "serial", "lot", "product", "cavity", "encoder"]
_NAMES: tuple[_Name, ...] = ("counter", "time", "serial", "lot", "product", "cavity", "encoder")
_PAIR = re.compile(r"\s*([^=\s,;]+)=([^,;\s]*)\s*(?:[,;]|\s|$)")


class LineRefused(ValueError):
    """A line that says nothing of a part, with the reason."""


@dataclass(frozen=True, slots=True)
class LineTold:
    """What a line says; `time_ms` is epoch ms by the clock of whoever sent it."""

    counter: int | None
    time_ms: int | None
    part: PartInfo


class LineFormat(BaseModel):
    """How lines are read. A line is UTF-8 text with some of counter, time, serial, lot, product, cavity, encoder.

    `form` is an object of JSON, pairs `key=value` with blanks, commas or semicolons between, or by `pattern`, a regular
    expression with those names as groups, which the whole line matches. `names` are the keys where the sender calls
    them otherwise. `counts` says that each line brings a counter, which grows by 1 and begins anew with 0 after
    `last_counter`; else lines are counted as they come. `times` is what names a visit, and joins in time. A line
    that is `start` or `stop`, whole, says that of the line instead of a part; without them no line does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["json", "pairs", "pattern"] = "json"
    pattern: str | None = None
    names: dict[_Name, str] = Field(default_factory=dict)
    counts: bool = True
    last_counter: int = Field(MOST_COUNTER, ge=1, le=MOST_COUNTER)
    times: Literal["arrival", "told"] = "arrival"
    start: str | None = Field(None, min_length=1)
    stop: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _pattern_is_one(self) -> Self:
        if (self.form == "pattern") != (self.pattern is not None):
            raise ValueError("form = 'pattern' and a pattern belong together")
        if self.start is not None and self.start == self.stop:
            raise ValueError(f"start and stop are both {self.start!r}")
        try:
            unknown = set(re.compile(self.pattern or "").groupindex) - set(_NAMES)
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r}: {error}") from error
        if unknown:
            raise ValueError(f"pattern {self.pattern!r} names {sorted(unknown)}; groups are {', '.join(_NAMES)}")
        return self

    def word(self, raw: bytes) -> ChannelWord | None:
        """What a line says of the line itself; None for one that tells of a part."""
        text = raw.decode("utf-8", errors="replace").strip()
        words = {self.start: ChannelWord.START, self.stop: ChannelWord.STOP}
        return words.get(text)

    def read(self, raw: bytes) -> LineTold:
        """What a line says of a part.

        Raises:
            LineRefused: with the reason, whatever the bytes are.
        """
        if len(raw) > MOST_LINE:
            raise LineRefused(f"a line of more than {MOST_LINE} bytes")
        try:
            text = raw.decode("utf-8").strip()
            given = self._given(text)
            cells = {name: given.get(self.names.get(name, name)) for name in _NAMES}
            told = _told({name: value for name, value in cells.items() if value not in {None, ""}})
        except (ValueError, TypeError, RecursionError) as error:
            raise LineRefused(f"{raw[:80]!r}: {error}") from error
        if self.counts and told.counter is None:
            raise LineRefused(f"{raw[:80]!r} brings no counter")
        if self.times == "told" and told.time_ms is None:
            raise LineRefused(f"{raw[:80]!r} brings no time")
        if told == LineTold(None, None, PartInfo()):
            raise LineRefused(f"{raw[:80]!r} says nothing of a part")
        return told

    def _given(self, text: str) -> dict[str, object]:
        if self.form == "json":
            found = json.loads(text, object_pairs_hook=_once)
            if not isinstance(found, dict):
                raise ValueError("no object of JSON")
            return found
        if self.pattern is not None:
            match = re.fullmatch(self.pattern, text)
            if match is None:
                raise ValueError(f"does not match the pattern {self.pattern!r}")
            return {self.names.get(name, name): match.groupdict().get(name) for name in _NAMES}
        at, pairs = 0, []
        while at < len(text):
            pair = _PAIR.match(text, at)
            if pair is None:
                raise ValueError("not pairs of key=value")
            pairs.append((pair[1], pair[2]))
            at = pair.end()
        return _once(pairs)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _told(cells: dict[_Name, object]) -> LineTold:
    ids = {name: check_id(_text(cells[name])) for name in ("serial", "lot", "product", "cavity") if name in cells}
    part = PartInfo(
        part_id=ids.get("serial"),
        part_id_source=PartIdSource.TRACKED if "serial" in ids else None,
        lot_id=ids.get("lot"),
        product_id=ids.get("product"),
        cavity=ids.get("cavity"),
        encoder_position=_whole("encoder", cells.get("encoder"), -MOST_MS, MOST_MS),
    )
    return LineTold(_whole("counter", cells.get("counter"), 0, MOST_COUNTER), _time_ms(cells.get("time")), part)


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{value!r} is no text")
    return str(value)


def _whole(name: str, value: object, least: int, most: int) -> int | None:
    if value is None:
        return None
    text = _text(value)
    if not re.fullmatch(r"[+-]?[0-9]{1,20}", text) or not least <= int(text) <= most:
        raise ValueError(f"{name} {text[:40]!r} is no whole number from {least} to {most}")
    return int(text)


def _time_ms(value: object) -> int | None:
    """Epoch ms, or ISO 8601 with its zone."""
    if isinstance(value, str) and not value.isdigit():
        told = datetime.fromisoformat(value)
        if told.tzinfo is None:
            raise ValueError(f"time {value!r} has no zone; add Z, or an offset")
        return _whole("time", round(told.timestamp() * 1000), 0, MOST_MS)
    return _whole("time", value, 0, MOST_MS)
