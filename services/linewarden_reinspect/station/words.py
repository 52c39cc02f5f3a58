"""What the station says in words."""

from linewarden_schemas.vocabulary import Cause, Verdict

CAUSES: dict[Cause, str] = {
    Cause.LOW_TRUST: "The network said OK, but this OK is not to be trusted",
    Cause.NOT_DECIDABLE: "The network could not decide",
    Cause.LATE: "The answer came too late for the line",
    Cause.FAULT: "Something in the flow failed",
    Cause.AUDIT: "Drawn at random from the passes, to check the machine",
    Cause.REJECT_REVIEW: "The network said NG: check for a false alarm",
    Cause.KNOWN_BAD: "A picture of a known defect, to measure how well defects are found here",
}
SHORT: dict[Cause, str] = {
    Cause.LOW_TRUST: "low trust",
    Cause.NOT_DECIDABLE: "not decidable",
    Cause.LATE: "late",
    Cause.FAULT: "fault",
    Cause.AUDIT: "audit",
    Cause.REJECT_REVIEW: "reject review",
    Cause.KNOWN_BAD: "known bad",
}
VERDICTS: dict[Verdict, str] = {
    Verdict.OK: "network: OK",
    Verdict.NG: "network: NG",
    Verdict.NOT_DECIDABLE: "not decidable",
}
