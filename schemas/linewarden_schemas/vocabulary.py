"""The words of linewarden as enumerations. A value never changes its meaning; new ones may be added."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What the machine says of one frame."""

    OK = "OK"
    """No defect is seen; how far that may be believed is the inspection's suspicion."""
    NG = "NG"
    """A defect is seen."""
    NOT_DECIDABLE = "NOT_DECIDABLE"
    """The frame cannot be judged; `Undecidable` says why. Its visit diverts."""


class Routing(StrEnum):
    """Where a visit goes, the worst of its views, from best to worst."""

    TRUSTED_PASS = "trusted_pass"  # noqa: S105 - a routing, no secret
    """Onward on the machine's word: every expected view is OK, trusted and in time."""
    DIVERTED = "diverted"
    """Withheld for a person; `Cause` says why."""
    REJECTED = "rejected"
    """Out, without a person, unless the reject was drawn for review."""

    @property
    def severity(self) -> int:
        """0 for a trusted pass, 2 for a reject."""
        return list(Routing).index(self)


class Cause(StrEnum):
    """Why a visit is withheld for a person. Only `low_trust` and `audit` count in `diversion_rate_of_passes`."""

    LOW_TRUST = "low_trust"
    """An OK at or above the threshold on suspicion."""
    NOT_DECIDABLE = "not_decidable"
    """A frame that could not be judged, for another reason than lateness."""
    LATE = "late"
    """Something was missing or out of time at decide-by, or the broker's time was not known."""
    FAULT = "fault"
    """Something is lost, unknown or contradictory, whatever the network says."""
    AUDIT = "audit"
    """A pass drawn by chance, to measure what trust misses."""
    REJECT_REVIEW = "reject_review"
    """A reject drawn by chance, to measure false alarms."""
    KNOWN_BAD = "known_bad"
    """A seeded picture of a known defect, which measures people."""


class Undecidable(StrEnum):
    """Why a frame could not be judged."""

    LATE = "late"
    """It came to the device after the decide-by of its visit."""
    DIGEST_MISMATCH = "digest_mismatch"
    """The bytes are not those that were captured."""
    UNREADABLE = "unreadable"
    """A JPEG or PNG that does not decode without a warning, or not to a picture."""
    NOT_A_PICTURE = "not_a_picture"
    """The bytes are of no kind that is read, or of another than was announced."""
    TOO_LARGE = "too_large"
    """More bytes, pixels or memory than the limits allow."""
    BAD_METADATA = "bad_metadata"
    """Headers that are missing, too long, or do not fit the recipe."""
    UNKNOWN_RECIPE = "unknown_recipe"
    """The recipe is unknown, in doubt, or could not be asked for."""
    UNKNOWN_BUNDLE = "unknown_bundle"
    """The recipe's bundle is not at hand or did not load."""
    DEVICE_FAULT = "device_fault"
    """The device failed on it."""
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    """Grey levels, brightness or contrast are outside what the bundle was calibrated on."""
    PART_NOT_FOUND = "part_not_found"
    """No place of the picture, or more than one, is like the recipe's template."""
    PART_MISPLACED = "part_misplaced"
    """The part lies further from where it was taught than the recipe allows: it was put so, or the camera moved."""


class Loss(StrEnum):
    """Why the picture of a capture does not exist. Its visit is diverted."""

    DROPPED_OLDEST = "dropped_oldest"
    """The spool was full, and `drop-oldest` let the oldest pictures go."""
    OVERSIZE = "oversize"
    """The picture is larger than its topic takes."""
    CAMERA_FAULT = "camera_fault"
    """The trigger came and the camera gave no picture."""
    UNREADABLE = "unreadable"
    """The picture could not be read or encoded, or another version wrote its record."""
    SPOOL_CORRUPT = "spool_corrupt"
    """The spool's disk gave other bytes back than were written."""


class CameraCondition(StrEnum):
    """What is not as it should be with a camera, stamped on each capture that was taken so; its visit diverts."""

    LOST = "camera_lost"
    """It does not answer, or gave no picture for a trigger."""
    FROZEN = "camera_frozen"
    """It gave the same picture again, bit by bit, or a picture of another moment."""
    DARK = "camera_dark"
    """Darker than its limits."""
    BRIGHT = "camera_bright"
    """Brighter than its limits."""
    BLURRED = "camera_blurred"
    """Less sharp than its limits."""
    TORN = "camera_torn"
    """Packets or lines of the picture are missing."""
    SLOW = "camera_slow"
    """Pictures come later, or more seldom, than its limits."""
    MOVED = "camera_moved"
    """The part, or the camera, is not where it was taught."""


class Outcome(StrEnum):
    """What becomes of a diverted or rejected part in the end."""

    ACCEPT = "accept"
    """Good: the part goes onward."""
    REWORK = "rework"
    """Mended, and seen again as a new visit."""
    SCRAP = "scrap"
    """Thrown away."""
    USE_AS_IS = "use_as_is"
    """Defective and used all the same, under a numbered concession of quality."""


class Judgement(StrEnum):
    """What a person says of a slot."""

    OK = "OK"
    """No defect; the part may go on, where everything that must be covered is."""
    NG = "NG"
    """A defect."""
    UNSURE = "UNSURE"
    """Cannot tell; a lead is asked."""


class Act(StrEnum):
    """What a decision record does."""

    JUDGE = "judge"
    """It gives a judgement."""
    UNDO = "undo"
    """It takes an earlier decision back, within the recipe's window."""


class CloseReason(StrEnum):
    """Why a slot was closed."""

    DECIDED = "decided"
    """By a judgement that counts."""
    ESCALATED = "escalated"
    """The answer was `UNSURE`; a lead's slot follows."""
    UNDONE = "undone"
    """Its judgement was taken back; a new generation follows."""
    REFUSED = "refused"
    """Its judgement was not valid; a new generation follows."""
    WITHDRAWN = "withdrawn"
    """By route itself; no judgement of it counts."""


class Skill(StrEnum):
    """Who may take a slot."""

    OPERATOR = "operator"
    """Operator, lead or quality."""
    LEAD = "lead"
    """Lead or quality: escalations and tie-breaks."""


class Role(StrEnum):
    """What a signed-in person may do."""

    OPERATOR = "operator"
    """Judges visits."""
    LEAD = "lead"
    """Judges, also what was escalated; sees figures, histories and people."""
    QUALITY = "quality"
    """Judges, and alone names rework, scrap and use_as_is; approves thresholds."""
    ENGINEER = "engineer"
    """Drafts thresholds, and approves those of others."""
    AUDITOR = "auditor"
    """Reads histories and the log of acts; judges nothing."""
    ADMIN = "admin"
    """Adds people and changes who they are; judges nothing."""


class LineMode(StrEnum):
    """State of a line. Only production enters statistics."""

    SETUP = "setup"
    """Being set up; nothing passes on trust."""
    VERIFICATION = "verification"
    """Master parts are run; nothing passes on trust."""
    PRODUCTION = "production"
    """The only state in which a part passes on trust."""
    BYPASS = "bypass"
    """Parts go past the inspection, on somebody's order."""
    STOPPED = "stopped"
    """The line stands."""


class LockCause(StrEnum):
    """Why passing is locked on a line. Every lock stays until a lead lifts it."""

    CHECK_FAILED = "check_failed"
    """A master part did not get the verdict that it must get."""
    CHECK_OVERDUE = "check_overdue"
    """The check with master parts was not made in its time."""
    BYPASS_ELAPSED = "bypass_elapsed"
    """A bypass had come to its stated end, and nobody had ended it."""
    ALARM = "alarm"
    """An alarm that asks for a stop."""
    PERSON = "person"
    """Somebody locked it."""


class ChangeoverStage(StrEnum):
    """How far a changeover has come. Nothing passes on trust before it is released."""

    REQUESTED = "requested"
    """The recipe is active; cameras and inspect workers have not all acknowledged it."""
    ACKNOWLEDGED = "acknowledged"
    """All of them have; visits of before are not all decided yet."""
    CLEARED = "cleared"
    """No visit of before is undecided; master parts have to give their expected verdicts."""
    CHECKED = "checked"
    """They have, or the recipe asks for none; a lead may release the line."""
    RELEASED = "released"
    """The line is in production."""
    FAILED = "failed"
    """A check failed or was not made in time; the line is locked."""
    WITHDRAWN = "withdrawn"
    """Somebody took it back; the line stays as it is."""


class CheckReason(StrEnum):
    """Why master parts are run."""

    CHANGEOVER = "changeover"
    """Before the line is released to another recipe."""
    HOURS = "hours"
    """So much time has gone by since the last good check."""
    COUNT = "count"
    """So many parts were decided since the last good check."""
    ASKED = "asked"
    """Somebody asked for it."""


class CheckOutcome(StrEnum):
    """What a check with master parts came to."""

    PASSED = "passed"
    """Every master part got its expected verdict in every view."""
    FAILED = "failed"
    """One got another verdict, or none."""
    MISSING = "missing"
    """Not all of them came in the time of the check."""


class ChannelWord(StrEnum):
    """What a station's side channel says of the line."""

    START = "start"
    """Go on; it never lifts a lock, and never ends what a person told."""
    STOP = "stop"
    """The line stands."""


class PartIdSource(StrEnum):
    """How the serial of a part was learnt."""

    READ = "read"
    """From a code on the part."""
    TRACKED = "tracked"
    """From where the part was before, by the line's tracking."""
    ASSIGNED = "assigned"
    """Given from outside, e.g. by a list beside the pictures."""


class VerdictRule(StrEnum):
    """What makes a frame NG."""

    CLASSIFIER = "classifier"
    """The probability of a defect, above its threshold."""
    EITHER = "either"
    """That, or a mask that marks a defect."""


class LocateBy(StrEnum):
    """What of a picture is held against the template that tells where a part lies."""

    GREY = "grey"
    """Its grey levels."""
    EDGES = "edges"
    """How steep they are, which a change of light moves less."""


class Stage(StrEnum):
    """How far a bundle is trusted with parts."""

    TAUGHT = "taught"
    """Made; no promotion counts for it, and every OK of it diverts."""
    SHADOW = "shadow"
    """Promoted once; still no OK of it is believed."""
    ASSISTED = "assisted"
    """Its trusted OK lets a part go; one step before released."""
    RELEASED = "released"
    """Its trusted OK lets a part go; no stage follows."""
