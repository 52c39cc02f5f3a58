"""Every command that a message, a page or a document names exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from linewarden.cli import ServiceName, app

ROOT = Path(__file__).parents[3]
_BEFORE = r"(?:['\"`$>]|\brun |\bsee:? |\bwith |\bfrom: |: )"
NAMED = re.compile(_BEFORE + r"linewarden (?P<words>[a-z][a-z-]*(?: [a-z][a-z-]*)*)")
FOLDERS = ("services", "schemas/linewarden_schemas", "docs", "deploy")
KINDS = frozenset({".py", ".json", ".j2", ".html", ".js", ".md", ".yml", ".yaml", ".toml"})
PROSE = frozenset({"is", "does", "on", "services", "of", "and", "image", "starts", "coins", "side", "station"})
"""Words that follow the name of the software in a sentence."""


def named() -> Iterator[tuple[str, str]]:
    places = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in KINDS]
    for path in [ROOT / "README.md", *places]:
        if "demo-bundle" not in path.parts:
            for found in NAMED.finditer(path.read_text(errors="replace")):
                yield str(path.relative_to(ROOT)), found["words"]


@cache
def commands() -> Any:
    return typer.main.get_command(app)


def is_known(words: str) -> bool:
    at, (first, *rest) = commands(), words.split()
    if first == "run" and rest:
        return rest[0] in list(ServiceName)
    for word in (first, *rest):
        below = getattr(at, "commands", None)
        if below is None:
            return True  # what follows are arguments, or the sentence
        if word not in below:
            return False
        at = below[word]
    return True


def test_every_command_that_is_named_exists() -> None:
    found = set(named())
    assert len(found) > 100
    assert {one for one in found if one[1].split()[0] not in PROSE and not is_known(one[1])} == set()


@pytest.mark.parametrize(
    ("words", "known"), [("topics provision", True), ("topics renew", False), ("run route", True), ("run rout", False)]
)
def test_what_does_not_exist_would_be_found(words: str, *, known: bool) -> None:
    assert is_known(words) is known
