"""Other distributions: written as if installed, in a folder of their own, or as a wheel for pip."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from linewarden_vision.trust import registry


class InstallScores(Protocol):
    """Installs a distribution: its name, its module's source, its trust scores with the objects that they are."""

    def __call__(self, name: str, source: str, offers: Mapping[str, str]) -> None:
        """Install it for one test."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallScores]:
    """Distributions of trust scores, gone after the test."""
    made: list[str] = []

    def put(name: str, source: str, offers: Mapping[str, str]) -> None:
        made.append(module := name.replace("-", "_"))
        points = {score: f"{module}:{what}" for score, what in offers.items()}
        folder = installed(tmp_path / name, name, {f"{module}.py": source}, {registry.GROUP: points})
        monkeypatch.syspath_prepend(folder)
        forget_scores()

    yield put
    for module in made:
        sys.modules.pop(module, None)
    monkeypatch.undo()
    forget_scores()


def forget_scores() -> None:
    """Let the registry look again at what is installed."""
    registry.find.cache_clear()
    registry._offered.cache_clear()


def installed(folder: Path, name: str, modules: Mapping[str, str], offers: Mapping[str, Mapping[str, str]]) -> Path:
    """Write modules by file name, and the entry points by group that the distribution offers; returns the folder."""
    for path, text in _contents(name, modules, offers).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def wheel(folder: Path, name: str, modules: Mapping[str, str], offers: Mapping[str, Mapping[str, str]]) -> Path:
    """Write what a build backend makes of the same."""
    path = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for place, text in _contents(name, modules, offers).items():
            file.writestr(place, text)
    return path


def _contents(name: str, modules: Mapping[str, str], offers: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    points = "".join(
        f"[{group}]\n" + "".join(f"{what} = {where}\n" for what, where in named.items())
        for group, named in offers.items()
    )
    files = {
        **modules,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": points,
    }
    return {**files, f"{info}/RECORD": "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))}
