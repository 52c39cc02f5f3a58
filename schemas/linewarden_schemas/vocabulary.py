"""The words of linewarden as enumerations. A value never changes its meaning; new ones may be added."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What the machine says of one frame."""

    OK = "OK"
    NG = "NG"
    NOT_DECIDABLE = "NOT_DECIDABLE"


class Routing(StrEnum):
    """Where a visit goes, the worst of its views, from best to worst."""

    TRUSTED_PASS = "trusted_pass"  # noqa: S105 - a routing, no secret
    DIVERTED = "diverted"
    REJECTED = "rejected"

    @property
    def severity(self) -> int:
        """0 for a trusted pass, 2 for a reject."""
        return list(Routing).index(self)


class Cause(StrEnum):
    """Why a visit is withheld for a person. Only `low_trust` and `audit` count in `diversion_rate_of_passes`."""

    LOW_TRUST = "low_trust"
    NOT_DECIDABLE = "not_decidable"
    LATE = "late"
    FAULT = "fault"
    AUDIT = "audit"
    REJECT_REVIEW = "reject_review"
    KNOWN_BAD = "known_bad"


class Undecidable(StrEnum):
    """Why a frame could not be judged."""

    LATE = "late"
    DIGEST_MISMATCH = "digest_mismatch"
    UNREADABLE = "unreadable"
    NOT_A_PICTURE = "not_a_picture"
    TOO_LARGE = "too_large"
    BAD_METADATA = "bad_metadata"
    UNKNOWN_RECIPE = "unknown_recipe"
    UNKNOWN_BUNDLE = "unknown_bundle"
    DEVICE_FAULT = "device_fault"
    OUT_OF_DISTRIBUTION = "out_of_distribution"


class Loss(StrEnum):
    """Why the picture of a capture does not exist. Its visit is diverted."""

    DROPPED_OLDEST = "dropped_oldest"
    OVERSIZE = "oversize"
    CAMERA_FAULT = "camera_fault"
    UNREADABLE = "unreadable"
    SPOOL_CORRUPT = "spool_corrupt"


class Outcome(StrEnum):
    """What becomes of a diverted or rejected part in the end."""

    ACCEPT = "accept"
    REWORK = "rework"
    SCRAP = "scrap"
    USE_AS_IS = "use_as_is"


class Judgement(StrEnum):
    """What a person says of a slot."""

    OK = "OK"
    NG = "NG"
    UNSURE = "UNSURE"


class Act(StrEnum):
    """What a decision record does."""

    JUDGE = "judge"
    UNDO = "undo"


class CloseReason(StrEnum):
    """Why a slot was closed."""

    DECIDED = "decided"
    ESCALATED = "escalated"
    UNDONE = "undone"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Skill(StrEnum):
    """Who may take a slot."""

    OPERATOR = "operator"
    LEAD = "lead"


class Role(StrEnum):
    """What a signed-in person may do."""

    OPERATOR = "operator"
    LEAD = "lead"
    QUALITY = "quality"
    ENGINEER = "engineer"
    AUDITOR = "auditor"
    ADMIN = "admin"


class LineMode(StrEnum):
    """State of a line. Only production enters statistics."""

    SETUP = "setup"
    VERIFICATION = "verification"
    PRODUCTION = "production"
    BYPASS = "bypass"
    STOPPED = "stopped"


class PartIdSource(StrEnum):
    """How the serial of a part was learnt."""

    READ = "read"
    TRACKED = "tracked"
    ASSIGNED = "assigned"


class VerdictRule(StrEnum):
    """What makes a frame NG."""

    CLASSIFIER = "classifier"
    EITHER = "either"


class Stage(StrEnum):
    """How far a bundle is trusted with parts."""

    TAUGHT = "taught"
    SHADOW = "shadow"
    ASSISTED = "assisted"
    RELEASED = "released"
