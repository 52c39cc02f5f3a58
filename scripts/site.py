"""The documentation site in build/site: the repository's own pages, built by Zensical, and llms.txt beside them.

Pages keep their places, so that their links hold here as in the repository. What they link to and is no page comes
along as it is. The built site loads nothing from elsewhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
_IMAGE = re.compile(r'(?<=src=")(?![a-z]+:)([^"]+)')
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LEFT_OUT = (".github/", "tests/track/")
NAV = "docs/site.toml"


def pages() -> list[Path]:
    """The pages that git knows, below the repository's root."""
    told = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in told.splitlines() if not name.startswith(_LEFT_OUT)]


def stage(folder: Path) -> None:
    """Copy the pages and what they link to into `folder`.

    Raises:
        SystemExit: where a page links to what is not there.
    """
    missing = []
    for page in pages():
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in _targets(page, text):
            if not (ROOT / target).exists():
                missing.append(f"{page} links to {target}, which is not there")
            elif (ROOT / target).is_file() and target.suffix != ".md":
                (folder / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / target, folder / target)
        copy = folder / page
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(_LINK.sub(partial(_page_of, page), text), encoding="utf-8")
    if missing:
        raise SystemExit("\n".join(missing))


def _targets(page: Path, text: str) -> Iterator[Path]:
    prose = _CODE.sub("", text)
    for found in (*_LINK.findall(prose), *_IMAGE.findall(prose)):
        yield Path(*_normal((page.parent / found).parts))


def _normal(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept.pop()
        elif part != ".":
            kept.append(part)
    return kept


def _page_of(page: Path, link: re.Match[str]) -> str:
    """A link to a folder as one to its page."""
    folder = ROOT / page.parent / link[0]
    return f"{link[0].rstrip('/')}/README.md" if (folder / "README.md").is_file() else link[0]


def llms(folder: Path) -> str:
    """llms.txt: what this is, and each page by its title, for programs that read text."""
    lines = ["# linewarden", "", "> " + _first(folder / "README.md"), "", "## Pages", ""]
    for page in pages():
        text = (folder / page).read_text(encoding="utf-8")
        title = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")), str(page))
        lines.append(f"- [{title}]({page})")
    return "\n".join(lines) + "\n"


def _first(page: Path) -> str:
    paragraphs = page.read_text(encoding="utf-8").split("\n\n")
    return " ".join(paragraphs[1].split())


def build(target: Path) -> None:
    """Build the site in the folder `target`/site; a warning of Zensical is an error."""
    shutil.rmtree(target, ignore_errors=True)
    stage(target / "pages")
    shutil.copyfile(ROOT / NAV, target / "zensical.toml")
    subprocess.run([Path(sys.executable).parent / "zensical", "build", "--strict"], cwd=target, check=True)
    for page in pages():  # the plain pages too, which llms.txt names
        shutil.copyfile(target / "pages" / page, target / "site" / page)
    (target / "site/llms.txt").write_text(llms(target / "pages"), encoding="utf-8")


if __name__ == "__main__":
    build(ROOT / "build/site")
    print("build/site/site/index.html")
