"""Every command of the command line, from the app itself, and what may be typed after it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, OptionInfo


@dataclass(frozen=True)
class Parameter:
    """One argument (without a flag) or option; `kind` is what one value of it is read as."""

    name: str
    flag: str | None
    kind: Any
    is_needed: bool

    @property
    def plausible(self) -> str:
        """A value that is well-formed, though nothing of that name may be there."""
        if self.kind is Path:
            return "folder"
        if isinstance(self.kind, type) and issubclass(self.kind, Enum):
            return str(next(iter(self.kind)).value)
        if typing.get_origin(self.kind) is typing.Literal:
            return str(typing.get_args(self.kind)[0])
        return {int: "1", float: "0.1"}.get(self.kind, "some")


@dataclass(frozen=True)
class Command:
    """A command by its words, with its parameters in the order in which it declares them."""

    words: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        """As people say it."""
        return " ".join(self.words)

    def line(self, **values: str) -> list[str]:
        """What is typed: what is needed with plausible values, and the given ones."""
        given = {one.name: one.plausible for one in self.parameters if one.is_needed} | values
        options = [[one.flag, given[one.name]] for one in self.parameters if one.flag and one.name in given]
        arguments = [given[one.name] for one in self.parameters if one.flag is None and one.name in given]
        return [*self.words, *(word for option in options for word in option), *arguments]


def every_command(app: typer.Typer, words: tuple[str, ...] = ()) -> Iterator[Command]:
    """Each command of an app and of the apps in it, also one that a group is when no word follows."""
    for one in app.registered_commands:
        function = typing.cast("Callable[..., Any]", one.callback)
        name = one.name or function.__name__.replace("_", "-")
        yield Command((*words, name), tuple(_parameters(function)))
    for group in app.registered_groups:
        inner = typing.cast("typer.Typer", group.typer_instance)
        below = (*words, str(group.name))
        own = inner.registered_callback
        if own is not None and own.invoke_without_command is True and own.callback is not None:
            yield Command(below, tuple(_parameters(own.callback)))
        yield from every_command(inner, below)


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    for name, one in inspect.signature(function, eval_str=True).parameters.items():
        kind, *more = typing.get_args(one.annotation) if hasattr(one.annotation, "__metadata__") else (one.annotation,)
        told = next((each for each in more if isinstance(each, OptionInfo | ArgumentInfo)), None)
        if isinstance(kind, types.UnionType):
            kind = next(each for each in typing.get_args(kind) if each is not type(None))
        if typing.get_origin(kind) is list:
            kind = typing.get_args(kind)[0]
        flags = [each for each in getattr(told, "param_decls", None) or () if each.startswith("--")]
        flag = flags[0] if flags else "--" + name.rstrip("_").replace("_", "-")
        is_argument = isinstance(told, ArgumentInfo)
        yield Parameter(name, None if is_argument else flag, kind, one.default is inspect.Parameter.empty)
