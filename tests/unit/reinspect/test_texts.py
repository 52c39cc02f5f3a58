"""Every word of the pages stands in every catalogue, and nothing else does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from linewarden_history.shifts.report import DEFINITIONS
from linewarden_reinspect.queue.types import Ask, Why
from linewarden_reinspect.station import errors, texts
from linewarden_reinspect.station.app import ROUTERS
from linewarden_reinspect.station.line import alarms
from linewarden_reinspect.station.line.parts import PartStanding
from linewarden_reinspect.station.line.parts_page import STANDINGS
from linewarden_reinspect.station.line.story import LAYERS
from linewarden_reinspect.station.rendering import pages_of
from linewarden_schemas.alarm_vocabulary import AlarmDemand, AlarmDoing, AlarmKind, AlarmPriority, AlarmStage, AlarmStep
from linewarden_schemas.vocabulary import (
    CameraCondition,
    Cause,
    ChangeoverStage,
    CheckOutcome,
    Judgement,
    LineMode,
    Role,
    Routing,
    Verdict,
)
from linewarden_vision.inspecting.reasons import doubted
from linewarden_vision.trust.registry import CHEAP_NAMES, SECOND_NAMES, words_of

STATION = Path(texts.__file__).parent
PAGES = sorted((STATION / "templates").glob("*.html"))
MODULES = sorted((STATION / "static" / "js").glob("*.js"))
USED = re.compile(r"""\bt\(\s*["']([a-z0-9_.A-Z]+)["']""")
CHOSEN = re.compile(
    r"""["']((?:reason|step|queue|line|shift|cover|compare|error|scan|study|undo|last|lock|judge|said)\.[a-zA-Z_]+)["']"""
)
RAISED = re.compile(r'"((?:problem|why)\.[a-z_]+)"')


def read(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def built() -> set[str]:
    """Keys that are put together from a word of the vocabulary."""
    acts = re.findall(r"(\w+): \[\"", (STATION / "static" / "js" / "keys.js").read_text(encoding="utf-8"))
    keys = {f"key.{act}" for act in acts}
    keys |= {f"cause.{cause.value}" for cause in Cause}
    keys |= {f"{kind}.{judgement.value}" for judgement in Judgement for kind in ("judge", "judgement", "said")}
    keys |= {f"verdict.{verdict.value}" for verdict in Verdict} | {"verdict.none"}
    keys |= {f"role.{role.value}{end}" for role in Role for end in ("", ".short")}
    keys |= {f"bar.{path[1:] or 'queue'}" for path in pages_of(ROUTERS)}
    keys |= {f"bar.language.{name}" for name in texts.LANGUAGES}
    keys |= {f"heat.{name}" for name in ("off", "specific", "agnostic", "difference")}
    keys |= {f"{page}.ask.{ask.value}" for ask in Ask for page in ("queue", "bar")}
    keys |= {f"acts.mode.{mode.value}" for mode in LineMode} | {f"acts.stage.{one.value}" for one in ChangeoverStage}
    keys |= {f"acts.outcome.{outcome.value}" for outcome in CheckOutcome} | {"acts.outcome.open"}
    keys |= {f"scan.{why.value}" for why in Why} | {"scan.other"}
    keys |= {f"compare.{side}" for side in ("acceptable", "unacceptable")}
    keys |= {f"unsure.{reason}" for reason in ("limit", "picture", "kind", "rule")}
    keys |= {f"queue.why.{why}" for why in ("left", "tie")}
    keys |= {f"thresholds.to.{side}" for side in ("diverted", "passed")}
    keys |= {f"line.{kind}.{key}" for key in alarms.KEYS for kind in ("alarm", "do")}
    keys |= {f"line.count.{count}" for count in ("ok", "ng", "reviewed", "late")}
    keys |= {f"line.mode.{mode.value}" for mode in LineMode} | {f"line.standing.{one.value}" for one in PartStanding}
    levels = {"good", "trouble", "dead", "unknown", *LineMode} - {LineMode.PRODUCTION}
    keys |= {f"line.level.{level}" for level in levels}
    keys |= {f"line.stage.{stage}" for stage in ("inspect", "route", "keeper", "queue")}
    keys |= {f"line.condition.{condition.value}" for condition in CameraCondition}
    keys |= {f"line.qualification.{word}" for word in ("holds", "expired", "void", "none", "unknown")}
    keys |= {f"pictures.of.{standing or 'any'}" for standing in STANDINGS}
    keys |= {f"shift.by.{by}" for by in ("class", "zone", "camera", "cavity")}
    keys |= {f"shift.rate.{name}" for name, _ in DEFINITIONS}
    keys |= {f"part.layer.{layer}" for layer in LAYERS} | {f"story.routed.{routing.value}" for routing in Routing}
    keys |= {f"story.{step}" for step in ("captured", "withheld", "inspected", "revised", "settled", "happened")}
    keys |= {f"thresholds.qualification.{word}" for word in ("bundle", "void")}
    keys |= {f"alarm.{word}.{kind.value}" for kind in AlarmKind for word in ("kind", "do")}
    for name, kinds in (
        ("priority", AlarmPriority),
        ("stage", AlarmStage),
        ("step", AlarmStep),
        ("demand", AlarmDemand),
    ):
        keys |= {f"alarm.{name}.{one.value}" for one in kinds}
    keys |= {f"alarm.doing.{one.value}" for one in AlarmDoing if one is not AlarmDoing.COUNT}
    keys |= set(RAISED.findall(read(sorted(STATION.rglob("*.py")))))
    return keys | {key for key in texts.catalogue("en") if key.startswith("error.") and key[6:] in words()}


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


@pytest.mark.parametrize("ingredient", [*CHEAP_NAMES, "novelty", *SECOND_NAMES, ""])
def test_what_an_ingredient_found_is_said_as_in_the_sentence_of_the_record(ingredient: str) -> None:
    why = doubted(0.12, 0.7, 0.5, ingredient)
    assert texts.reason_in_words(why.reason, "en") == why.sentence
    german = texts.reason_in_words(why.reason, "de")
    assert german is not None
    assert words_of(ingredient, "de") in german


def test_an_ingredient_that_came_without_words_leaves_the_sentence_as_it_came() -> None:
    reason = doubted(0.12, 0.7, 0.5, "margin").reason
    del reason.parameters["found_de"]
    assert texts.reason_in_words(reason, "de") is None


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "This is for the role engineer, quality; you are signed in as lead."),
        ("de", "Das ist für die Rolle engineer, quality; Sie sind angemeldet als lead."),
    ],
)
def test_a_refusal_is_told_in_a_persons_language_with_what_it_names(language: str, said: str) -> None:
    refused = errors.Forbidden("problem.role", roles="engineer, quality", role="lead")
    assert texts.told(language, refused.key, refused.values) == said
    assert str(refused).startswith("This is for the role engineer, quality")


def test_what_is_refused_fills_every_gap_of_its_words() -> None:
    """A key that is misspelt, or a value that is forgotten, shows here and not first at the station."""
    wrong = []
    for path in sorted(STATION.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            first = call.args[0] if isinstance(call, ast.Call) and call.args else None
            key = first.value if isinstance(first, ast.Constant) else None
            if isinstance(call, ast.Call) and isinstance(key, str) and key.startswith("problem."):
                gaps = set(re.findall(r"\{(\w+)\}", texts.catalogue("en")[key]))
                if gaps != {one.arg for one in call.keywords}:
                    wrong.append(f"{path.name}: {key}")
    assert wrong == []
