"""How long what is kept of which parts: rules of a TOML file. Pure but for reading it.

[[rule]]
topics = ["frames"]
product = "bracket"       # any product where it is left out
recipe = "bracket"        # any recipe
class = "trusted_pass"    # how the visit was first routed; any where it is left out
days = 30                 # after the last word on the visit
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.base import Id
from linewarden_schemas.topics import CO_PARTITIONED
from linewarden_schemas.violations import violations
from linewarden_schemas.vocabulary import Routing

DELETABLE = (
    *(name for name in CO_PARTITIONED if name not in {"route-state", "captures", "dispositions"}),
    *("evidence", "captures", "dispositions"),
)
"""Topics that tell of single visits, those last that decide about the others, should a deletion be cut short.

Recipes, activations, balances and signed heads are kept for ever.
"""


class Facts(NamedTuple):
    """What decides how long something of a visit is kept; `said_ms` is when the last word on it was said."""

    product_id: str | None
    recipe_id: str
    routing: Routing
    is_final: bool
    said_ms: int
    lots: tuple[str, ...]


class Rule(BaseModel):
    """Something of some visits is kept for so many days."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    topics: Annotated[tuple[str, ...], Field(min_length=1)]
    days: Annotated[float, Field(ge=0)]
    product: Id | None = None
    recipe: Id | None = None
    routing: Annotated[Routing | None, Field(alias="class")] = None

    @field_validator("topics")
    @classmethod
    def _are_deletable(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        other = sorted(set(names) - set(DELETABLE))
        if other:
            raise ValueError(f"{', '.join(other)} cannot be deleted by rule; {', '.join(DELETABLE)} can")
        return names

    def fits(self, topic: str, facts: Facts) -> bool:
        """Whether it speaks of this."""
        return (
            topic in self.topics
            and self.product in {None, facts.product_id}
            and self.recipe in {None, facts.recipe_id}
            and self.routing in {None, facts.routing}
        )

    def __str__(self) -> str:
        of = " ".join(word for word in (self.product, self.recipe, self.routing and self.routing.value) if word)
        return f"{self.days:g} days{f' for {of}' if of else ''}"


class Policy(BaseModel):
    """All rules. Of those that fit, the one that keeps longest counts; what none fits is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @property
    def topics(self) -> list[str]:
        """Topics that any rule speaks of, in the order in which they are to be deleted."""
        return [name for name in DELETABLE if any(name in rule.topics for rule in self.rule)]

    def due(self, topic: str, facts: Facts, now_ms: int) -> Rule | None:
        """The rule by which this is to be deleted now, holds apart; what is not final is kept."""
        fitting = (rule for rule in self.rule if rule.fits(topic, facts))
        longest = max(fitting, key=lambda rule: rule.days, default=None)
        if longest is None or not facts.is_final or now_ms - facts.said_ms <= longest.days * 86_400_000:
            return None
        return longest


def read_policy(path: Path) -> Policy:
    """Read rules; raises ConfigurationError for a file that holds something else."""
    try:
        return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigurationError(f"{path} holds no rules of retention: {violations(error)}") from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} holds no rules of retention: {error}") from error
