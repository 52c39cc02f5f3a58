"""Which class reads which type, and how old versions become the newest (upcasting)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .base import Message
from .capture import CameraHeartbeat, Capture
from .decision import Decision, QueueEvent
from .disposition import Disposition, SlotClose, SlotOpen
from .escape import Escape
from .inspection import Evidence, Inspection
from .line import Activation, LineState
from .operations import Actuation, Balance, ChainHead, DeadLetter
from .recipe import Recipe
from .route_state import CameraProgress, VisitSnapshot

MESSAGES: tuple[type[Message], ...] = (
    Activation, Actuation, Balance, CameraHeartbeat, CameraProgress, Capture, ChainHead, DeadLetter, Decision,
    Disposition, Escape, Evidence, Inspection, LineState, QueueEvent, Recipe, SlotClose, SlotOpen, VisitSnapshot,
)  # fmt: skip
MESSAGE_TYPES: dict[str, type[Message]] = {message.TYPE: message for message in MESSAGES}


UPCASTERS: dict[str, Callable[[Any], Message]] = {}
"""From a superseded type to a function that makes the next version of it. Empty while every type is at v1."""


def upcast(message: Message, upcasters: dict[str, Callable[[Any], Message]] = UPCASTERS) -> Message:
    """Bring a message to its newest version, a step at a time."""
    while (step := upcasters.get(message.TYPE)) is not None:
        message = step(message)
    return message
