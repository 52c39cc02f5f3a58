"""Who may do what: one table of roles by permission, one of permissions by route. What stands in neither is refused."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from linewarden_domain.authority import DISPOSING, MAY_TAKE, may_name
from linewarden_domain.line_situation import LIFTING
from linewarden_reinspect.station.errors import BadInput, Forbidden
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Judgement, Outcome, Role, Skill


class Permission(StrEnum):
    """What a route asks for."""

    PUBLIC = "public"
    """Nothing: sign-in, set-up, health."""
    SELF = "self"
    """To be signed in."""
    QUEUE = "queue"
    """To see what waits."""
    REVIEW = "review"
    """To take visits and judge them."""
    DISPOSE = "dispose"
    """To name what becomes of a part: rework, scrap, use_as_is."""
    LINE = "line"
    """To see the line as it runs."""
    PARTS = "parts"
    """To see parts as pictures, with their stories."""
    ALARMS = "alarms"
    """To see alarms and their history."""
    ACKNOWLEDGE = "acknowledge"
    """To say to know of an alarm."""
    SHELVE = "shelve"
    """To put alarms aside, take them back, and end those that stand until somebody does."""
    HISTORY = "history"
    """To read what was decided and what happened in the queue."""
    LOG = "log"
    """To read the log of acts."""
    FIGURES = "figures"
    """To read a shift's figures and count the bin."""
    PEOPLE = "people"
    """To read results by operator, where the station has them switched on."""
    THRESHOLDS = "thresholds"
    """To look at thresholds and draft others."""
    APPROVE = "approve"
    """To approve or refuse somebody else's draft, and to roll back."""
    LINE_ACTS = "line_acts"
    """To lock and unlock a line, change it over, check it, release it, record a bypass."""
    SKILLS = "skills"
    """To see who there is, and to say who has learnt what."""
    USERS = "users"
    """To add people, and change who they are."""


_ALL = frozenset(Role)
GRANTS: dict[Permission, frozenset[Role]] = {
    Permission.SELF: _ALL,
    Permission.QUEUE: _ALL,
    Permission.REVIEW: MAY_TAKE[Skill.OPERATOR],
    Permission.DISPOSE: DISPOSING,
    Permission.LINE: _ALL,
    Permission.PARTS: _ALL - {Role.ADMIN},
    Permission.ALARMS: _ALL,
    Permission.ACKNOWLEDGE: frozenset({Role.OPERATOR, Role.LEAD, Role.QUALITY, Role.ENGINEER}),
    Permission.SHELVE: frozenset({Role.LEAD, Role.ENGINEER}),
    Permission.HISTORY: frozenset({Role.LEAD, Role.QUALITY, Role.AUDITOR}),
    Permission.LOG: frozenset({Role.AUDITOR, Role.ADMIN}),
    Permission.FIGURES: frozenset({Role.LEAD, Role.QUALITY}),
    Permission.PEOPLE: frozenset({Role.LEAD}),
    Permission.THRESHOLDS: frozenset({Role.ENGINEER, Role.QUALITY}),
    Permission.APPROVE: frozenset({Role.ENGINEER, Role.QUALITY}),
    Permission.LINE_ACTS: LIFTING,
    Permission.SKILLS: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.USERS: frozenset({Role.ADMIN}),
}

ROUTES: dict[str, Permission] = {
    "GET /healthz": Permission.PUBLIC,
    "GET /sign-in": Permission.PUBLIC,
    "POST /sign-in": Permission.PUBLIC,
    "GET /set-up": Permission.PUBLIC,
    "POST /set-up": Permission.PUBLIC,
    "GET /oidc/start": Permission.PUBLIC,
    "GET /oidc/back": Permission.PUBLIC,
    "GET /wall": Permission.PUBLIC,
    "GET /wall/events": Permission.PUBLIC,
    "GET /wall/frames/{frame_id}": Permission.PUBLIC,
    "POST /api/sign-out": Permission.SELF,
    "GET /api/me": Permission.SELF,
    "GET /line": Permission.LINE,
    "GET /api/line": Permission.LINE,
    "GET /api/line/events": Permission.LINE,
    "GET /api/line/frames/{frame_id}": Permission.LINE,
    "GET /pictures": Permission.PARTS,
    "GET /api/pictures": Permission.PARTS,
    "GET /parts/{visit_id}": Permission.PARTS,
    "GET /api/parts/{visit_id}/frames/{frame_id}/{layer}": Permission.PARTS,
    "GET /": Permission.QUEUE,
    "GET /api/events": Permission.QUEUE,
    "GET /review": Permission.REVIEW,
    "POST /api/claim": Permission.REVIEW,
    "POST /api/slots/{slot_id}/renew": Permission.REVIEW,
    "POST /api/slots/{slot_id}/release": Permission.REVIEW,
    "POST /api/slots/{slot_id}/skip": Permission.REVIEW,
    "POST /api/slots/{slot_id}/decision": Permission.REVIEW,
    "GET /api/slots/{slot_id}/evidence": Permission.REVIEW,
    "POST /api/slots/{slot_id}/first": Permission.REVIEW,
    "GET /api/slots/{slot_id}/references": Permission.REVIEW,
    "GET /api/slots/{slot_id}/reference": Permission.REVIEW,
    "GET /api/slots/{slot_id}/beside": Permission.REVIEW,
    "GET /api/slots/{slot_id}/beside/picture": Permission.REVIEW,
    "GET /study": Permission.REVIEW,
    "GET /api/study": Permission.REVIEW,
    "GET /api/study/picture": Permission.REVIEW,
    "POST /api/study/answers": Permission.REVIEW,
    "POST /api/ahead": Permission.REVIEW,
    "POST /api/undo": Permission.REVIEW,
    "POST /api/undo/visit": Permission.REVIEW,
    "GET /api/last": Permission.REVIEW,
    "GET /frames/{frame_id}/picture": Permission.REVIEW,
    "GET /frames/{frame_id}/{layer}": Permission.REVIEW,
    "GET /alarms": Permission.ALARMS,
    "GET /api/alarms": Permission.ALARMS,
    "GET /api/alarms/events": Permission.ALARMS,
    "GET /api/alarms/history": Permission.ALARMS,
    "POST /api/alarms/{alarm_id}/acknowledge": Permission.ACKNOWLEDGE,
    "POST /api/alarms/{alarm_id}/wish": Permission.SHELVE,
    "GET /history": Permission.HISTORY,
    "GET /api/history": Permission.HISTORY,
    "GET /api/log": Permission.LOG,
    "GET /shift": Permission.FIGURES,
    "GET /api/shift": Permission.FIGURES,
    "GET /api/shift/report": Permission.FIGURES,
    "GET /api/shift/operators": Permission.PEOPLE,
    "GET /api/bin-counts": Permission.FIGURES,
    "POST /api/bin-counts": Permission.FIGURES,
    "GET /line/acts": Permission.LINE_ACTS,
    "GET /api/line/acts": Permission.LINE_ACTS,
    "POST /api/line/acts/{line_id}": Permission.LINE_ACTS,
    "GET /trust": Permission.THRESHOLDS,
    "GET /thresholds": Permission.THRESHOLDS,
    "GET /api/thresholds": Permission.THRESHOLDS,
    "GET /api/thresholds/preview": Permission.THRESHOLDS,
    "GET /api/thresholds/frames/{frame_id}": Permission.THRESHOLDS,
    "POST /api/thresholds/drafts": Permission.THRESHOLDS,
    "POST /api/thresholds/drafts/{number}/verdict": Permission.APPROVE,
    "POST /api/lines/{line_id}/roll-back": Permission.APPROVE,
    "GET /users": Permission.SKILLS,
    "GET /api/users": Permission.SKILLS,
    "POST /api/users/{name}/skills": Permission.SKILLS,
    "GET /api/openapi.json": Permission.USERS,
    "POST /api/users": Permission.USERS,
    "POST /api/users/{name}/role": Permission.USERS,
    "POST /api/users/{name}/disabled": Permission.USERS,
    "POST /api/users/{name}/password": Permission.USERS,
}

BEATS = frozenset(
    {
        "POST /api/slots/{slot_id}/renew",
        "GET /api/slots/{slot_id}/evidence",
        "GET /api/events",
        "GET /api/line/events",
        "GET /api/line/frames/{frame_id}",
        "GET /api/alarms/events",
        "POST /api/undo/visit",
    }
)
"""What pages do by themselves: it neither keeps a session awake nor is it an act of a person."""

LOGGED_READS = frozenset({"GET /api/shift/operators"})
"""Reading these is an act."""


def permission_of(method: str, path: str) -> Permission:
    """What a route asks for. Raises ConfigurationError for a route that nobody entered here."""
    try:
        return ROUTES[f"{method} {path}"]
    except KeyError:
        raise ConfigurationError(f"{method} {path} stands in no line of station/access/permissions.py") from None


def allows(role: Role, permission: Permission) -> bool:
    """Whether a role has a permission."""
    return permission is Permission.PUBLIC or role in GRANTS[permission]


def require(role: Role, permission: Permission) -> None:
    """Let through, or raise Forbidden."""
    if not allows(role, permission):
        roles = ", ".join(sorted(one.value for one in GRANTS[permission]))
        raise Forbidden("problem.role", roles=roles, role=role.value)


def require_outcome(role: Role, judgement: Judgement, outcome: Outcome | None, concession: str | None) -> None:
    """Let an outcome through that the role may name and that goes with the judgement.

    Raises:
        Forbidden: for rework, scrap and use_as_is without the permission to dispose.
        BadInput: for an outcome that contradicts the judgement, or use_as_is without its concession.
    """
    if not may_name(role, outcome):
        require(role, Permission.DISPOSE)
    if outcome is not None and (outcome is Outcome.ACCEPT) != (judgement is Judgement.OK):
        raise BadInput("problem.outcome_contradicts", outcome=outcome.value, judgement=judgement.value)
    if outcome is not None and judgement is Judgement.UNSURE:
        raise BadInput("problem.outcome_unsure")
    if (outcome is Outcome.USE_AS_IS) != (concession is not None):
        raise BadInput("problem.concession")


def require_all_entered(routes: Iterable[tuple[str, str]]) -> None:
    """Refuse to serve a route without a permission. Raises ConfigurationError."""
    for method, path in routes:
        permission_of(method, path)
