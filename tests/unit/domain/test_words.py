"""Reasons: one catalogue a language, said by code, and nothing in it that no code says."""

from __future__ import annotations

import ast
import json
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from linewarden_domain.words import ENGLISH, LANGUAGES, MOST_TEXT, catalogue, in_words, said, sentences
from linewarden_schemas.base import MOST_MS
from linewarden_schemas.disposition import Disposition, SlotFrame
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.reason import MOST_PARAMETER, Reason
from linewarden_schemas.samples import SAMPLES
from linewarden_schemas.vocabulary import CameraCondition, ChangeoverStage, LockCause
from linewarden_vision.trust.registry import words_of

ROOT = Path(__file__).resolve().parents[3]


@cache
def modules() -> tuple[ast.Module, ...]:
    paths = sorted((ROOT / "services").rglob("*.py"))
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in paths)


def texts_in_code() -> set[str]:
    nodes = (node for module in modules() for node in ast.walk(module))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def said_in_code() -> Iterator[tuple[str, set[str]]]:
    """Codes that are said by name, each with the parameters that are given by name."""
    for module in modules():
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "said":
                code = call.args[0] if call.args else None
                if isinstance(code, ast.Constant):
                    yield str(code.value), {word.arg or "**" for word in call.keywords}


def gaps(text: str) -> set[str]:
    return {f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name}


def test_the_languages_say_the_same_codes_and_fill_in_the_same() -> None:
    assert LANGUAGES == ("de", "en")
    english, german = catalogue("en"), catalogue("de")
    assert [code for code in english if gaps(english[code]) != gaps(german.get(code, ""))] == []
    names = {gap.partition(":")[0] for text in english.values() for gap in gaps(text)}
    assert [code for code in german if code not in english and code.partition(".")[0] not in names] == []
    assert all(list(texts) == sorted(texts) for texts in (english, german))


def test_every_code_that_is_said_has_words_and_is_given_what_they_name() -> None:
    wrong = []
    for code, given in said_in_code():
        named = {gap.partition(":")[0] for gap in gaps(catalogue(ENGLISH)[code])}
        if "**" not in given and given - {"fault"} != named - {"fault"}:
            wrong.append(code)
    assert wrong == []


def test_nothing_stands_in_the_catalogue_that_no_code_says() -> None:
    known = texts_in_code() | set(CameraCondition) | set(LockCause) | set(ChangeoverStage)
    assert [code for code in catalogue(ENGLISH) if code.rpartition(".")[2] not in known] == []


def test_a_reason_is_said_in_both_forms_from_one_text() -> None:
    told = said("view_defect", view="top", p=0.91234)
    assert str(told) == told.sentence == "view top: defect (p 0.912)"
    assert told.reason == Reason(code="view_defect", parameters={"view": "top", "p": 0.91234})
    assert in_words(told.reason, "de") == "Ansicht top: Fehler (p 0.912)"
    assert sentences((told,)) == {"reasons": (told.sentence,), "reasons_coded": (told.reason,)}


def test_a_value_is_said_in_words_where_it_has_some() -> None:
    lost = said("view_lost", view="top", why="camera_fault")
    assert lost.sentence == "view top: its picture is lost (camera_fault)"
    assert in_words(lost.reason, "de") == "Ansicht top: Das Bild ist verloren (Kamerafehler)"
    fault = said("view_fault", view="top", fault="crowded", most=64)
    assert fault.sentence == "view top: more than 64 frames name this visit; they cannot all be its own"
    assert "mehr als 64 Bilder" in (in_words(fault.reason, "de") or "")
    assert said("view_fault", view="top", fault="the clock stood").sentence == "view top: the clock stood"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), MOST_MS + 1, "w" * 3000])
def test_whatever_is_named_the_record_can_be_read(value: float | str) -> None:
    told = said("view_fault", view="top", fault=value)
    assert len(told.sentence) <= MOST_TEXT
    assert Reason.model_validate_json(told.reason.model_dump_json()) == told.reason
    assert len(str(told.reason.parameters["fault"])) <= MOST_PARAMETER


@pytest.mark.parametrize(
    "reason",
    [
        Reason(code="said_by_a_newer_version"),
        Reason(code="view_defect", parameters={"view": "top"}),
        Reason(code="line_state_untold", parameters={"new": 1}),
        Reason(code="frame_late", parameters={"over": 2.5}),
    ],
    ids=["unknown", "a parameter less", "a parameter more", "another type"],
)
def test_a_reason_of_a_newer_writer_is_said_or_has_no_words_and_never_fails(reason: Reason) -> None:
    found = in_words(reason, "de")
    assert (found is None) == (reason.code in {"said_by_a_newer_version", "view_defect"})


@pytest.mark.parametrize(
    "values",
    [
        {"code": "With Capitals"},
        {"code": "a", "parameters": {"x": float("nan")}},
        {"code": "a", "parameters": {"x": "w" * (MOST_PARAMETER + 1)}},
        {"code": "a", "parameters": {f"x{number}": 1 for number in range(9)}},
        {"code": "a", "parameters": {"x": True}},
    ],
)
def test_what_no_reader_could_take_is_not_written(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Reason(**values)


def test_a_record_from_before_the_codes_is_read_with_its_sentence() -> None:
    for kind in (Inspection, Disposition):
        sample = next(one for one in SAMPLES if isinstance(one, kind))
        old = json.loads(sample.to_json())
        del old["reasons_coded"]
        read = kind.from_json(json.dumps(old).encode())
        assert (read.reasons, read.reasons_coded) == (sample.reasons, ())


def reasons_in(document: Any) -> Iterator[tuple[str, dict[str, Any] | None]]:
    if isinstance(document, dict):
        coded = document.get("reasons_coded", [])
        for place, sentence in enumerate(document.get("reasons", [])):
            yield sentence, coded[place] if place < len(coded) else None
    for one in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from reasons_in(one)


def test_golden_examples_hold_no_reason_that_no_writer_says() -> None:
    found = []
    for path in sorted((ROOT / "schemas" / "examples").rglob("complete.json")):
        found += list(reasons_in(json.loads(path.read_text(encoding="utf-8"))))
    assert len(found) >= 5
    for sentence, coded in found:
        assert coded is not None, sentence
        reason = Reason(**coded)
        ingredient = reason.parameters.get("ingredient")
        shown = {} if ingredient is None else {"ingredient": words_of(str(ingredient))}
        assert in_words(reason, ENGLISH, shown) == sentence


def test_a_frame_of_a_slot_carries_both_forms() -> None:
    told = said("audit")
    frame = SlotFrame(frame_id="f", view_id="top", doubtful=True, **sentences((told,)))
    assert (frame.reasons, frame.reasons_coded) == ((told.sentence,), (told.reason,))
