"""What is kept long enough is deleted by rule and on record; what is on hold, open or unknown is kept."""

from __future__ import annotations

import json
import sys
from io import StringIO
from pathlib import Path

import pytest

from linewarden.cli import main
from linewarden_archive.archive import Archive, writing
from linewarden_archive.chain import verify_chain
from linewarden_archive.entries import ArchiveSegment, LegalHold
from linewarden_archive.places import contents_path, segment_path
from linewarden_archive.retention import RetentionPlan, apply, plan
from linewarden_archive.rules import Policy, read_policy
from linewarden_audit.notary.notary import Notary, NotaryLimits
from linewarden_audit.notary.signing import make_key, read_key
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.envelope import decode_frame
from linewarden_schemas.vocabulary import Cause, Routing
from tests.support.shift import AT, disposition, visit
from tests.unit.archive.kept import LINE, Line

DAY = 86_400_000
RULES = """
[[rule]]
topics = ["frames"]
days = 30

[[rule]]
topics = ["frames", "dispositions"]
product = "bracket"
class = "rejected"
days = 90
"""
PASSED, REJECTED, OTHER, HELD, OPEN, UNKNOWN = range(6)


@pytest.fixture
def kept(line: Line, tmp_path: Path) -> Line:
    """Six visits: each has a frame, all but the last a disposition."""
    line.put_frames(6)
    for number, routing, more in (
        (PASSED, Routing.TRUSTED_PASS, {"product_id": "bracket"}),
        (REJECTED, Routing.REJECTED, {"product_id": "bracket"}),
        (OTHER, Routing.REJECTED, {"product_id": "lid"}),
        (HELD, Routing.TRUSTED_PASS, {"product_id": "bracket", "lot_id": "L7"}),
        (OPEN, Routing.DIVERTED, {"product_id": "bracket", "final": False}),
    ):
        causes = (Cause.LOW_TRUST,) if routing is Routing.DIVERTED else ()
        line.put("dispositions", disposition(number, routing, *causes, **more), visit(number))
    make_key(tmp_path / "key.pem")
    notary = Notary(line.broker, LINE, read_key(tmp_path / "key.pem"), line.clock, NotaryLimits(2, poll_s=0.0))
    notary.start()
    notary.step()
    notary.close()
    line.archive()
    with writing(line.root) as writer:
        writer.enter(LegalHold(lot_id="L7", actor="ann", reason="claim 12", at_ms=AT))
    return line


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    (tmp_path / "rules.toml").write_text(RULES)
    return read_policy(tmp_path / "rules.toml")


def frames(line: Line) -> set[str]:
    records = Archive(line.root).records("frames")
    return {decode_frame(one.headers, one.value or b"").meta.visit_id for one in records}


def due(made: RetentionPlan, topic: str = "frames") -> int:
    return sum(count for (name, _, _), count in made.due.items() if name == topic)


def test_the_rule_that_keeps_longest_counts_and_nothing_open_unknown_or_on_hold_is_due(
    kept: Line, policy: Policy
) -> None:
    archive = Archive(kept.root)
    assert due(plan(archive, policy, AT + 29 * DAY)) == 0
    made = plan(archive, policy, AT + 31 * DAY)
    assert made.due == {("frames", "bracket", "trusted_pass"): 1, ("frames", "lid", "rejected"): 1}
    assert made.held == {("frames", "bracket", "trusted_pass"): 1}
    assert made.open[("frames", "bracket", "diverted")] == 1
    assert made.open[("frames", "", "")] == 1
    late = plan(archive, policy, AT + 91 * DAY)
    assert (due(late), due(late, "dispositions")) == (3, 1)
    assert kept.report().deleted == 0


def test_what_was_deleted_is_on_record_and_the_chain_still_holds(kept: Line, policy: Policy, tmp_path: Path) -> None:
    kept.clock.advance((AT + 91 * DAY - kept.clock.now_ms()) / 1000)
    with writing(kept.root) as writer:
        apply(writer, policy, "ann", kept.clock)
    assert frames(kept) == {visit(number) for number in (HELD, OPEN, UNKNOWN)}
    report = kept.report()
    assert (report.holds, report.deleted) == (True, 4)
    archive = Archive(kept.root)
    told = [one.deletion for one in archive.entries if isinstance(one, ArchiveSegment) and one.deletion]
    assert {one.actor for one in told} == {"ann"}
    assert any("90 days for bracket rejected" in one.reason for one in told)
    chain = verify_chain(archive, [make_key(tmp_path / "other.pem"), *_public(kept)])
    assert [(one.finding, one.gone) for one in chain] == [(None, 0)] * len(chain)
    assert sum(one.verified for one in chain) == 5
    with writing(kept.root) as writer:
        assert due(apply(writer, policy, "ann", kept.clock)) == 0
    assert Archive(kept.root).head == archive.head


def _public(kept: Line) -> list[str]:
    from linewarden_audit.notary.verifying import keys_in_heads  # noqa: PLC0415

    return keys_in_heads(kept.broker, LINE)


def test_a_deletion_that_was_cut_short_is_finished_by_the_next_one(
    kept: Line, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    clock.advance((AT + 91 * DAY - clock.now_ms()) / 1000)
    monkeypatch.setattr("linewarden_archive.retention.delete_files", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), writing(kept.root) as writer:
        apply(writer, policy, "ann", clock)
    monkeypatch.undo()
    assert not kept.report().holds
    with writing(kept.root) as writer:
        apply(writer, policy, "ann", clock)
    assert kept.report().holds
    assert frames(kept) == {visit(number) for number in (HELD, OPEN, UNKNOWN)}


def test_a_segment_of_which_nothing_is_left_has_no_file_and_its_list_stays(kept: Line, tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text('[[rule]]\ntopics = ["dispositions"]\ndays = 0\n')
    kept.clock.advance((AT + DAY - kept.clock.now_ms()) / 1000)
    with writing(kept.root) as writer:
        apply(writer, read_policy(tmp_path / "all.toml"), "ann", kept.clock)
    gone = [one for one in Archive(kept.root).segments("dispositions") if not one.records]
    for one in gone:
        assert not segment_path(kept.root, one.place).exists()
        assert contents_path(kept.root, one.place).exists()
    assert kept.report().holds
    assert len(list(Archive(kept.root).records("dispositions"))) == 2


@pytest.mark.parametrize(
    "text", ["", "[[rule]]", '[[rule]]\ntopics = ["recipes"]\ndays = 1', '[[rule]]\ntopics = ["frames"]\ndays = -1']
)
def test_rules_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ConfigurationError, match="rules of retention"):
        read_policy(tmp_path / "rules.toml")


def test_the_commands_plan_ask_delete_and_hold(
    kept: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.toml").write_text('[[rule]]\ntopics = ["frames"]\ndays = 0\n')
    rules, root = ["--policy", str(tmp_path / "rules.toml")], str(kept.root)

    def told(*words: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["linewarden", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    assert json.loads(told("retention", "plan", root, *rules, "--json")[1])["due"] == 3
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    assert told("retention", "apply", root, *rules)[0] == 1
    assert len(frames(kept)) == 6
    assert told("hold", "release", root, "L8", "--reason", "none")[0] == 1
    assert told("hold", "release", root, "L7", "--reason", "settled", "--by", "bob")[0] == 0
    assert told("hold", "add", root, "L9", "--reason", "claim 13", "--by", "bob")[0] == 0
    assert [one["lot"] for one in json.loads(told("hold", "list", root, "--json")[1])] == ["L9"]
    assert json.loads(told("retention", "apply", root, *rules, "--yes", "--json")[1])["deleted"] == 4
    assert len(frames(kept)) == 2
    assert told("archive", "verify", root)[0] == 0
    assert json.loads(told("archive", "list", root, "--json")[1])
