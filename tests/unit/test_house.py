"""A class name means one thing, and what the glossary names is that thing; the figures are in docs/house.md."""

from __future__ import annotations

import ast
import re
from functools import cache

from linewarden_schemas.glossary import WORDS
from scripts.measure import ROOT, Measured, measured, modules

NO_MESSAGES = {
    "Anchor": "linewarden_audit.notary.anchors",
    "Bundle": "linewarden_vision.bundle",
    "Card": "linewarden_vision.card",
    "Contradiction": "linewarden_schemas.route_state",
    "Frame": "linewarden_schemas.envelope",
    "Maps": "linewarden_schemas.inspection",
    "Namespace": "linewarden_schemas.ids",
    "Output": "linewarden_onward.interface",
    "Promotion": "linewarden_vision.promotions",
    "Qualification": "linewarden_vision.qualification",
    "Queue": "linewarden_reinspect.queue.port",
    "Slot": "linewarden_reinspect.station.insight.index",
    "Spool": "linewarden_ingest.spool.spool",
}
"""Classes that are what the glossary says and no message of their own."""


@cache
def house() -> Measured:
    return measured(list(modules(ROOT)))


def test_a_class_name_means_one_thing() -> None:
    assert house().classes_of_one_name == {}


def test_a_class_that_is_named_by_a_word_of_the_glossary_is_what_the_glossary_says() -> None:
    classes = [
        (node.name, module.name)
        for module in modules(ROOT)
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
    ]
    words = {name: re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower() for name, _ in classes}
    wrong = [
        f"{module}.{name}"
        for name, module in classes
        if (word := WORDS.get(words[name])) is not None and name not in word.used_in and NO_MESSAGES.get(name) != module
    ]
    assert wrong == []


def test_no_public_docstring_is_too_short_to_say_anything() -> None:
    assert house().docstrings_of_four_words == 0


def test_modules_are_of_a_size_to_be_read_and_import_each_other_in_no_circle() -> None:
    assert house().modules_above_350 == 0
    assert house().circle == []
