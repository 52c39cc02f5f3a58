"""What the station refuses, each by the key of its words in the catalogues, with its HTTP status.

    Denied
    ├── AccountRefused        an account cannot be changed so; `linewarden users` says it too
    └── StationError
        ├── NotSignedIn      401
        ├── Forbidden        403   another site's request, or a wrong link
        ├── NothingHeld      404   the visit or picture is not in this person's hands
        ├── NoSuchAlarm      404   there is no such alarm
        ├── LeaseGone        409   the lease is lost; nothing was recorded
        ├── Conflict         409   another answer was given for this lease before
        ├── Mismatch         409   what was scanned is not the part in hand, or may not be taken
        ├── NotShown         409   accepting needs every picture delivered
        ├── NotBlind         409   the plain pictures are judged first
        ├── NotNext          409   in a study another picture comes next
        ├── AlarmRefused     409   the alarm does not stand so any more
        ├── BadMark          422   a drawn mask is not one of the picture
        ├── BadInput         422   what was typed cannot be taken; the sentence says why
        ├── TooMany          429   too many failed sign-ins
        ├── ProviderAway     503   the sign-in service does not answer
        ├── SheetUnusable    503   a study's sheet cannot be read or written; it is as it was
        ├── AlarmUnanswered  503   it is written down, and the line's process has not done it
        ├── QueueAway        503   the queue is rebuilt or lags; visits are given out again shortly
        ├── KafkaAway        503   Kafka cannot be reached
        ├── BookAway         503   the station's own book cannot be written; the same request again is safe
        └── NotRecorded      503   Kafka did not confirm; nothing counts until it does

Pages and answers tell it in the person's language; nothing is recorded wherever one of these is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from linewarden_reinspect.station.texts import DEFAULT, told
from linewarden_runtime.errors import ConfigurationError


class Denied(Exception):
    """Something refused: the `key` of its words and the `values` they name; `str()` is the English sentence."""

    def __init__(self, key: str, /, **values: object) -> None:
        super().__init__(told(DEFAULT, key, values))
        self.key, self.values = key, values


class AccountRefused(Denied, ConfigurationError):
    """The change of an account is not possible; nothing was changed."""


class StationError(Denied):
    """Root of what the station refuses; `word` and `details` are for programs."""

    status = 500
    word = "error"
    details: Mapping[str, str] = MappingProxyType({})


class NotSignedIn(StationError):
    """There is no session, or it is over."""

    status, word = 401, "not_signed_in"


class Forbidden(StationError):
    """The request does not come from the station's own pages, or its link is wrong."""

    status, word = 403, "forbidden"


class NothingHeld(StationError):
    """Only who holds a visit sees it and acts on it."""

    status, word = 404, "nothing_held"


class NoSuchAlarm(StationError):
    """There is no such alarm on this station's lines."""

    status, word = 404, "no_such_alarm"


class LeaseGone(StationError):
    """The lease is over or was never this token's: nothing that depends on it was done."""

    status, word = 409, "lease_lost"


class Conflict(StationError):
    """Another answer was given for this lease."""

    status, word = 409, "conflict"


class Mismatch(StationError):
    """What was scanned is not the part in hand, or may not be taken; `details` say it in the page's language."""

    status, word = 409, "mismatch"

    def __init__(self, why: str, /, **values: str) -> None:
        super().__init__(f"scan.{why}", **values)
        self.details = {"why": why, **values}


class NotShown(StationError):
    """Not every picture was on the screen."""

    status, word = 409, "not_shown"


class NotBlind(StationError):
    """The first judgement is missing."""

    status, word = 409, "not_blind"


class NotNext(StationError):
    """Another picture comes next in the study."""

    status, word = 409, "not_next"


class AlarmRefused(StationError):
    """The alarm does not stand as the person saw it; nothing was changed."""

    status, word = 409, "alarm_refused"


class BadMark(StationError):
    """What was drawn is no mask of the picture."""

    status, word = 422, "bad_mark"


class BadInput(StationError):
    """What was typed cannot be taken."""

    status, word = 422, "bad_input"


class TooMany(StationError):
    """Too many sign-ins failed from here or for this name; a while must pass first."""

    status, word = 429, "too_many"


class ProviderAway(StationError):
    """The sign-in service does not answer."""

    status, word = 503, "provider_away"


class SheetUnusable(StationError):
    """A sheet of a study cannot be read or written."""

    status, word = 503, "sheet_unusable"


class NotRecorded(StationError):
    """Kafka did not confirm a decision in time: it may lie in the log, and is safe to send again as it is."""

    status, word = 503, "not_recorded"


class AlarmUnanswered(StationError):
    """What was wanted is written down; the process that keeps the line's alarms has not done it yet."""

    status, word = 503, "alarm_unanswered"


class QueueAway(StationError):
    """The queue is rebuilt, lags, or cannot be reached."""

    status, word = 503, "queue_away"


class KafkaAway(StationError):
    """Kafka cannot be reached; what was confirmed is not lost, the rest is to be tried again."""

    status, word = 503, "kafka_away"


class BookAway(StationError):
    """The station's own book cannot be written."""

    status, word = 503, "book_away"
