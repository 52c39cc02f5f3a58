"""Pages of how to add something, followed: their blocks are put into a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NAMED_BLOCK = re.compile(r"^`([\w./-]+)`:\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(page: str, tree: Path, *, left_out: Collection[str] = ()) -> None:
    """Make `tree` the repository with the page `docs/adding/<page>.md` done to it, but for the files `left_out`.

    A block belongs to the file that is named before it: hunks of a `diff` change it, and any other block is it.
    """
    hidden = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("services", "schemas", "tests", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=hidden)
    shutil.copy(ROOT / "pyproject.toml", tree)
    text = (ROOT / "docs" / "adding" / f"{page}.md").read_text(encoding="utf-8")
    for name, kind, block in _NAMED_BLOCK.findall(text):
        if name in left_out:
            continue
        if kind == "diff":
            _apply(f"--- a/{name}\n+++ b/{name}\n{block}", tree)
        else:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(block, encoding="utf-8")


def _apply(patch: str, tree: Path) -> None:
    # No repository may lie around the tree: git would take the patch as one of the repository's own files.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
    command = ["git", "apply", "--recount", "-"]
    done = subprocess.run(command, cwd=tree, env=environment, input=patch, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + patch


def run_in(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module in a tree that `follow` made."""
    paths = os.pathsep.join(str(tree / name) for name in ("services", "schemas", "."))
    variables: Mapping[str, str] = os.environ | {"PYTHONPATH": paths} | environment
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=tree, env=variables, capture_output=True, text=True, check=False)
