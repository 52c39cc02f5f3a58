"""The page of people: who may sign in, as what, and who has learnt what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from linewarden_reinspect.station.access.accounts import LONGEST, MOST_SKILLS
from linewarden_reinspect.station.context import CurrentSession, CurrentStation, RequestBody
from linewarden_reinspect.station.errors import AccountRefused, BadInput
from linewarden_reinspect.station.rendering import page
from linewarden_schemas.base import Id
from linewarden_schemas.vocabulary import Role

router = APIRouter()
_Name = Annotated[str, Path(max_length=64)]
_Password = Annotated[str, Field(max_length=LONGEST)]


class NewPerson(RequestBody):
    """Somebody who shall sign in with a password."""

    name: Annotated[str, Field(max_length=64)]
    role: Role
    password: _Password


class NewRole(RequestBody):
    """The body of a request that gives an account another role."""

    role: Role


class NewPassword(RequestBody):
    """The body of a request that gives an account another password."""

    password: _Password


class Skills(RequestBody):
    """What somebody has learnt, whole."""

    skills: Annotated[tuple[Id, ...], Field(max_length=MOST_SKILLS)]


class Disabled(RequestBody):
    """Whether somebody may sign in no more."""

    disabled: bool


@router.get("/users", response_class=HTMLResponse)
def users_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """Everybody, with what can be changed."""
    return page(request, station, session, "users.html", roles=[role.value for role in Role])


@router.get("/api/users")
def users(station: CurrentStation) -> dict[str, Any]:
    """Every account without its password, the disabled ones too, in the order of names."""
    return {"users": [asdict(account) for account in station.access.accounts.all()]}


@router.post("/api/users", status_code=201)
def add(person: NewPerson, request: Request, station: CurrentStation) -> dict[str, Any]:
    """Make an account and tell it as it is kept; the log of acts says its name and role."""
    request.state.detail = f"{person.name} as {person.role.value}"
    with _as_bad_input():
        return asdict(station.access.accounts.add(person.name, person.role, person.password))


@router.post("/api/users/{name}/role")
def set_role(name: _Name, wanted: NewRole, request: Request, station: CurrentStation) -> dict[str, str]:
    """Another role; whoever is signed in under the old one has to sign in again."""
    request.state.detail = wanted.role.value
    with _as_bad_input():
        station.access.accounts.set_role(name, wanted.role)
    return {"done": "role"}


@router.post("/api/users/{name}/skills")
def set_skills(name: _Name, wanted: Skills, request: Request, station: CurrentStation) -> dict[str, Any]:
    """What somebody has learnt, in place of what stood there."""
    request.state.detail = " ".join(wanted.skills)
    with _as_bad_input():
        return {"skills": station.access.accounts.set_skills(name, wanted.skills)}


@router.post("/api/users/{name}/disabled")
def set_disabled(name: _Name, wanted: Disabled, request: Request, station: CurrentStation) -> dict[str, str]:
    """Let somebody in no more, or again."""
    request.state.detail = "disabled" if wanted.disabled else "enabled"
    accounts = station.access.accounts
    with _as_bad_input():
        (accounts.disable if wanted.disabled else accounts.enable)(name)
    return {"done": "disabled"}


@router.post("/api/users/{name}/password")
def set_password(name: _Name, wanted: NewPassword, station: CurrentStation) -> dict[str, str]:
    """Another password; whoever is signed in with the old one has to sign in again."""
    with _as_bad_input():
        station.access.accounts.set_password(name, wanted.password)
    return {"done": "password"}


@contextmanager
def _as_bad_input() -> Iterator[None]:
    try:
        yield
    except AccountRefused as error:
        raise BadInput(error.key, **error.values) from error
