"""What is wrong with a document, in one line."""

from __future__ import annotations

from pydantic import ValidationError

_MOST = 5


def violations(error: ValidationError) -> str:
    """Each place that does not fit with what was expected there, the first five of them; no value, which may be secret.

    >>> from linewarden_schemas.line import RecipeRef
    >>> try:
    ...     RecipeRef.model_validate({"recipe_id": "a b", "version": 1})
    ... except ValidationError as wrong:
    ...     violations(wrong)
    "recipe_id: String should match pattern '^[A-Za-z0-9._-]{1,128}$'"
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, "))))
        for one in found
    ]
    return "; ".join(told[:_MOST]) + (f"; and {len(told) - _MOST} more" if len(told) > _MOST else "")
