"""Guides, followed: each block of a page is done as a reader would do it, in its order, or says what it needs.

Of a page's fences `sh` and `python` are commands, `toml` and `json` files, `text` is what is shown. A line
`<!-- needs: device -->` directly before a fence says that its block is done only where such a thing is; tests leave it
out, and count it. Sections are the parts below headings of two signs.

    PAGE = GuidePage("docs/guides/connect-a-camera.md")

    @PAGE.follows("RTSP")
    def test_rtsp(tmp_path):
        with PAGE.walk("RTSP", tmp_path, {"NAME": "value"}, instead={"10.0.7.21": "127.0.0.1"}) as walk:
            walk.run()
            walk.file("line.toml")
            camera = walk.start()
            wait_for(lambda: "camera started" in camera.said, "the camera")

    def test_every_block_is_followed():
        PAGE.require_followed(needs={"device": 1})
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
COMMANDS, FILES, SHOWN = ("sh", "python"), ("toml", "json"), ("text",)
_FENCE = re.compile(
    r"^## (?P<section>[^\n]+)$|(?:^<!-- needs: (?P<needs>[a-z ]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SHIM = """#!/bin/sh
exec {python} -m tests.support.guides {name} "$@"
"""
_T = TypeVar("_T", bound=Callable[..., object])


@dataclass(frozen=True)
class GuideBlock:
    """One fence of a page; `needs` says what is missing where tests run."""

    section: str
    language: str
    text: str
    needs: str | None = None


def blocks_of(page: str) -> list[GuideBlock]:
    """The fences of a page that somebody follows, in their order.

    Raises:
        AssertionError: for a fence of a language that says neither command nor file nor what is shown.
    """
    section, found = "", []
    for match in _FENCE.finditer(page):
        if match["section"]:
            section = match["section"]
            continue
        language = match["language"]
        assert language in {*COMMANDS, *FILES, *SHOWN}, f"{section}: a fence of {language or 'no language'}"
        if language not in SHOWN:
            found.append(GuideBlock(section, language, match["text"], match["needs"]))
    return found


class Terminal:
    """A block that runs until it is stopped, in a process group of its own."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=folder, env=dict(environment), stdout=out, stderr=out, start_new_session=True
            )

    @property
    def said(self) -> str:
        """Everything that it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> str:
        """Ctrl-C, and what it had printed at its end; one that does not end is killed."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            try:
                self.process.wait(10.0)
                break
            except subprocess.TimeoutExpired:
                continue
        return self.said


class GuideWalk:
    """A reader in `folder`, with the page in front: each call does the next block that can be done here."""

    def __init__(
        self, blocks: list[GuideBlock], folder: Path, environment: Mapping[str, str], instead: Mapping[str, str]
    ) -> None:
        self.folder, self._instead, self._unused = folder, instead, set(instead)
        self._blocks = [block for block in blocks if block.needs is None]
        self._terminals: list[Terminal] = []
        tools = _tools(folder)
        path = os.pathsep.join((str(tools), str(Path(sys.executable).parent), os.environ["PATH"]))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINEWARDEN_")}
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        wide = {"COLUMNS": "400"}  # a table that folds no word, however long the path of this checkout is
        self.environment = {**kept, **wide, "PATH": path, "PYTHONPATH": paths, **environment}

    def file(self, name: str) -> Path:
        """Write the next block, settings, as that file."""
        path = self.folder / name
        path.write_text(self._next(FILES), encoding="utf-8")
        return path

    def run(self, *, typed: str = "", timeout_s: float = 120.0) -> str:
        """Run the next block of commands to its end; what it printed. `typed` is what a person types.

        Raises:
            AssertionError: where a command fails, with what it said.
        """
        command = self._command()
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
        return done.stdout

    def words(self) -> list[list[str]]:
        """The words of each command of the next block, for a test that calls them itself; a line is a command."""
        commands = [shlex.split(line, comments=True) for line in self._next(("sh",)).splitlines()]
        return [words for words in commands if words]

    @property
    def language(self) -> str | None:
        """That of the next block; None at the end of the section."""
        return self._blocks[0].language if self._blocks else None

    def start(self) -> Terminal:
        """Run the next block of commands in a terminal of its own, until it or the walk is stopped."""
        log = self.folder / f"terminal-{len(self._terminals)}.log"
        terminal = Terminal(self._command(), self.folder, self.environment, log)
        self._terminals.append(terminal)
        return terminal

    def require_done(self) -> None:
        """Raise AssertionError where a block was not followed, or a word to be replaced is on the page no more."""
        assert not self._blocks, f"not followed: {self._blocks[0].section}: {self._blocks[0].text}"
        assert not self._unused, f"not on the page: {sorted(self._unused)}"

    def close(self) -> None:
        """Stop what runs, the last first."""
        for terminal in reversed(self._terminals):
            terminal.stop()

    def _command(self) -> list[str]:
        is_shell = self._blocks and self._blocks[0].language == "sh"
        text = self._next(COMMANDS)
        return ["bash", "-euo", "pipefail", "-c", text] if is_shell else [sys.executable, "-c", text]

    def _next(self, languages: tuple[str, ...]) -> str:
        assert self._blocks, "the section has no further block"
        block = self._blocks.pop(0)
        assert block.language in languages, f"the next block is {block.language}: {block.text}"
        text = block.text
        for word, other in self._instead.items():
            if word in text:
                self._unused.discard(word)
                text = text.replace(word, other)
        return text


class GuidePage:
    """A page whose sections are followed by tests of one module."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._blocks = blocks_of((ROOT / path).read_text(encoding="utf-8"))
        self._followed: set[str] = set()

    def follows(self, section: str) -> Callable[[_T], _T]:
        """Say of a test that it follows a section."""

        def noted(test: _T) -> _T:
            self._followed.add(section)
            return test

        return noted

    def follows_whole(self, test: _T) -> _T:
        """Say of a test that it follows every section."""
        self._followed |= {block.section for block in self._blocks if block.needs is None}
        return test

    @property
    def sections(self) -> list[str]:
        """Sections with blocks that can be done here, in their order."""
        return list(dict.fromkeys(block.section for block in self._blocks if block.needs is None))

    def commands(self, section: str) -> str:
        """What a section shows to be done, whole."""
        return "".join(block.text for block in self._blocks if block.section == section)

    def unfollowed(self) -> set[str]:
        """Sections with blocks that can be done here and that no test has said to follow."""
        return {block.section for block in self._blocks if block.needs is None} - self._followed

    @contextlib.contextmanager
    def walk(
        self, section: str, folder: Path, environment: Mapping[str, str], *, instead: Mapping[str, str] | None = None
    ) -> Iterator[GuideWalk]:
        """Follow a section; at the end each block of it has been done. `instead`: what stands on the page, and here."""
        walk = GuideWalk([one for one in self._blocks if one.section == section], folder, environment, instead or {})
        try:
            yield walk
            walk.require_done()
        finally:
            walk.close()

    def require_followed(self, needs: Mapping[str, int]) -> None:
        """Raise AssertionError where a section has blocks that no test follows, or others need something than said."""
        sections = {block.section for block in self._blocks if block.needs is None}
        assert self.unfollowed() == set(), f"{self.path}: nobody follows these"
        assert self._followed - sections == set(), f"{self.path}: there is nothing to follow"
        assert Counter(block.needs for block in self._blocks if block.needs) == dict(needs)


def _tools(folder: Path) -> Path:
    """What a reader calls to install something, and tests only look at; of `sudo` only what is known is accepted."""
    tools = folder / ".tools"
    tools.mkdir(exist_ok=True)
    for name in ("pip", "sudo"):
        (tools / name).write_text(_SHIM.format(python=shlex.quote(sys.executable), name=name), encoding="utf-8")
        (tools / name).chmod(0o755)
    return tools


def _why_not(name: str, words: list[str]) -> str | None:
    """Why what is to be installed is not here; None where it is."""
    match name, words:
        case "pip", ["install", wanted]:
            requirement = Requirement(wanted)
            extras = importlib.metadata.metadata(requirement.name).get_all("Provides-Extra") or []
            if unknown := requirement.extras - set(extras):
                return f"{requirement.name} has no extra {', '.join(sorted(unknown))}"
            return _missing_of(requirement)
        case "sudo", ["apt-get", "install", *packages]:
            asked = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}\n", *packages]
            found = subprocess.run(asked, capture_output=True, text=True, check=False)
            return None if found.stdout == "ii \n" * len(packages) else found.stdout + found.stderr
        case "sudo", ["sysctl", "-w", setting]:
            key = setting.partition("=")[0].replace(".", "/")
            return None if (Path("/proc/sys") / key).exists() else f"there is no {key}"
        case _:
            return f"nobody knows how to look at this: {name} {' '.join(words)}"


def _missing_of(wanted: Requirement) -> str | None:
    for text in importlib.metadata.requires(wanted.name) or []:
        needed = Requirement(text)
        if needed.marker is None or not any(needed.marker.evaluate({"extra": extra}) for extra in wanted.extras):
            continue
        if needed.name != wanted.name and not needed.specifier.contains(importlib.metadata.version(needed.name)):
            return f"{needed} is not installed"
    return None


if __name__ == "__main__":
    sys.exit(_why_not(sys.argv[1], sys.argv[2:]))
