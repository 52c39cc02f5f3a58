"""The base of every message: strict, frozen, closed to writers, open to readers.

A writer that names an unknown field is refused. A reader keeps fields that a newer writer added, and writes
them back when it passes the message on, so optional additions need no new version.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

ID_PATTERN = r"^[A-Za-z0-9._-]{1,128}$"

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
EPOCH = "milliseconds since the epoch"
"""Marks a field that is a point in time, for readers that have a type for it; a duration has no such mark."""
MOST_MS = 2**53
"""The largest time and duration, exact in every reader's numbers."""
EpochMs = Annotated[int, Field(ge=0, le=MOST_MS), EPOCH]
DurationMs = Annotated[int, Field(ge=0, le=MOST_MS)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Actor = Annotated[str, StringConstraints(min_length=1, max_length=128)]

_READING = {"linewarden_reading": True}


def is_reading(info: ValidationInfo) -> bool:
    """Whether a record is read, rather than made."""
    return info.context is _READING


class MessagePart(BaseModel):
    """A piece of a message. Unknown fields: an error when written, kept when read."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", ser_json_bytes="base64", val_json_bytes="base64")

    @model_validator(mode="after")
    def _reject_unknown_when_writing(self, info: ValidationInfo) -> Self:
        if self.__pydantic_extra__ and not is_reading(info):
            names = ", ".join(sorted(self.__pydantic_extra__))
            raise ValueError(f"{type(self).__name__} has no field {names}")
        return self


class Message(MessagePart):
    """A value of a topic. `TYPE` is its CloudEvents type and carries the version."""

    TYPE: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's own signature
        """Refuse a message class whose type is not of the form linewarden.<name>.v<N>."""
        super().__init_subclass__(**kwargs)
        if "TYPE" in cls.__dict__ and not re.match(r"^linewarden\.[a-z-]+\.v[1-9][0-9]*$", cls.TYPE):
            raise TypeError(f"{cls.__name__}.TYPE is {cls.TYPE!r}, not linewarden.<name>.v<N>")

    def to_json(self) -> bytes:
        """UTF-8 JSON, with the fields that a newer writer added."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Read one value, keeping unknown fields.

        Raises:
            pydantic.ValidationError: where a known field is missing or of the wrong type.
        """
        return cls.model_validate_json(raw, context=_READING)
