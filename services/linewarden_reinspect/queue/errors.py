"""What the queue refuses.

    QueueError
    ├── LeaseLost     the token does not hold the slot (any more); nothing was changed
    ├── NotLive       the view is being rebuilt or lags behind its topic; nobody is given a slot
    └── ViewMoved     of another topic, emptied, or older than what the projector wrote: it must look again
        └── ViewDamaged   a part of the view is lost or of another kind; only building it anew mends it

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


class ViewDamaged(ViewMoved):
    """A part of the view is lost, would expire, or is not what it must be."""
