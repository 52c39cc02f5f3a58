"""A study's answers, given at the station: blind, in order, once, and collected by the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from linewarden.cli import app
from linewarden_domain.study_sheet import SheetRow, as_text, parse
from linewarden_reinspect.station.studies import Studies
from linewarden_schemas.vocabulary import Judgement, Role
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.rig import Rig

SHEET = Path("S1/Ada/round1/sheet.csv")


@pytest.fixture
def studies(made: Rig, tmp_path: Path) -> Iterator[Path]:
    """A station with a study of two rounds for Ada, two pictures each; both rounds have a token in common."""
    for round_, tokens in ((1, ("1001", "1002")), (2, ("1002", "1003"))):
        folder = tmp_path / f"S1/Ada/round{round_}"
        folder.mkdir(parents=True)
        (folder / "sheet.csv").write_text(as_text(SheetRow(token, f"{token}.png") for token in tokens))
        for token in tokens:
            cv2.imwrite(str(folder / f"{token}.png"), np.full((8, 8), int(token) % 256, np.uint8))
    before = made.station
    made.station = replace(before, studies=Studies(tmp_path))
    yield tmp_path
    made.station = before


@pytest.fixture
def ada(made: Rig, studies: Path) -> Person:
    assert studies.is_dir()
    return Person(made, Role.OPERATOR, "Ada")


def say(person: Person, token: str, answer: str = "OK", round_: int = 1, study: str = "S1") -> Any:
    body = {"study": study, "round": round_, "token": token, "answer": answer}
    return person.post("/api/study/answers", body)


def picture(person: Person, token: str, round_: int = 1, study: str = "S1") -> Any:
    return person.client.get("/api/study/picture", params={"study": study, "round": round_, "token": token})


def test_pictures_come_in_the_order_of_the_sheets_round_after_round(ada: Person, studies: Path) -> None:
    first = {"study": "S1", "round": 1, "token": "1001", "done": 0, "of": 2, "rounds": 2}
    assert ada.get("/api/study").json() == {"sheets": 2, "next": first}
    told = say(ada, "1001", "NG").json()
    assert (told["stands"], told["next"]) == ("NG", first | {"token": "1002", "done": 1})
    assert say(ada, "1002", "UNSURE").json()["next"]["round"] == 2
    say(ada, "1002", "OK", round_=2)
    assert say(ada, "1003", "OK", round_=2).json() == {"stands": "OK", "sheets": 2, "next": None}
    rows = parse((studies / SHEET).read_text())
    assert [row.answer for row in rows] == [Judgement.NG, Judgement.UNSURE]


def test_the_first_answer_stands_when_a_token_is_sent_again(ada: Person, studies: Path) -> None:
    say(ada, "1001", "NG")
    written = (studies / SHEET).read_bytes()
    again = say(ada, "1001", "OK")
    assert (again.status_code, again.json()["stands"], again.json()["next"]["token"]) == (200, "NG", "1002")
    assert (studies / SHEET).read_bytes() == written


@pytest.mark.parametrize(
    ("token", "round_", "study"),
    [("1002", 1, "S1"), ("1002", 2, "S1"), ("9", 1, "S1"), ("1001", 1, ".."), ("../../x", 1, "S1"), ("1001", 3, "S1")],
)
def test_what_is_not_next_is_refused_and_nothing_is_written(
    ada: Person, studies: Path, token: str, round_: int, study: str
) -> None:
    before = (studies / SHEET).read_bytes()
    for answer in (say(ada, token, "OK", round_, study), picture(ada, token, round_, study)):
        assert (answer.status_code, answer.json()["error"]) == (409, "not_next")
    assert (studies / SHEET).read_bytes() == before


def test_only_the_next_picture_is_served_and_never_kept(ada: Person, studies: Path) -> None:
    shown = picture(ada, "1001")
    assert shown.content == (studies / "S1/Ada/round1/1001.png").read_bytes()
    assert (shown.headers["content-type"], shown.headers["cache-control"]) == ("image/png", "private, no-store")
    assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]


def test_a_picture_that_lies_elsewhere_is_not_served(ada: Person, studies: Path) -> None:
    (studies / "secret.png").write_bytes(b"secret")
    here = studies / "S1/Ada/round1/1001.png"
    here.unlink()
    here.symlink_to(studies / "secret.png")
    assert picture(ada, "1001").json()["error"] == "sheet_unusable"


@pytest.mark.parametrize(
    "damaged",
    [
        "token,picture,answer\n1001,1001.png\n",
        "token;picture;answer\n1001;1001.png;\n",
        "token,picture,answer\n1001,1001.png,MAYBE\n",
        "token,picture,answer\n1001,../../secret.png,\n",
        "token,picture,answer\n1001,1001.png,OK\n1001,1002.png,\n",
        'token,picture,answer\n1001,1001.png,"OK',
        "",
    ],
)
def test_a_damaged_sheet_is_told_and_stays_as_it_is(ada: Person, studies: Path, damaged: str) -> None:
    (studies / SHEET).write_text(damaged)
    for answer in (ada.get("/api/study"), say(ada, "1001"), picture(ada, "1001")):
        assert (answer.status_code, answer.json()["error"]) == (503, "sheet_unusable")
    assert (studies / SHEET).read_text() == damaged
    assert ada.get("/study").status_code == 200


def test_a_sheet_is_seen_by_its_operator_alone(made: Rig, ada: Person) -> None:
    assert made.station.studies.progress({"Ada"})[0] == 2
    ben = Person(made, Role.OPERATOR, "Ben")
    assert ben.get("/api/study").json() == {"sheets": 0, "next": None}
    assert say(ben, "1001").json()["error"] == "not_next"
    assert Person(made, Role.AUDITOR, "Ada").get("/api/study").status_code == 403
    ada.headers["x-linewarden-token"] = "of-another-page"
    assert say(ada, "1001").status_code == 403


def test_an_operator_may_stand_on_the_sheet_by_their_pseudonym(made: Rig, studies: Path) -> None:
    made.station.access.pseudonyms.make("Ada Lace")
    (studies / "S1/Ada").rename(studies / "S1" / made.station.access.pseudonyms.known("Ada Lace"))
    named = {"Ada Lace", made.station.access.pseudonyms.known("Ada Lace")}
    assert made.station.studies.progress(named)[0] == 2


def test_an_answer_is_in_the_log_of_acts(made: Rig, ada: Person) -> None:
    say(ada, "1001", "NG")
    newest = made.station.access.log.page(actor="Ada", limit=1)[0]
    assert (newest.act, newest.outcome, newest.detail) == (
        "POST /api/study/answers",
        "done",
        "S1, round 1, 1001: NG",
    )


def test_the_way_to_the_page_is_shown_where_there_are_studies(made: Rig, ada: Person) -> None:
    assert 'href="/study"' in ada.get("/").text
    made.station = replace(made.station, studies=Studies())
    without = Person(made, Role.OPERATOR, "Ada")
    assert 'href="/study"' not in without.get("/").text
    assert without.get("/api/study").json() == {"sheets": 0, "next": None}


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["msa", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_planned_study_is_answered_here_and_reported(made: Rig, studies: Path, tmp_path: Path) -> None:
    for name in ("good", "pore"):
        (tmp_path / "parts" / name).mkdir(parents=True)
        for number in range(2):
            grey = 40 if name == "pore" else 200
            cv2.imwrite(str(tmp_path / "parts" / name / f"{number}.png"), np.full((32, 32), grey + number, np.uint8))
    plan, study, folder = tmp_path / "plan.json", tmp_path / "study.json", studies / "S2"
    options = ("--operator", "Eve", "--rounds", 2, "--parts", 4, "--sheets", folder)
    run("plan", tmp_path / "parts", "--out", plan, *options)
    eve = Person(made, Role.OPERATOR, "Eve")
    told = eve.get("/api/study").json()
    while (place := told["next"]) is not None:
        shown = picture(eve, place["token"], place["round"], "S2").content
        dark = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_GRAYSCALE)[0, 0] < 100  # type: ignore[index]
        told = say(eve, place["token"], "NG" if dark else "OK", place["round"], "S2").json()
    run("run", plan, "--out", study, "--answers", folder)
    (person,) = json.loads(run("report", study, "--json"))["appraisers"]
    assert (person["name"], person["effectiveness"]["count"], person["effectiveness"]["of"]) == ("Eve", 8, 8)
