"""What the pages get to see of a visit: its reasons in the person's language, and none before the first answer."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_domain.words import said, sentences
from linewarden_reinspect.station import present
from linewarden_reinspect.station.sessions import Hand
from linewarden_schemas.disposition import SlotFrame, SlotOpen
from linewarden_schemas.reason import Reason
from linewarden_schemas.vocabulary import Cause, Judgement, Verdict
from tests.unit.reinspect.slots import AT, opened

WHY = said("view_no_capture", view="top")
GERMAN = "Ansicht top: Die Aufnahme fehlte, als die Linie entscheiden musste"
LATE: dict[str, Any] = {"causes": (Cause.LATE,), **sentences((WHY,))}


def told(slot: SlotOpen, language: str, *, knows: bool = True) -> Any:
    return present.visit(Hand(slot, "0" * 32, AT, 0.0, knows_already=knows), AT, None, language)["told"]


def test_reasons_are_said_in_the_persons_language_and_stay_as_they_were_recorded() -> None:
    assert told(opened(**LATE), "de")["in_words"] == [GERMAN]
    assert told(opened(**LATE), "en")["in_words"] == [WHY.sentence]


def test_before_the_first_answer_there_is_none() -> None:
    assert told(opened(), "de", knows=False) is None


@pytest.mark.parametrize(
    "coded",
    [(), (Reason(code="of_a_newer_version"),), (said("time_unknown").reason,)],
    ids=["an old record", "an unknown code", "what another sentence says"],
)
def test_a_reason_without_a_code_that_says_the_same_is_shown_as_it_came(coded: tuple[Reason, ...]) -> None:
    slot = opened(**LATE | {"reasons": (WHY.sentence,), "reasons_coded": coded})
    assert told(slot, "de")["in_words"] == [WHY.sentence]


def test_codes_and_old_sentences_stand_beside_each_other() -> None:
    both = sentences((WHY, said("time_unknown")))
    slot = opened(**LATE | both | {"reasons": (WHY.sentence, "what an old writer said")})
    assert told(slot, "de")["in_words"] == [GERMAN, "what an old writer said"]


def frame(view: str, verdict: Verdict | None, suspicion: float | None, p_defect: float | None = 0.1) -> SlotFrame:
    return SlotFrame(
        frame_id=f"v1.{view}",
        view_id=view,
        doubtful=False,
        sha256="a" * 64,
        verdict=verdict,
        suspicion=suspicion,
        p_defect=p_defect,
    )


@pytest.mark.parametrize(
    ("causes", "views", "marked"),
    [
        ((Cause.LOW_TRUST,), (("top", Verdict.OK, 0.1), ("left", Verdict.OK, 0.8)), "left"),
        ((Cause.AUDIT,), (("top", Verdict.OK, 0.1), ("left", Verdict.OK, 0.2)), "left"),
        ((Cause.KNOWN_BAD,), (("top", Verdict.OK, None), ("left", Verdict.OK, 0.0)), "top"),
        ((Cause.REJECT_REVIEW, Cause.LOW_TRUST), (("top", Verdict.NG, 0.1), ("left", Verdict.OK, 0.9)), "top"),
    ],
)
def test_the_most_suspicious_view_is_marked_with_the_same_words_for_every_cause_that_asks_for_a_look(
    causes: tuple[Cause, ...], views: tuple[tuple[str, Verdict, float | None], ...], marked: str
) -> None:
    drawn = sentences((said("audit"), said("view_defect", view="top", p=0.97)))
    slot = opened(causes=causes, frames=tuple(frame(*view) for view in views), **drawn)
    answer = told(slot, "en")
    assert answer["marked"] == f"v1.{marked}"
    assert answer["sentence"] == f"Possible missed defect in view {marked}, marked. Look closely."
    assert answer["in_words"] == []


@pytest.mark.parametrize(
    ("slot", "sentence", "marked"),
    [
        (opened(**LATE), "The answer came too late for the line. Look at the whole part.", None),
        (opened(causes=(Cause.FAULT,)), "Something in the line failed. Look at the whole part.", None),
        (
            opened(causes=(Cause.NOT_DECIDABLE,), frames=(frame("top", Verdict.NOT_DECIDABLE, None),)),
            "The machine could not judge view top. Judge it yourself.",
            "v1.top",
        ),
        (opened(missing_views=("left",)), "No picture of left. This part cannot be accepted here.", "any"),
    ],
)
def test_what_failed_is_said_in_a_sentence(slot: SlotOpen, sentence: str, marked: str | None) -> None:
    answer = told(slot, "en")
    assert answer["sentence"] == sentence
    assert marked == "any" or answer["marked"] == marked


def test_no_field_that_is_told_differs_between_what_was_doubted_and_what_was_drawn() -> None:
    frames = (frame("top", Verdict.OK, 0.1), frame("left", Verdict.OK, 0.8))
    answers = {
        str(told(opened(causes=(cause,), frames=frames), "en"))
        for cause in (Cause.LOW_TRUST, Cause.AUDIT, Cause.REJECT_REVIEW, Cause.KNOWN_BAD)
    }
    assert len(answers) == 1


def test_what_the_machine_thought_of_the_part_before_is_told_once_it_is_final() -> None:
    hand = Hand(opened(causes=(Cause.AUDIT,), part_id="SN-1"), "0" * 32, AT, 0.0)
    later = present.last(hand, Judgement.OK, "en", final=False)
    assert (later["part"], later["figures"]) == ("SN-1", None)
    assert present.last(hand, Judgement.OK, "en", final=True)["figures"]["causes"] == ["audit"]
