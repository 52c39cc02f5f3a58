"""What can go wrong, and what it means for the process.

    RuntimeFault
    ├── SlowDown                 policy: pause, keep the records, retry after a while
    ├── Poison                   policy: dead-letter the record, never retry it
    ├── TransactionFailed        aborted; throw the producer away, rebuild, read again from committed offsets
    │   └── GroupNotStable       refused before the transaction began: the group snapshot could not fence it
    ├── DeliveryFailed           a record was not acknowledged; whether it lies in the log is unknown
    │   └── TooLarge             refused before it was sent: larger than the producer may send
    ├── CommitRefused            the group moved on; these records will be delivered again, to somebody
    ├── BackpressureTimeout      what is sent waits already as far as it may; the record is still with the caller
    ├── BrokerUnavailable        no answer from the broker in time; retrying is safe
    └── Fatal                    the process must end; a supervisor starts it again
        ├── Fenced               somebody else owns this identity now (exit code 75)
        ├── AssignmentNotAligned the same partition number of joined topics went to different members
        ├── RetentionOvertook    records were deleted before they were read; never skipped silently
        ├── LogTruncated         an offset lies beyond the end: lost writes, or a topic made anew
        ├── OffsetMissing        the group has no offset and may not choose one
        ├── LiveTopicRefused     a simulation was about to write outside its own namespace
        ├── DeadLetterCapExceeded too many records in a row, or of all, could not be handled
        └── ConfigurationError   settings, topics or files are not as they must be

Anything else that is raised is a bug and ends the process as well: an unknown error never skips a record.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linewarden_runtime.records import InRecord, Position


class RuntimeFault(Exception):
    """Root of everything the runtime raises on purpose."""


class SlowDown(RuntimeFault):
    """A dependency cannot follow: pause, keep what was read, try the same records again."""

    def __init__(self, retry_after_s: float = 1.0, reason: str = "") -> None:
        super().__init__(reason or f"retry after {retry_after_s} s")
        self.retry_after_s = retry_after_s
        self.reason = reason


class Poison(RuntimeFault):
    """A record that can never be handled: dead-letter it with its cause and go on.

    `cause` is a short stable word for counting (`bad-digest`, `unknown-schema`); `detail` is for people.
    `record` names the culprit of a batch; without it a batch is tried again record by record.
    """

    def __init__(self, cause: str, detail: str = "", record: "InRecord | None" = None) -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause = cause
        self.detail = detail
        self.record = record


class TransactionFailed(RuntimeFault):
    """The transaction did not commit, or may not have: the producer is closed and must not be used again."""


class GroupNotStable(TransactionFailed):
    """Offsets were to be committed under a group snapshot that no broker would check."""


class DeliveryFailed(RuntimeFault):
    """A record was not acknowledged."""


class TooLarge(DeliveryFailed):
    """A record is larger than `max_request_size`; sending it again cannot help."""


class CommitRefused(RuntimeFault):
    """A commit of offsets was refused because the group was rebalanced since the records were read."""


class BackpressureTimeout(RuntimeFault):
    """The bytes in flight stayed at their bound for the whole wait; nothing was sent."""


class BrokerUnavailable(RuntimeFault):
    """The broker did not answer in time."""


class Fatal(RuntimeFault):
    """Nothing in this process can mend it: it ends with `exit_code`."""

    exit_code = 1


class Fenced(Fatal):
    """Another process holds this transactional id or group instance id."""

    exit_code = 75  # EX_TEMPFAIL: a supervisor may start the process again


class AssignmentNotAligned(Fatal):
    """Joined topics were assigned with different partition numbers."""

    exit_code = 78


class RetentionOvertook(Fatal):
    """The offset to read next was deleted by retention; ids below the earliest offset are unaccounted for."""

    exit_code = 76

    def __init__(self, position: "Position", wanted: int, earliest: int) -> None:
        super().__init__(
            f"{position.topic}[{position.partition}]: offset {wanted} is wanted, {earliest} is the earliest; "
            "balance the missing ids with 'linewarden audit balance', then set the group's offset by hand"
        )
        self.position, self.wanted, self.earliest = position, wanted, earliest


class LogTruncated(Fatal):
    """An offset to read next lies beyond the end of the log; what was read may not exist any more."""

    exit_code = 76


class OffsetMissing(Fatal):
    """A group without committed offsets was told not to choose a start by itself."""

    exit_code = 78


class DeadLetterCapExceeded(Fatal):
    """Dead letters passed their cap; a bad release must not drain a line."""

    exit_code = 77


class LiveTopicRefused(Fatal):
    """Simulated stays simulated: nothing of a replay or shadow ever reaches a live name."""

    exit_code = 78


class ConfigurationError(Fatal):
    """Something that people set is not as it must be; the message says how to mend it."""

    exit_code = 78
