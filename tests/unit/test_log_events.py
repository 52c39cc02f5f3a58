"""Events in the log have one form: a sentence in lower case, what it is about in fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
FORM = re.compile(r"[a-z][^_ .]*( .*[^.])?")


def _events(tree: ast.AST) -> Iterator[ast.expr]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS:
            logger = ast.unparse(call.func.value)
            if logger in {"log", "_log"} or logger.startswith("structlog."):
                yield call.args[0]


def _wrong(source: str) -> list[str]:
    return [
        ast.unparse(event)
        for event in _events(ast.parse(source))
        if not (isinstance(event, ast.Constant) and FORM.fullmatch(str(event.value)))
    ]


def test_every_event_is_a_sentence_in_lower_case_without_its_fields() -> None:
    found = {path: _wrong(path.read_text(encoding="utf-8")) for path in (ROOT / "services").rglob("*.py")}
    assert len(found) > 100
    assert {path.name: wrong for path, wrong in found.items() if wrong} == {}


def test_other_forms_are_found() -> None:
    source = (
        '_log.info("queue_away")\n_log.error(f"{name} fell")\n_log.warning("Gone.")\n_log.info("the queue is away")'
    )
    assert _wrong(source) == ["'queue_away'", "f'{name} fell'", "'Gone.'"]
