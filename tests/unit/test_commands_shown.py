"""Every command that a page of the site shows is run by a test, or stands here with what is run instead."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess

import pytest

from scripts import site
from tests.support.guides import COMMANDS, ROOT, GuidePage, blocks_of

FOLLOWERS = ("tests.guides.*", "tests.e2e.test_change_over_guide", "tests.integration.linewarden.test_traces")
"""Modules whose tests follow a page."""
ELSEWHERE = {
    "README.md": "make, by .ci/run; and the targets by this module",
    "CONTRIBUTING.md": "make, by .ci/run; and the targets by this module",
    "deploy/README.md": "no container engine here: what it says to linewarden by integration/linewarden/test_deploy",
    "tests/simulation/README.md": "make, by this module; what it makes by tests/unit",
}
"""Pages whose `sh` fences no test runs as they stand, and why that is enough."""
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown() -> dict[str, list[str]]:
    """The `sh` fences of each page that has one."""
    pages = {page.as_posix(): _FENCE.findall((ROOT / page).read_text(encoding="utf-8")) for page in site.pages()}
    return {page: fences for page, fences in pages.items() if fences}


def followed() -> dict[str, list[tuple[str, GuidePage]]]:
    """Pages by their path, with the modules whose tests follow them."""
    found: dict[str, list[tuple[str, GuidePage]]] = {}
    for pattern in FOLLOWERS:
        for path in sorted(ROOT.glob(pattern.replace(".", "/") + ".py")):
            if not path.name.startswith("test_"):
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for one in vars(importlib.import_module(name)).values():
                if isinstance(one, GuidePage):
                    found.setdefault(one.path, []).append((name, one))
    return found


def test_every_page_that_shows_commands_is_followed_to_its_last_section() -> None:
    pages = followed()
    assert set(shown()) - set(pages) == set(ELSEWHERE), "pages with commands that no test follows"
    assert {path: one.unfollowed() for path, those in pages.items() for _, one in those if one.unfollowed()} == {}
    assert {path: len(those) for path, those in pages.items() if len(those) != 1} == {}


def test_only_what_needs_something_that_is_not_here_is_left_out() -> None:
    left_out = {
        f"{page}: {block.needs}"
        for page in followed()
        for block in blocks_of((ROOT / page).read_text(encoding="utf-8"))
        if block.needs is not None and block.language in COMMANDS
    }
    assert left_out == {"docs/guides/train-and-promote.md: shift"}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "tests/simulation/README.md"])
def test_what_is_made_exists_and_does_as_it_says(page: str) -> None:
    commands = [one for fence in shown()[page] for line in fence.splitlines() for one in _commands(line)]
    assert commands
    for command in commands:
        words = shlex.split(command)
        if words[0] == "python":
            importlib.import_module(words[2])
            continue
        assert words[0] == "make", f"{page}: {command}"
        told = subprocess.run(
            ["make", "-n", *words[1:], "VENV=/nonexistent"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, f"{page}: {command}: {told.stderr}"


def _commands(line: str) -> list[str]:
    before, _, comment = line.partition("#")
    before = re.sub(r"\[.*?\]", "", before)  # what may be added
    return [one for one in (before.strip(), *re.findall(r"make (?:[a-z-]+)(?: [A-Z]+=\S+)*", comment)) if one]


def test_ci_makes_what_the_pages_name() -> None:
    assert "make test check test-all" in (ROOT / ".ci/run").read_text(encoding="utf-8")
