"""A reason as data: what is said, apart from the words that it is said in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from linewarden_schemas.base import MOST_MS, Finite, MessagePart

MOST_PARAMETER = 500
"""Characters of a parameter."""


_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
_Text = Annotated[str, StringConstraints(max_length=MOST_PARAMETER)]
_Whole = Annotated[int, Field(ge=-MOST_MS, le=MOST_MS)]


class Reason(MessagePart):
    """The code of a sentence and what it names; `linewarden_domain.words` has the words, by language.

    A reader that does not know the code, or lacks a parameter, shows the sentence that stands beside it.
    """

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]
    parameters: Annotated[dict[_Name, _Text | _Whole | Finite], Field(max_length=8)] = Field(default_factory=dict)


CodedReasons = Annotated[tuple[Reason, ...], Field(max_length=2048)]
"""As many as the sentences beside them and in their order; empty where a writer before this field made the record."""
