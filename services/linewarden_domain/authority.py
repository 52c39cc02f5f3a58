"""Who may decide what about parts: the station asks before a decision is written, route when it is read."""

from __future__ import annotations

from linewarden_schemas.vocabulary import Outcome, Role, Skill

MAY_TAKE: dict[Skill, frozenset[Role]] = {
    Skill.OPERATOR: frozenset({Role.OPERATOR, Role.LEAD, Role.QUALITY}),
    Skill.LEAD: frozenset({Role.LEAD, Role.QUALITY}),
}
"""Which roles may decide a slot. Engineers and auditors look; they do not decide about parts."""

DISPOSING = frozenset({Role.QUALITY})
"""Roles that may name what becomes of a part; everybody else says OK or NG, and an NG takes the recipe's outcome."""


def may_name(role: Role, outcome: Outcome | None) -> bool:
    """Whether a role may name this outcome: rework, scrap and use_as_is are for those who dispose."""
    return outcome in {None, Outcome.ACCEPT} or role in DISPOSING
