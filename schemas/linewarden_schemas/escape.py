"""What the field tells of parts that had left as good."""

from __future__ import annotations

from typing import ClassVar

from linewarden_schemas.base import Actor, EpochMs, Id, Message, Text


class Escape(Message):
    """A part found defective after it had left. Of several records of one escape the newest counts.

    It joins the story by its serial when it is read, since serials may be bound late: of the part's visits the last
    one captured before the finding let it go. `visit_id` names that visit where it is known better. A report of a
    serial that no visit knows is kept like every other one.
    """

    TYPE: ClassVar[str] = "linewarden.escape.v1"

    escape_id: Id
    part_id: Id
    defect_class: Id
    found_at: Text
    """Where: a customer, a later process, a test bench."""
    found_ms: EpochMs
    reported_by: Actor
    reported_ms: EpochMs
    visit_id: Id | None = None
    reference: Text | None = None
    """Number of the complaint or the report elsewhere."""
    comment: Text | None = None
    withdrawn: bool = False
    """Reported by mistake; counts nowhere."""
