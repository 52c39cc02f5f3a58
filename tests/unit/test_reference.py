"""The pages made from the code: each key of settings, recipe and bundle is explained, and nothing that is none."""

from __future__ import annotations

import importlib
import tomllib

import pytest
from pydantic import BaseModel

from linewarden_schemas.recipe import Recipe
from linewarden_vision.card import Card
from scripts import reference


def _models() -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for _, where in reference.PROCESSES:
        module, _, name = where.partition(":")
        reference.parts(getattr(importlib.import_module(module), name), found)
    for kinds in reference.kinds().values():
        for kind in kinds.values():
            reference.parts(kind, found)
    for root in (Recipe, Card):
        reference.parts(root, found)
    return found


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_each_key_is_explained(model: type[BaseModel]) -> None:
    told = reference.explanations(model)
    sections = {name for name, field in model.model_fields.items() if reference.is_section(field)}
    assert [name for name in model.model_fields if name not in told and name != "kind" and name not in sections] == []


def test_each_explanation_is_of_a_key() -> None:
    words = tomllib.loads(reference.WORDS.read_text(encoding="utf-8"))
    fields = {
        base.__name__: base.__annotations__
        for model in _models()
        for base in model.__mro__
        if "__annotations__" in base.__dict__
    }
    assert [f"{name}.{key}" for name, keys in words.items() for key in keys if key not in fields.get(name, {})] == []


def test_the_pages_are_as_the_code_is() -> None:
    assert reference.stale() == []
