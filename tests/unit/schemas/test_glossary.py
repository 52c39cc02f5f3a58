"""The glossary speaks of what exists, and of every value."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from linewarden_schemas import glossary
from linewarden_schemas.glossary import WORDS, Word, glossary_page, meanings
from linewarden_schemas.vocabulary import Routing

ROOT = Path(__file__).parents[3]


class Half(StrEnum):
    """Of which one value is told."""

    TOLD = "told"
    """Something."""
    SILENT = "silent"


def test_every_word_and_value_stands_on_the_page() -> None:
    page = glossary_page("banner")
    assert all(f"| {name} | {word.meaning} |" in page for name, word in WORDS.items())
    assert all(f"| `{value}` | {meaning} |" in page for value, meaning in meanings(Routing).items())


def test_words_are_in_the_order_of_the_alphabet() -> None:
    words = re.findall(r"^\| ([a-z][a-z, -]*) \|", glossary_page("banner").split("## Values")[0], re.MULTILINE)
    assert words[1:] == sorted(WORDS)


def test_a_value_without_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="does not say what SILENT means"):
        meanings(Half)


def test_a_word_that_is_used_in_nothing_that_exists_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glossary, "WORDS", {"slot": Word("A request.", ("SlotOpened",))})
    with pytest.raises(ValueError, match="'slot' is used in 'SlotOpened', which is no topic, message or enum"):
        glossary_page("banner")


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = glossary_page("banner")
    targets = set(re.findall(r"\]\(([^)]+)\)", page))
    headings = {f"#{heading.lower()}" for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert all(one in headings if one.startswith("#") else (ROOT / "docs" / one).exists() for one in targets)
