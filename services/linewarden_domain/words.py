"""The words of reasons, one catalogue a language in `words/`, and the one function that makes both forms of a reason.

A text names its parameters in braces, with Python's format for numbers. Where the value of a parameter has words of its
own, they stand at `parameter.value` and name parameters of the same reason.
"""

from __future__ import annotations

import json
import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from linewarden_schemas.base import MOST_MS
from linewarden_schemas.reason import MOST_PARAMETER, Reason

ENGLISH = "en"
"""The language of the sentences in records."""
MOST_TEXT = 2000
"""Characters of a sentence, as messages carry it."""
_FOLDER = Path(__file__).parent / "words"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Said:
    """A reason in both forms: the English sentence, and the code with what it names."""

    sentence: str
    reason: Reason = field(hash=False)  # its parameters are a dict

    def __str__(self) -> str:
        return self.sentence


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Texts by code. Raises FileNotFoundError for a language without a catalogue."""
    texts: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def said(code: str, shown: Mapping[str, str] = _NONE, /, **parameters: str | float) -> Said:
    """Sentence and reason of a code; `shown` are words in the place of parameters that the catalogue has none for.

    Raises:
        KeyError: for a code that the catalogue does not know, or a parameter that its text lacks.
    """
    kept = {name: _kept(value) for name, value in parameters.items()}
    sentence = _filled(ENGLISH, code, {**parameters, **shown})
    return Said(sentence[:MOST_TEXT], Reason(code=code, parameters=kept))


def in_words(reason: Reason, language: str, shown: Mapping[str, str] = _NONE) -> str | None:
    """The sentence in a language; None where this version has no words for it: of a newer writer."""
    try:
        return _filled(language, reason.code, {**reason.parameters, **shown})
    except (KeyError, ValueError):
        return None


def sentences(told: Sequence[Said]) -> dict[str, Any]:
    """Reasons as the two fields that a message carries them in."""
    return {
        "reasons": tuple(one.sentence for one in told),
        "reasons_coded": tuple(one.reason for one in told),
    }


def _kept(value: str | float) -> str | int | float:
    """A value as a record takes it: a number that is none, or no reader holds exactly, as its text."""
    if isinstance(value, int):
        return int(value) if abs(value) <= MOST_MS else str(value)
    if isinstance(value, str):
        return value[:MOST_PARAMETER]
    return float(value) if math.isfinite(value) else str(value)


def _filled(language: str, key: str, values: Mapping[str, Any]) -> str:
    texts = catalogue(language)
    return _Filler(texts).vformat(texts[key], (), values)


class _Filler(string.Formatter):
    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
        value = super().get_value(key, args, kwargs)
        words = self._texts.get(f"{key}.{value}") if isinstance(value, str) else None
        return value if words is None else self.vformat(words, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - the base's own
        """A number by its format; words as they are, such as `unknown` in the place of a number."""
        return str(value) if isinstance(value, str) else format(value, format_spec)
