"""A qualification in words: what is promised, what is not, and how many parts stand behind it."""

from linewarden_train.qualification.bound import SystemEscapes
from linewarden_vision.qualification import Qualification, Statement


def in_words(record: Qualification, escapes: SystemEscapes | None = None) -> list[str]:
    """Return the printed qualification, a line each."""
    lines = [_promise(statement) for statement in record.statements]
    lines.append(
        f"drawn: {record.n} groups, one defective picture each: {record.rejected} rejected, "
        f"{record.diverted} diverted, {record.undecidable} not decidable, {record.passed} passed with trust"
    )
    lines += [
        f"  {one.defect_class}: "
        + (f"k = {one.passed} passed of n = {one.n} groups" if one.n else "no evidence (n = 0)")
        for one in record.classes
    ]
    tolerance = f" (tolerance {record.tolerance:g})" if record.tolerance else ""
    lines.append(
        f"diverts from suspicion {record.divert_from:.6g}{tolerance}, at {record.precision} on {record.device}"
    )
    lines.append(
        "system escapes: operators not qualified (no study of what people miss)"
        if escapes is None
        else f"system escapes: at most {escapes.limit:.1%} of defects, at {escapes.confidence:.1%} joint confidence "
        f"(diverted share up to {escapes.diverted_share:.1%}, "
        f"operators' miss rate up to {escapes.operator_miss_rate:.1%})"
    )
    if record.criteria_digest is not None:
        lines.append(
            f"with the criteria {record.criteria_digest[:12]} of {record.recipe}: what they let go beyond their limits "
            f"counts as passed; {record.within_limits} defective pictures within them are not spoken of"
        )
    else:
        lines.append("without criteria: void under a recipe that lets marked defects go")
    lines.append(f"valid from {record.date} to {record.expires} for content {record.content_digest[:16]}")
    if len(record.attempts) > 1:
        lines.append(
            f"qualification {len(record.attempts)} on the same parts: all of them hold together at "
            f"{record.joint_confidence:.1%} confidence"
        )
    lines.append(
        "This bounds trusted passes among defects of the calibration mix. It is not ppm shipped, not what people miss, "
        "and not about a new kind of defect."
    )
    return lines


def _promise(statement: Statement) -> str:
    what = f"defects of class {statement.defect_class}" if statement.defect_class else "defects of the calibration mix"
    limit = "nothing need be diverted" if statement.limit is None else f"limit {statement.limit:.6g}"
    return (
        f"trusted_pass_rate_of_defects: at most {statement.max_pass_rate:.1%} of {what} pass with trust, "
        f"at {1 - statement.delta:.1%} confidence (n = {statement.n} groups, k = {statement.allowed}, {limit})"
    )
