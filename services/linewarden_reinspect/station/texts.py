"""All words of the pages, one catalogue a language in `texts/`; templates call `t`, modules get it in the page.

The words of the machine's reasons are `linewarden_domain.words`; what a trust ingredient found is said here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request

from linewarden_domain.words import in_words
from linewarden_schemas.reason import Reason

_FOLDER = Path(__file__).parent / "texts"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))
DEFAULT = "en"
COOKIE = "linewarden-language"


@cache
def catalogue(language: str) -> dict[str, str]:
    """Texts by key. Raises FileNotFoundError for a language without a catalogue."""
    texts: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def language_of(request: Request) -> str:
    """The chosen language, else the first that the browser asks for and that there is, else English."""
    asked = [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    chosen = (request.cookies.get(COOKIE), *asked)
    return next((one for one in chosen if one in LANGUAGES), DEFAULT)


def told(language: str, key: str, values: Mapping[str, object]) -> str:
    """The words of a key with `{names}` filled in. Raises KeyError for a key that no catalogue has."""
    text = catalogue(language)[key]
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def reason_in_words(reason: Reason, language: str) -> str | None:
    """A reason of the machine in a language; None where the catalogues lack its words: of a newer writer."""
    if "ingredient" not in reason.parameters:
        return in_words(reason, language)
    found = reason.parameters.get(f"found_{language}")  # a score of any distribution brings its own words
    return None if found is None else in_words(reason, language, {"ingredient": str(found)})


def for_page(request: Request) -> dict[str, Any]:
    """What templates get: `t(key, name=value)`, `language`, and all texts for the modules."""
    language = language_of(request)
    texts = catalogue(language)

    def t(key: str, /, **values: object) -> str:
        return told(language, key, values)

    return {"t": t, "language": language, "languages": LANGUAGES, "texts": texts}
