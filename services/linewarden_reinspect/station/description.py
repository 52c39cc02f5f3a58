"""The station's interface as an OpenAPI 3.1 document: from its routes, with who may call them, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from linewarden_reinspect.station.access.guard import CSRF_HEADER
from linewarden_reinspect.station.access.permissions import GRANTS, Permission, permission_of
from linewarden_reinspect.station.context import StationContext
from linewarden_reinspect.station.errors import StationError
from linewarden_reinspect.station.rendering import is_page

router = APIRouter()
_TEXT = {"type": "string"}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Why it was refused; nothing was recorded.",
    "required": ["error", "message"],
    "properties": {
        "error": _TEXT | {"description": "One word for programs."},
        "message": _TEXT | {"description": "A sentence, in the person's language."},
        "details": {"type": "object", "additionalProperties": _TEXT},
    },
}
_OF_SIGNED_IN = frozenset({401, 403})
_OF_WRITING = frozenset({409, 422, 429})


@router.get("/api/openapi.json")
def openapi(request: Request) -> dict[str, Any]:
    """This document, with the address that it was asked at."""
    station: StationContext = request.app.state.station
    return describe(request.app.state.described, str(request.base_url).rstrip("/"), station.access.guard.cookie)


def describe(routes: Iterable[BaseRoute], server: str, cookie: str) -> dict[str, Any]:
    """The document of all routes that answer programs.

    `server` is the address under which they are reached, `cookie` the name of the one that holds a session.
    """
    told = [one for one in routes if isinstance(one, APIRoute) and not is_page(one)]
    document = get_openapi(
        title="linewarden station",
        version=version("linewarden"),
        openapi_version="3.1.0",
        description="What the station's own pages call. A session comes from /sign-in; every other site is refused.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": server}],
        routes=told,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": cookie},
        "own_page": {"type": "apiKey", "in": "header", "name": CSRF_HEADER},
    }
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    document["security"] = [{"session": []}]
    refusals = dict(_refusals())
    for route in told:
        for method in sorted(route.methods or ()):
            _complete(document["paths"][route.path_format][method.lower()], method, route.path, refusals)
    return document


def _complete(operation: dict[str, Any], method: str, path: str, refusals: dict[int, list[str]]) -> None:
    """Say who may call an operation, and what it refuses."""
    permission = permission_of(method, path)
    is_public, writes = permission is Permission.PUBLIC, method != "GET"
    if is_public:
        operation["security"] = []
    elif writes:
        operation["security"] = [{"session": [], "own_page": []}]
    roles = [] if is_public else sorted(role.value for role in GRANTS[permission])
    who = "anybody" if is_public else ", ".join(roles)
    operation["description"] = f"{operation.get('description', '')}\n\nFor: {who}.".strip()
    operation["x-roles"] = roles
    for status, words in refusals.items():
        if (status in _OF_SIGNED_IN and is_public) or (status in _OF_WRITING and not writes):
            continue
        told = f"Refused: {', '.join(words)}."
        known = operation["responses"].get(str(status))
        if known is not None:
            known["description"] = f"{told} Or the request has another shape."
            continue
        body = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"][str(status)] = {"description": told, "content": body}
    operation["responses"].setdefault("400", {"description": "The request cannot be read."})


def _refusals() -> Iterator[tuple[int, list[str]]]:
    """Each status that the station refuses with, and its words."""
    kinds = [one for one in StationError.__subclasses__() if one.status != StationError.status]
    for status in sorted({one.status for one in kinds}):
        yield status, sorted(one.word for one in kinds if one.status == status)
