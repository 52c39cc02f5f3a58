"""What the pages get to see of a visit: its reasons in the person's language, and none before the first answer."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_domain.words import said, sentences
from linewarden_reinspect.station import present
from linewarden_reinspect.station.sessions import Hand
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.reason import Reason
from tests.unit.reinspect.slots import AT, WHY, opened

GERMAN = "Ansicht top: Verdacht 0.700"


def told(slot: SlotOpen, language: str, *, knows: bool = True) -> Any:
    return present.visit(Hand(slot, "0" * 32, AT, 0.0, knows_already=knows), AT, None, language)["told"]


def test_reasons_are_said_in_the_persons_language_and_stay_as_they_were_recorded() -> None:
    answer = told(opened(), "de")
    assert answer["in_words"] == [GERMAN]
    assert answer["reasons"] == [WHY.sentence]
    assert told(opened(), "en")["in_words"] == [WHY.sentence]


def test_before_the_first_answer_there_is_none() -> None:
    assert told(opened(), "de", knows=False) is None


@pytest.mark.parametrize(
    "coded",
    [(), (Reason(code="of_a_newer_version"),), (said("audit").reason,)],
    ids=["an old record", "an unknown code", "what another sentence says"],
)
def test_a_reason_without_a_code_that_says_the_same_is_shown_as_it_came(coded: tuple[Reason, ...]) -> None:
    slot = opened(reasons=(WHY.sentence,), reasons_coded=coded)
    assert told(slot, "de")["in_words"] == [WHY.sentence]


def test_codes_and_old_sentences_stand_beside_each_other() -> None:
    both = sentences((WHY, said("audit")))
    slot = opened(**both | {"reasons": (WHY.sentence, "what an old writer said")})
    assert told(slot, "de")["in_words"] == [GERMAN, "what an old writer said"]
