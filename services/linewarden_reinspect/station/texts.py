"""All words of the pages, one catalogue a language in `texts/`; templates call `t`, modules get it in the page.

What the station refuses it raises in English; the page and the answer tell it in the person's language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import Request

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


def refusal(request: Request, sentence: str) -> str:
    """A refusal's sentence in the person's language; one that the catalogues do not know, as it came."""
    for key, pattern in _refusals():
        if found := pattern.fullmatch(sentence):
            return _filled(catalogue(language_of(request))[key], found.groupdict())
    return sentence


def for_page(request: Request) -> dict[str, Any]:
    """What templates get: `t(key, name=value)`, `refusal(sentence)`, `language`, and all texts for the modules."""
    language = language_of(request)
    texts = catalogue(language)

    def t(key: str, **values: object) -> str:
        return _filled(texts[key], values)

    told = partial(refusal, request)
    return {"t": t, "refusal": told, "language": language, "languages": LANGUAGES, "texts": texts}


@cache
def _refusals() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Keys of refusals, each with the pattern of its English sentence."""
    english = {key: re.escape(text) for key, text in catalogue(DEFAULT).items() if key.startswith("problem.")}
    return tuple((key, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", text))) for key, text in english.items())


def _filled(text: str, values: Mapping[str, object]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
