"""Which class reads which type, and how old versions become the newest (upcasting)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linewarden_schemas.base import Message
from linewarden_schemas.topics import CATALOGUE

MESSAGES: tuple[type[Message], ...] = tuple(
    message for topic in CATALOGUE.values() for message in topic.messages if issubclass(message, Message)
)
MESSAGE_TYPES: dict[str, type[Message]] = {message.TYPE: message for message in MESSAGES}


UPCASTERS: dict[str, Callable[[Any], Message]] = {}
"""From a superseded type to a function that makes the next version of it. Empty while every type is at v1."""


def upcast(message: Message, upcasters: dict[str, Callable[[Any], Message]] = UPCASTERS) -> Message:
    """Bring a message to its newest version, a step at a time."""
    while (step := upcasters.get(message.TYPE)) is not None:
        message = step(message)
    return message
