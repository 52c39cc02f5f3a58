"""What the queue refuses.

    QueueError
    ├── LeaseLost     the token does not hold the slot (any more); nothing was changed
    ├── NotLive       the view is being rebuilt or lags behind its topic; nobody is given a slot
    └── ViewMoved     the projector and the view disagree; the projector must look where the view stands
        ├── Foreign       the view is of another topic, or was emptied
        ├── RolledBack    the view is older than what the projector wrote
        └── Damaged       a part of the view is lost or of another kind; only building it anew mends it

What Redis itself refuses is raised as redis-py raises it.
"""


class QueueError(Exception):
    """Root of what the queue refuses."""


class LeaseLost(QueueError):
    """The token does not hold the slot."""


class NotLive(QueueError):
    """Claims wait until the view is whole and current."""


class ViewMoved(QueueError):
    """The stored state is not what the projector left there."""


class Foreign(ViewMoved):
    """The view is of another topic, or was emptied."""


class RolledBack(ViewMoved):
    """An older copy of the view took its place."""


class Damaged(ViewMoved):
    """A part of the view is lost, would expire, or is not what it must be."""
