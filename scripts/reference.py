"""docs/reference: commands, settings, recipe, bundle and metrics, each page made from the code; `--check` compares."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import io
import os
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/reference"
WORDS = Path(__file__).parent / "reference.toml"
_BANNER = "Made by `make generate` from the code; do not edit."
_SETTINGS = """From the environment; a service refuses names that it does not know. Lists and sections may be given as
JSON. Cameras, triggers and outputs by kind stand at the end. Secrets are never values, only names of files."""
_RECIPE = "A recipe is published once and never changed; `linewarden recipe example` writes one to begin with."
_BUNDLE = "A bundle is one folder; its `card.json` says what it is, and `linewarden bundle show` reads it."
PROCESSES = (
    ("run ingest", "linewarden_ingest.settings:IngestSettings"),
    ("run inspect", "linewarden_inspect.settings:WorkerProcess"),
    ("run keeper", "linewarden_inspect.settings:KeeperProcess"),
    ("run route", "linewarden_route.settings:RouteSettings"),
    ("run line", "linewarden_line.settings:LineSettings"),
    ("run onward", "linewarden_onward.settings:OnwardSettings"),
    ("run projector", "linewarden_reinspect.settings:ProjectorProcess"),
    ("run station", "linewarden_reinspect.settings:StationProcess"),
    ("run notary", "linewarden_audit.notary.service:NotaryProcess"),
)


def pages() -> dict[str, str]:
    """Every page of the reference by its name."""
    return {
        "commands.md": commands(),
        "settings.md": settings(),
        "recipe.md": recipe(),
        "bundle.md": bundle(),
        "metrics.md": metrics(),
    }


def commands() -> str:
    """Every command as its own `--help` tells it, and what exit codes mean."""
    import typer.main  # noqa: PLC0415

    from linewarden.cli import app  # noqa: PLC0415

    os.environ["TERMINAL_WIDTH"] = os.environ["COLUMNS"] = "100"
    command = typer.main.get_command(app)  # once: typer's own runner builds it anew for each page
    lines = ["# Commands", "", _BANNER, "", "Each command says the same of itself with `--help`.", "", *_exit_codes()]
    for path in _paths(command):
        with redirect_stdout(io.StringIO()) as told:
            command.main([*path, "--help"], prog_name="linewarden", standalone_mode=False)
        lines += [
            "",
            f"{'##' if len(path) == 1 else '###'} linewarden {' '.join(path)}",
            "",
            "```text",
            told.getvalue().strip(),
            "```",
        ]
    return "\n".join(lines) + "\n"


def _paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - typer's own
    if path:
        yield path
    for name in sorted(getattr(command, "commands", {})):
        yield from _paths(command.commands[name], (*path, name))


def _exit_codes() -> list[str]:
    from linewarden_runtime import errors  # noqa: PLC0415

    codes: dict[int, list[str]] = {0: ["done; what was asked for holds"], 2: ["a line on stderr says what to change"]}
    codes[1] = ["the answer is no: a balance that does not close, a check that fails, nothing found"]
    for one in vars(errors).values():
        if isinstance(one, type) and issubclass(one, errors.Fatal) and one is not errors.Fatal:
            codes.setdefault(one.exit_code, []).append(f"`{one.__name__}`: {_sentence(one)}")
    rows = [f"| {code} | {'<br>'.join(codes[code])} |" for code in sorted(codes)]
    return ["| exit code | |", "|---:|---|", *rows]


def settings() -> str:
    """Every setting of every process by its name in the environment: default, limits, what it is for."""
    lines = [
        "# Settings",
        "",
        _BANNER,
        "",
        "From the environment; a service refuses names that it does not know. Lists and",
    ]
    lines += [
        "sections may be given as JSON. Cameras, triggers and outputs by kind stand at the end. Secrets are never"
    ]
    lines += ["values, only names of files.", ""]
    common: set[str] = set()
    for process, where in PROCESSES:
        module, _, name = where.partition(":")
        model: type[BaseModel] = getattr(importlib.import_module(module), name)
        rows = {row[0]: row for row in _settings_of(model, "LINEWARDEN_")}
        if not common:
            from linewarden_runtime.settings import ServiceSettings  # noqa: PLC0415

            shared = list(_settings_of(ServiceSettings, "LINEWARDEN_"))
            common = {row[0] for row in shared}
            lines += ["## Every service", "", *_table("setting", shared)]
        lines += ["", f"## linewarden {process}", "", *_table("setting", [rows[r] for r in rows if r not in common])]
    for title, by_kind in kinds().items():
        for kind, model in by_kind.items():
            lines += ["", f"## {title} `{kind}`", "", _sentence(model), "", *_table("key", list(_fields_of(model)))]
    return "\n".join(lines) + "\n"


def kinds() -> dict[str, Mapping[str, type[BaseModel]]]:
    """What a settings file holds by kind: cameras, triggers, outputs."""
    from linewarden_ingest.cameras.kinds import BUILT_IN as CAMERAS  # noqa: PLC0415
    from linewarden_ingest.triggers.sources import AnyTrigger  # noqa: PLC0415
    from linewarden_onward.kinds import BUILT_IN as OUTPUTS  # noqa: PLC0415

    triggers = {one.model_fields["kind"].default: one for one in get_args(get_args(AnyTrigger)[0])}
    return {"Camera": CAMERAS, "Trigger": triggers, "Output": OUTPUTS}


def recipe() -> str:
    """Every field of a recipe and of its parts."""
    from linewarden_schemas.recipe import Recipe  # noqa: PLC0415

    return _models(
        "Recipe", Recipe, "A recipe is a TOML or JSON file; `linewarden recipe example` writes one to begin with."
    )


def bundle() -> str:
    """Every field of a bundle's card, promotions and qualification."""
    from linewarden_vision.card import Card  # noqa: PLC0415

    return _models(
        "Bundle", Card, "A bundle is one folder; `card.json` says what it is, `linewarden bundle show` reads it."
    )


def metrics() -> str:
    """Every metric by its service: kind, labels, meaning."""
    from prometheus_client import REGISTRY  # noqa: PLC0415

    lines = ["# Metrics", "", _BANNER, "", "Each service serves its own at `/metrics` of its health port."]
    for module in sorted(ROOT.glob("services/*/metrics.py")):
        package = module.parent.name
        declared = importlib.import_module(f"{package}.metrics")
        lines += ["", f"## {package}", "", "| metric | kind | labels | |", "|---|---|---|---|"]
        for one in vars(declared).values():
            if hasattr(one, "_documentation") and one in REGISTRY._collector_to_names:  # noqa: SLF001 - it has no public list
                labels = ", ".join(f"`{label}`" for label in one._labelnames)  # noqa: SLF001
                lines.append(f"| `{one._name}` | {one._type} | {labels} | {_cell(one._documentation)} |")  # noqa: SLF001
    return "\n".join(lines) + "\n"


def _models(title: str, root: type[BaseModel], first: str) -> str:
    lines = [f"# {title}", "", _BANNER, "", first]
    for model in parts(root, []):
        lines += [
            "",
            f"## {model.__name__}",
            "",
            inspect.getdoc(model) or "",
            "",
            *_table("field", list(_fields_of(model))),
        ]
    return "\n".join(lines) + "\n"


def parts(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """The model and the models of its fields, each once, in the order in which a reader meets them."""
    if model not in seen:
        seen.append(model)
        for field in model.model_fields.values():
            for one in _named_in(field.annotation):
                if isinstance(one, type) and issubclass(one, BaseModel):
                    parts(one, seen)
    return seen


def _named_in(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    if not get_args(annotation):
        yield annotation
    for one in get_args(annotation):
        yield from _named_in(one)


Row = tuple[str, str, str]


def _table(name: str, rows: list[Row]) -> list[str]:
    return [f"| {name} | default | |", "|---|---|---|", *(f"| `{a}` | {b} | {c} |" for a, b, c in rows)]


def _settings_of(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    """Rows of a model's settings; sections are entered, since their settings have names of their own."""
    told = explanations(model)
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if is_section(field):
            yield from _settings_of(field.annotation, f"{variable}__")  # type: ignore[arg-type]  # a section is a model
        else:
            yield variable, _default(field), told.get(name, "")


def is_section(field: FieldInfo) -> bool:
    """Whether a field holds settings with names of their own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _fields_of(model: type[BaseModel]) -> Iterator[Row]:
    told = explanations(model)
    for name, field in model.model_fields.items():
        if name != "kind":
            yield name, _default(field), told.get(name, "")


def _default(field: FieldInfo) -> str:
    """The default, and the limits or the choices of the value."""
    limits = [f"{_SIGNS[type(one).__name__]} {limit}" for one in _limits(field) if (limit := _limit(one)) is not None]
    choices = [f"`{one}`" for kind in _named_in(field.annotation) for one in _choices(kind)]
    value = "must be given" if field.is_required() else _shown(field.get_default(call_default_factory=True))
    return _cell("; ".join(part for part in (value, ", ".join(limits), " or ".join(choices)) if part))


_SIGNS = {"Ge": "≥", "Gt": ">", "Le": "≤", "Lt": "<"}


def _limits(field: FieldInfo) -> list[Any]:
    return [one for one in field.metadata if type(one).__name__ in _SIGNS]


def _limit(one: Any) -> Any:  # noqa: ANN401 - a limit of annotated_types
    return next((getattr(one, name) for name in ("ge", "gt", "le", "lt") if hasattr(one, name)), None)


def _choices(kind: Any) -> list[Any]:  # noqa: ANN401 - any annotation, or a value of a Literal
    if isinstance(kind, type):
        return [one.value for one in kind] if issubclass(kind, Enum) else []
    return [kind] if isinstance(kind, str) else []


def _shown(value: Any) -> str:  # noqa: ANN401 - any default
    if value is None or value is PydanticUndefined or value in ((), {}, ""):
        return "none"
    if isinstance(value, BaseModel):
        return "see there"
    return f"`{value.value if isinstance(value, Enum) else value}`"


@cache
def explanations(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each field of a model or of those that it extends."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        found.update(_words().get(one.__name__, {}))
        if issubclass(one, BaseModel) and one is not BaseModel and one.__module__.startswith("linewarden"):
            body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
            found.update(_below(body.body if isinstance(body, ast.ClassDef) else []))
    return found


@cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


def _below(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            yield field.target.id, _cell(inspect.cleandoc(str(text.value.value)))


def _sentence(thing: type) -> str:
    """The first paragraph of what a class says of itself."""
    return _cell((inspect.getdoc(thing) or "").split("\n\n")[0])


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def stale() -> list[str]:
    """Pages that are not as the code is."""
    return [name for name, text in pages().items() if not _is_as(FOLDER / name, text)]


def main() -> int:
    """Write the pages, or with `--check` say which are not as the code is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    if parser.parse_args().check:
        for name in (wrong := stale()):
            print(f"docs/reference/{name} is not as the code is: run make generate", file=sys.stderr)
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def _is_as(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
