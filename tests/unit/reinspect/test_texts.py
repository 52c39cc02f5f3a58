"""Every word of the pages stands in every catalogue, and nothing else does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from starlette.requests import Request

from linewarden_reinspect.queue.types import Ask, Why
from linewarden_reinspect.station import errors, texts
from linewarden_schemas.vocabulary import Cause, Judgement, Role, Verdict
from linewarden_vision.trust.registry import CHEAP_NAMES, SECOND_NAMES, words_of

STATION = Path(texts.__file__).parent
PAGES = sorted((STATION / "templates").glob("*.html"))
MODULES = sorted((STATION / "static" / "js").glob("*.js"))
USED = re.compile(r"""\bt\(\s*["']([a-z0-9_.A-Z]+)["']""")
CHOSEN = re.compile(r"""["']((?:reason|step|queue|cover|compare|error|scan|study)\.[a-z_]+)["']""")
GAP = re.compile(r"\{[^{}]*\}")
FOUND = re.compile(r'": "([a-z_]+)",$', re.MULTILINE)


def read(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def built() -> set[str]:
    """Keys that are put together from a word of the vocabulary."""
    acts = re.findall(r"(\w+): \[\"", (STATION / "static" / "js" / "keys.js").read_text(encoding="utf-8"))
    keys = {f"key.{act}" for act in acts}
    keys |= {f"cause.{cause.value}{end}" for cause in Cause for end in ("", ".short")}
    keys |= {f"{kind}.{judgement.value}" for judgement in Judgement for kind in ("judge", "judgement", "said")}
    keys |= {f"verdict.{verdict.value}" for verdict in Verdict} | {"verdict.none"}
    keys |= {f"role.{role.value}{end}" for role in Role for end in ("", ".short")}
    keys |= {f"bar.language.{name}" for name in texts.LANGUAGES}
    keys |= {f"heat.{name}" for name in ("off", "specific", "agnostic", "difference")}
    keys |= {f"{page}.ask.{ask.value}" for ask in Ask for page in ("queue", "bar")}
    keys |= {f"scan.{why.value}" for why in Why} | {"scan.other"}
    keys |= {f"compare.{side}" for side in ("acceptable", "unacceptable")}
    keys |= {f"thresholds.to.{side}" for side in ("diverted", "passed")}
    keys |= {f"thresholds.qualification.{word}" for word in ("bundle", "void")}
    keys |= {f"reason.found.{found}" for found in FOUND.findall(read([STATION / "static" / "js" / "reasons.js"]))}
    keys |= {key for key, text in texts.catalogue("en").items() if key.startswith("problem.") and is_raised(text)}
    return keys | {key for key in texts.catalogue("en") if key.startswith("error.") and key[6:] in words()}


def is_raised(sentence: str) -> bool:
    """Whether the station's code says this sentence, whatever it fills in; capital and full stop may come later."""
    return GAP.sub("{}", sentence).rstrip(".").lower() in station_code()


@cache
def station_code() -> str:
    """All modules of the station, small, each text in one piece and with empty gaps."""
    whole = re.sub(r'"\s+f?"', "", read(sorted(STATION.rglob("*.py"))))
    return GAP.sub("{}", whole).lower()


def words() -> set[str]:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.StationError)]
    return {kind.word for kind in kinds} | {"offline"}


def named() -> set[str]:
    sources = read(PAGES + MODULES)
    return {key for key in USED.findall(sources) if not key.endswith(".")} | set(CHOSEN.findall(sources))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_no_text_is_missing(language: str) -> None:
    assert sorted((named() | built()) - set(texts.catalogue(language))) == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_no_text_is_unused(language: str) -> None:
    assert sorted(set(texts.catalogue(language)) - named() - built()) == []


def test_there_are_two_languages_and_their_texts_have_the_same_gaps_to_fill() -> None:
    english, german = (texts.catalogue(name) for name in ("en", "de"))
    assert texts.LANGUAGES == ("de", "en")
    gaps = re.compile(r"\{\w+\}")
    assert [key for key in english if sorted(gaps.findall(english[key])) != sorted(gaps.findall(german[key]))] == []


def test_texts_are_sorted_so_that_a_key_is_found() -> None:
    for language in texts.LANGUAGES:
        assert list(texts.catalogue(language)) == sorted(texts.catalogue(language))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_holds_no_words_of_its_own(page: Path) -> None:
    bare = re.sub(r"\{[{%].*?[%}]\}|<kbd>.*?</kbd>|<title>.*?</title>", "", page.read_text(encoding="utf-8"))
    said = [text.strip() for text in re.findall(r">([^<>]+)<", bare) if re.search(r"[A-Za-z]{2}", text)]
    labels = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*[A-Za-z]{2}[^"]*)"', bare)
    assert [word for word in (*said, *labels) if word not in {"linewarden", "&nbsp;", "OK", "NG"}] == []


def test_every_sentence_of_the_network_is_known_to_the_pages() -> None:
    reasons = (STATION / "static" / "js" / "reasons.js").read_text(encoding="utf-8")
    found = {words_of(name) for name in (*CHEAP_NAMES, "novelty", *SECOND_NAMES)}
    assert len(found) > 10
    assert [sentence for sentence in found if f'"{sentence}":' not in reasons] == []


def asked_in(language: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept-language", language.encode())]})


def test_a_refusal_is_told_in_the_persons_language_with_what_it_names() -> None:
    said = "This is for the role engineer, quality; you are signed in as lead."
    assert texts.refusal(asked_in("en-GB"), said) == said
    german = texts.refusal(asked_in("de-DE,de;q=0.9"), said)
    assert german == "Das ist für die Rolle engineer, quality; Sie sind angemeldet als lead."


def test_a_refusal_that_no_catalogue_knows_is_told_as_it_came() -> None:
    assert texts.refusal(asked_in("de"), "The disk is full.") == "The disk is full."
