"""The pages that hang beside the station say what the station says: its sentences, and the keys that it begins with."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.guides import ROOT

STATION = ROOT / "services/linewarden_reinspect/station"
PAGES = {"en": "docs/guides/operators.md", "de": "docs/guides/operators.de.md"}


@pytest.mark.parametrize("language", PAGES)
def test_what_the_screen_says_is_a_text_of_the_station(language: str) -> None:
    texts = json.loads((STATION / f"texts/{language}.json").read_text(encoding="utf-8")).values()
    page = " ".join((ROOT / PAGES[language]).read_text(encoding="utf-8").split())
    said = re.findall(r"(?<!\*)\*([^*\[\]]+)\*(?!\*)", page.partition("|---|---|")[2])
    assert len(said) >= 8
    for sentence in said:
        pieces = [piece.strip() for piece in sentence.split("…") if piece.strip()]
        assert any(all(piece in text for piece in pieces) for text in texts), sentence


@pytest.mark.parametrize("language", PAGES)
def test_keys_are_those_that_the_station_begins_with(language: str) -> None:
    script = (STATION / "static/js/keys.js").read_text(encoding="utf-8")
    bound = {key.upper() for keys in re.findall(r"\w+: \[([^\]]*)\]", script) for key in re.findall(r'"([^"]+)"', keys)}
    told = set(re.findall(r"<kbd>([^<]+)</kbd>", (ROOT / PAGES[language]).read_text(encoding="utf-8")))
    assert len(told) >= 6
    assert told <= bound
