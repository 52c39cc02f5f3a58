"""Which files of a folder are pictures: told by their names, and never a hidden one."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path, PurePath

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def is_hidden(name: str) -> bool:
    """Whether a file or folder is what a system leaves beside the pictures: `.DS_Store`, `._a.png`, `@eaDir`."""
    companions = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found"}
    return name.startswith(".") or name.lower() in companions


def is_picture(path: PurePath) -> bool:
    """Whether a file calls itself a picture and is nobody's companion."""
    return path.suffix.lower() in SUFFIXES and not is_hidden(path.name)


def pictures_in(folder: Path) -> list[Path]:
    """Pictures directly in a folder in order of name; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_picture(path))


def pictures_below(folder: Path, skipped: Counter[str] | None = None) -> list[Path]:
    """Pictures of a folder and of all inside it, in order; folders that are links are not entered.

    `skipped` counts what else was met: links to folders, hidden, other files.
    """
    skipped = Counter() if skipped is None else skipped
    found: list[Path] = []
    for top, folders, files in os.walk(folder):
        skipped["links to folders"] += sum((Path(top) / name).is_symlink() for name in folders)
        skipped["hidden"] += sum(is_hidden(name) for name in (*folders, *files))
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in files:
            path = Path(top) / name
            if is_picture(path):
                found.append(path)
            elif not is_hidden(name):
                skipped["other files"] += 1
    return sorted(found)
