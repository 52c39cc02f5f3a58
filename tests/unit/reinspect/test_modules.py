"""The station's JavaScript: what a module imports, another one exports; a browser would show the page dead, unsaid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from linewarden_reinspect.station import texts

FOLDER = Path(texts.__file__).parent / "static/js"
MODULES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.js"))}
EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)
IMPORT = re.compile(r'import \{([^}]*)\} from "\./([^"]+)"')


@pytest.mark.parametrize("name", MODULES)
def test_each_import_is_exported(name: str) -> None:
    wanted = [
        (one.split(" as ")[0].strip(), of) for names, of in IMPORT.findall(MODULES[name]) for one in names.split(",")
    ]
    assert [f"{one} of {of}" for one, of in wanted if one and one not in EXPORTED.findall(MODULES.get(of, ""))] == []


def test_modules_import_each_other() -> None:
    assert sum(len(IMPORT.findall(text)) for text in MODULES.values()) > 40
