"""What other distributions bring by entry points: found by its name, and imported only when it is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, get_args

from pydantic import BaseModel, ValidatorFunctionWrapHandler

Options = TypeVar("Options", bound=BaseModel)


def offered(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Everything that is installed of a group, by name in order; nothing is imported for it."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for one in sorted(entry_points(group=group), key=lambda each: each.name):
        found[one.name] = (*found.get(one.name, ()), one)
    return found


class Unloadable(Exception):
    """What an entry point names cannot be imported; its cause is whatever was raised."""


def loaded(claim: EntryPoint) -> object:
    """What an entry point names; raises Unloadable."""
    try:
        return claim.load()
    except Exception as error:  # others' code may raise anything while it is imported
        raise Unloadable(f"{type(error).__name__}: {error}") from error


class Kinds(Generic[Options]):
    """Classes of options by the `kind` that they declare: built in, and brought by entry points of a group.

    `noun` is what they are kinds of, for messages; every fault that a person can mend is raised as `fault`.
    """

    def __init__(
        self,
        noun: str,
        group: str,
        base: type[Options],
        built_in: Mapping[str, type[Options]],
        fault: type[Exception],
    ) -> None:
        self.noun, self._group, self._base, self._built_in, self._fault = noun, group, base, built_in, fault

    def brought(self) -> dict[str, str]:
        """The kinds that other distributions bring, each with who brings it; none is loaded."""
        return {kind: _who(claims) for kind, claims in offered(self._group).items()}

    def options_of(self, kind: str) -> type[Options]:
        """The class of a kind's options. Only what brings this kind is loaded.

        Raises `fault` where nobody brings the kind, or two do, or what was brought is of no use.
        """
        claims = offered(self._group).get(kind, ())
        own = self._built_in.get(kind)
        if own is None and not claims:
            raise self._fault(
                f"no {self.noun} is of kind {kind!r}; known are {self._known()}; a distribution that is installed "
                f"beside linewarden brings more by entry points of the group {self._group!r}"
            )
        if len(claims) > 1 or (own and claims):
            others = " and linewarden itself" if own else ""
            raise self._fault(
                f"the kind of {self.noun} {kind!r} is brought by {_who(claims)}{others}; "
                "uninstall one or rename its entry point"
            )
        return own or self._loaded(claims[0])

    def by_kind(self, given: object, handler: ValidatorFunctionWrapHandler) -> Options:
        """Read options of any kind, as a field's WrapValidator."""
        if not isinstance(given, Mapping):
            return handler(given)  # type: ignore[no-any-return]  # options that were made already, or an error
        kind = given.get("kind")
        if not isinstance(kind, str):
            article = "an" if self.noun[0] in "aeiou" else "a"
            raise ValueError(f"{article} {self.noun} needs its kind, one of {self._known()}")  # noqa: TRY004 - pydantic's way
        return self.options_of(kind).model_validate(given)

    def _loaded(self, claim: EntryPoint) -> type[Options]:
        who = f"{_who([claim])} brings the kind of {self.noun} {claim.name!r} as {claim.value!r}"
        try:
            found = loaded(claim)
        except Unloadable as error:
            raise self._fault(f"{who}, which cannot be imported: {error}") from error
        if not (inspect.isclass(found) and issubclass(found, self._base)):
            raise self._fault(f"{who}, which is no subclass of {self._base.__module__}.{self._base.__name__}")
        if inspect.isabstract(found):
            raise self._fault(f"{who}, which lacks {', '.join(sorted(found.__abstractmethods__))}")
        if get_args(found.model_fields["kind"].annotation) != (claim.name,):
            raise self._fault(f"{who}, whose own kind is not that; declare kind: Literal[{claim.name!r}]")
        return found

    def _known(self) -> str:
        return ", ".join([*self._built_in, *(kind for kind in self.brought() if kind not in self._built_in)])


def _who(claims: Sequence[EntryPoint]) -> str:
    return " and ".join(f"{one.dist.name} {one.dist.version}" if one.dist else one.value for one in claims)
