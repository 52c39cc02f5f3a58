"""The audit report says what was decided, how sure that is, and what is not known."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linewarden.commands.audit_report import report as command
from linewarden_audit.balance import balance
from linewarden_audit.findings import Allowance
from linewarden_audit.ledger import AuditLedger
from linewarden_audit.notary.notary import Notary, NotaryLimits
from linewarden_audit.notary.signing import make_key, read_key
from linewarden_audit.report.conserving import Conservation
from linewarden_audit.report.differences import read_rerun
from linewarden_audit.report.report import AuditRequest, page, report
from linewarden_audit.report.tally import counting
from linewarden_audit.report.versions import in_force
from linewarden_history.reports.gather import UnreadableRecords
from linewarden_history.reports.rendering import as_json
from linewarden_history.reports.store import VisitStore
from linewarden_history.reports.story import tell
from linewarden_history.selection import Selection
from linewarden_replay.standing import standing_of, threshold_rows
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.records import Position
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision
from linewarden_schemas.ids import slot_id
from linewarden_schemas.inspection import Evidence
from linewarden_schemas.line import Activation, RecipeRef
from linewarden_schemas.operations import Balance, DeadLetter
from linewarden_schemas.vocabulary import Act, Cause, Judgement, LineMode, Outcome, Routing
from tests.support.bundles import digest_in
from tests.support.frames import flat, frame_record
from tests.support.lines import HOUR, NAMESPACE, by_topic, line, maps, passes, ref, rejects, reviewed
from tests.support.shift import AT, capture, disposition, frame, heartbeat, inspection, recipe, visit
from tests.unit.history.test_labels import decision
from tests.unit.vision.helpers import small_card

ALL = Selection(AT - HOUR, AT + HOUR)


def second(number: int, judgement: Judgement, actor: str = "berta", **more: Any) -> Decision:
    place = slot_id(visit(number), 1, 0)
    return decision(number, judgement, decision_id=f"d{number}-1", slot_id=place, actor=actor, **more)


def shift() -> list[Message]:
    return [
        *passes(0),
        *passes(1),
        *rejects(2, (0, 0, 2, 2)),
        *reviewed(3, Cause.AUDIT, outcome=Outcome.SCRAP),
        *reviewed(4, Cause.AUDIT, outcome=Outcome.ACCEPT, judgement=Judgement.OK),
        second(4, Judgement.OK),
        *reviewed(5, Cause.REJECT_REVIEW, outcome=Outcome.ACCEPT, p=0.9, judgement=Judgement.OK),
        second(5, Judgement.NG),
        *reviewed(6, Cause.KNOWN_BAD, outcome=Outcome.SCRAP),
        *reviewed(7, Cause.KNOWN_BAD, outcome=Outcome.ACCEPT, judgement=Judgement.OK),
        *passes(8, mode=LineMode.BYPASS),
    ]


def made(*messages: Message, **audit: Any) -> dict[str, Any]:
    broker = line(*by_topic(messages or shift()))
    fields: dict[str, Any] = {"stretch": ALL, "now_ms": AT + HOUR} | audit
    return report(broker, NAMESPACE, AuditRequest(**fields))


def rate_of(document: dict[str, Any], name: str) -> tuple[int, int]:
    return next((one["count"], one["of"]) for one in document["rates"] if one["name"] == name)


def test_rates_are_over_production_with_the_denominators_of_their_names() -> None:
    document = made()
    assert document["production"] == 6
    assert rate_of(document, "trusted_pass_rate_of_visits") == (2, 6)
    assert rate_of(document, "reject_rate_of_visits") == (2, 6)
    assert rate_of(document, "diversion_rate_of_passes") == (2, 4)
    assert rate_of(document, "defective_rate_of_audited_passes") == (1, 2)
    assert rate_of(document, "overkill_rate_of_reviewed_rejects") == (1, 1)


def test_known_bads_measure_people_and_two_judgements_of_a_visit_their_agreement() -> None:
    document = made()
    assert (document["known_bads"]["shown"], document["known_bads"]["answered"]) == (2, 2)
    assert document["known_bads"]["catch"]["count"] == 1
    assert document["agreement"]["pairs"] == [["OK", "NG", 1], ["OK", "OK", 1]]
    assert (document["agreement"]["n"], document["agreement"]["people"]) == (2, 2)


def test_an_undone_judgement_does_not_count_and_the_newest_generation_does() -> None:
    undo = decision(1, None, decision_id="u1", act=Act.UNDO, undoes="d1", blind=None, first_judgement=None)
    again = decision(1, Judgement.OK, decision_id="d1b", slot_id=slot_id(visit(1), 0, 1))
    story = tell(visit(1), [decision(1), undo, again])
    assert {number: one.decision_id for number, one in counting(story).items()} == {0: "d1b"}
    assert counting(tell(visit(1), [decision(1), undo])) == {}


def test_the_balance_is_that_of_the_whole_ledger_whatever_the_size_of_its_portions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faulty = [
        *shift(),
        capture(10),
        disposition(11, Routing.TRUSTED_PASS),
        inspection(12),
        *[one for one in passes(13) if not isinstance(one, type(capture(0)))],
        heartbeat(13),
    ]
    ledger = AuditLedger()
    for message in faulty:
        ledger.learn(message)
    whole = balance(ledger, AT + HOUR)
    for portion in (1, 3, 1000):
        monkeypatch.setattr("linewarden_audit.report.conserving._AT_ONCE", portion)
        found = made(*faulty)["balance"]
        for name in ("visits", "frames", "inspected", "final", "waiting"):
            assert found[name] == getattr(whole, name), name
        for name in ("lost", "doubled", "unknown", "unsafe"):
            named = {one.removeprefix("line1.st1.") for one in found[name]["named"]}  # cameras carry their line here
            assert named == {one.removeprefix("line1.st1.") for one in getattr(whole, name)}, (portion, name)
        assert not found["closes"]


def test_a_dead_letter_without_a_visit_answers_for_its_frame() -> None:
    source = inspection(0).source
    letter = DeadLetter(service="inspect", cause="x", detail="y", source=source, at_ms=AT, frame_id=frame(1))
    lost = made(capture(1), disposition(1, Routing.DIVERTED, Cause.FAULT))["balance"]["lost"]["named"]
    assert frame(1) in lost
    kept = made(capture(1), disposition(1, Routing.DIVERTED, Cause.FAULT), letter)["balance"]
    assert frame(1) not in kept["lost"]["named"]
    assert kept["dead_letters"] == 1


def test_versions_in_force_are_the_last_before_the_range_and_all_within() -> None:
    def active(version: int, from_ms: int) -> Activation:
        return Activation(
            line_id="line1", recipe=RecipeRef(recipe_id="bracket", version=version), from_ms=from_ms, actor="anna"
        )

    told = [active(1, 0), active(2, 50), active(3, 150), active(5, 400), active(4, 50)]
    assert [one["recipe"] for one in in_force(told, 100, 300, None)] == ["bracket@4", "bracket@3"]
    assert in_force(told, 100, 300, "line9") == []


def test_thresholds_and_versions_that_judged_are_listed_with_their_frames() -> None:
    document = made()
    (row,) = document["thresholds"]
    assert (row["recipe"], row["defect"], row["suspicion"], row["frames"]) == ("bracket@1", 0.5, 0.6, 9)
    assert row["provenance"] is None
    assert document["recipes"] == [{"recipe": "bracket@1", "known": False}]


def test_qualification_is_told_as_what_it_is(bundle_store: Path) -> None:
    known = digest_in(bundle_store, "a")
    messages = [capture(0, line_state=ref()), inspection(0, bundle_digest=known), *passes(1)]
    found = {
        one["bundle"]: one
        for one in made(*messages, bundles=partial(standing_of, bundle_store, "2025-11-24"))["bundles"]
    }
    assert found[known]["stage"] == "released"
    assert found[known]["status"] == "qualified"
    later = made(*messages, bundles=partial(standing_of, bundle_store, "2999-01-01"))["bundles"]
    assert [one["status"] for one in later if one["bundle"] == known] == ["expired"]
    assert {one["name"] for one in found[known]["thresholds"]} == {"defect", "suspicion", "mask"}
    assert found["a" * 64]["status"].startswith("not looked at: no bundle")
    assert made(*messages)["bundles"][0]["status"].startswith("not looked at: name the folder")


def test_both_thresholds_of_a_mask_are_told_with_one_source() -> None:
    limits = small_card().thresholds
    assert [row["name"] for row in threshold_rows(limits)] == ["defect", "suspicion", "mask"]
    *_, mask, peak = threshold_rows(limits.model_copy(update={"mask_peak": 4.0}))
    assert (mask["name"], peak["name"], peak["value"]) == ("mask", "mask_peak", 4.0)
    assert peak["set_digest"] == mask["set_digest"] == limits.mask.provenance.set_digest


def test_closed_periods_that_reach_into_the_range_are_listed() -> None:
    def period(begin: int, end: int) -> Balance:
        return Balance(
            line_id="line1", from_ms=begin, to_ms=end, visits=9, frames=9, final=8, waiting=1, in_flight=0,
            open_ids=("a",), closed_ms=end,
        )  # fmt: skip

    periods = made(*shift(), period(0, 10), period(AT - HOUR, AT))["periods"]
    assert [(one["to_ms"], one["left_open"]) for one in periods["listed"]] == [(AT, 1)]
    assert periods["broken"] == "period 0: it stands where period 1 belongs"


def test_the_chain_is_verified_and_an_unsealed_namespace_says_so(tmp_path: Path) -> None:
    broker = line(*by_topic(shift()))
    assert "nothing protects these records" in page(report(broker, NAMESPACE, AuditRequest(ALL, AT + HOUR)))
    key = tmp_path / "key"
    public = make_key(key)
    notary = Notary(broker, NAMESPACE, read_key(key), ManualClock(now_ms=AT), NotaryLimits(1, 1.0), lambda: None)
    notary.start()
    notary.step()
    notary.close()
    proven = report(broker, NAMESPACE, AuditRequest(ALL, AT + HOUR, keys=(public,)))["notary"]
    assert (proven["holds"], proven["proven"]) == (True, True)
    assert proven["heads"] > 0
    other = make_key(tmp_path / "other")
    assert not report(broker, NAMESPACE, AuditRequest(ALL, AT + HOUR, keys=(other,)))["notary"]["holds"]


def rerun(folder: Path, *frames: str) -> Path:
    answer = {"verdict": "OK", "undecidable": None, "doubtful": False, "p_defect": 0.1, "suspicion": 0.2}
    differences = [
        {"frame_id": name, "visit_id": "v", "kind": kind, "recorded": None if place else answer, "replayed": answer}
        for place, (name, kind) in enumerate(zip(frames, ("numbers", "verdict"), strict=False))
    ]
    result = {"namespace": "replay.x", "bundle": None, "frames": 9, "unreadable": 0, "differences": differences}
    more = {"largest_deviation": 0.5, "containment": [], "by_kind": {"verdict": 1, "numbers": 1}}
    path = folder / "rerun.json"
    path.write_text(json.dumps(result | more))
    return path


def test_differences_of_a_rerun_are_shown_with_their_pictures_the_weightiest_first(tmp_path: Path) -> None:
    done, picture = cv2.imencode(".png", np.full((40, 80), 90, np.uint8))
    assert done
    kept = Evidence(
        frame_id=frame(2),
        visit_id=visit(2),
        view_id="top",
        picture=picture.tobytes(),
        maps=maps((2, 2, 9, 9)),
        kept_ms=AT,
    )
    document = made(*shift(), kept, rerun=rerun(tmp_path, frame(1), frame(2)))
    first, last = document["rerun"]["shown"]
    assert (first["frame_id"], first["kind"]) == (frame(2), "verdict")
    assert [caption for caption, _ in first["pictures"]] == ["as captured", "the machine's mask then"]
    assert last["pictures"] == []
    text = page(document)
    assert text.count("data:image/jpeg;base64,") == 2
    assert "No picture is kept of this frame" in text


def test_a_picture_that_nobody_kept_is_taken_from_the_frames_while_they_hold_it(tmp_path: Path) -> None:
    stored = rerun(tmp_path, frame(1), frame(2))
    broker = line(*by_topic(shift()))
    place = inspection(1).source
    for number in range(place.offset + 1):
        broker.append(replace(frame_record(NAMESPACE, flat(), number), partition=place.partition))
    document = report(broker, NAMESPACE, AuditRequest(ALL, AT + HOUR, rerun=stored))["rerun"]
    found = {one["frame_id"]: [caption for caption, _ in one["pictures"]] for one in document["shown"]}
    assert found == {frame(1): ["as captured"], frame(2): []}, "what lies behind the end is not waited for"
    broker.log(Position(place.topic, place.partition)).delete_before(place.offset + 1)
    document = report(broker, NAMESPACE, AuditRequest(ALL, AT + HOUR, rerun=stored))["rerun"]
    assert [one["pictures"] for one in document["shown"]] == [[], []]


def test_a_file_that_is_no_replay_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in ("[]", "{}", "no", '{"differences": [{}]}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="not the stored result of a replay"):
            read_rerun(path)


def test_the_page_is_the_same_byte_for_byte_from_the_stored_report_and_needs_nothing(tmp_path: Path) -> None:
    document = made(recipe(), *passes(0), *passes(1), *rejects(2), rerun=rerun(tmp_path, frame(1), frame(2)))
    text = page(document)
    stored = tmp_path / "report.json"
    stored.write_text(as_json(document), encoding="utf-8")
    again = tmp_path / "again.html"
    with pytest.raises(Exception, match="0"):  # typer's exit
        command(page=again, from_json=stored)
    assert again.read_text(encoding="utf-8") == text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_an_empty_range_says_that_nothing_is_known() -> None:
    text = page(made(stretch=Selection(0, 1)))
    for words in ("how far they agree is unknown", "what people miss is not measured", "no evidence"):
        assert words in text, words


def test_records_that_cannot_be_read_and_are_too_many_to_name_keep_the_balance_open() -> None:
    conservation = Conservation(AT, [], UnreadableRecords(count=3, places=[]), Allowance(), AuditLedger())
    with VisitStore() as shelf:
        found = conservation.result(shelf)
    assert (found["closes"], found["unknown"]["count"]) == (False, 3)


def test_a_trusted_pass_in_which_people_found_a_defect_is_no_first_pass() -> None:
    passed = disposition(1, Routing.TRUSTED_PASS)
    found = {"revision": 1, "outcome": Outcome.SCRAP, "decision_ids": ("d1",)}
    assert tell(passed.visit_id, [passed]).passed_first
    assert not tell(passed.visit_id, [passed, passed.model_copy(update=found)]).passed_first
