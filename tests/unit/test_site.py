"""The documentation site: it is built, each link in it leads somewhere, and a reader's browser asks nobody else."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from scripts import site

LINK = re.compile(r'<a [^>]*href="([^"]*)"')
LOADED = re.compile(r'<(?:script|img|iframe|source)[^>]* src="([^"]+)"|<link [^>]*href="([^"]+)"')


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    site.build(target)
    return target / "site"


def test_each_page_is_there_as_page_and_as_text(built: Path) -> None:
    assert len(site.pages()) > 50
    for page in site.pages():
        folder = page.parent if page.name == "README.md" else page.with_suffix("")
        assert (built / folder / "index.html").is_file()
        assert (built / page).is_file()
    told = (built / "llms.txt").read_text(encoding="utf-8")
    assert all(f"({page})" in told for page in site.pages())


def test_each_link_leads_somewhere(built: Path) -> None:
    astray = []
    for page in built.rglob("index.html"):
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            target, _ = urldefrag(unquote(link))
            if not target or re.match(r"[a-z]+:", target):
                continue
            place = page.parent / target
            if not (place.is_file() or (place / "index.html").is_file()):
                astray.append(f"{page.relative_to(built)}: {link}")
    assert astray == []


def test_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    pages = list(built.rglob("*.html"))
    loaded = [
        one for page in pages for found in LOADED.findall(page.read_text(encoding="utf-8")) for one in found if one
    ]
    assert len(loaded) > len(pages)
    assert [one for one in loaded if re.match(r"(?:[a-z]+:)?//", one)] == []
