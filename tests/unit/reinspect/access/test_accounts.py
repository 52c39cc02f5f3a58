"""Local people, links and sessions, over the book on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from linewarden_reinspect.station.access.access import Access, AccessRules, opened_access
from linewarden_reinspect.station.access.book import _STEPS, StationBook
from linewarden_reinspect.station.access.links import LinkKind
from linewarden_reinspect.station.errors import AccountRefused, BadInput, Forbidden, NotSignedIn, TooMany
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Role
from tests.unit.reinspect.rig import CHEAP

SECRET = "correct horse battery"
ADDRESS = "10.0.0.7"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def access(clock: ManualClock) -> Iterator[Access]:
    with opened_access(AccessRules(), clock, CHEAP) as one:
        one.accounts.add("root", Role.ADMIN, SECRET)
        one.accounts.add("Ada Meyer", Role.OPERATOR, SECRET)
        yield one


def test_skills_stay_with_the_account_and_end_no_session(access: Access) -> None:
    session = access.entry.by_password("Ada Meyer", SECRET, ADDRESS)
    assert access.accounts.set_skills("ada meyer", ["weld", "surface", "weld"]) == ("surface", "weld")
    assert access.accounts.require("Ada Meyer").skills == ("surface", "weld")
    assert access.sessions.find(session.session_id) is session
    with pytest.raises(AccountRefused, match="two words"):
        access.accounts.set_skills("Ada Meyer", ["two words"])
    access.accounts.set_skills("Ada Meyer", [])
    assert access.accounts.require("Ada Meyer").skills == ()


def test_a_book_of_the_first_version_takes_the_steps_that_it_lacks(tmp_path: Path, clock: ManualClock) -> None:
    with closing(StationBook(tmp_path, steps=_STEPS[:1])) as book:
        book.write("INSERT INTO accounts VALUES ('Ada', 'operator', '', 0, 1, 1)")
    with opened_access(AccessRules(tmp_path), clock, CHEAP) as access:
        assert access.accounts.require("Ada").skills == ()
        access.accounts.set_skills("Ada", ["weld"])
    with pytest.raises(ConfigurationError, match="is of version 4; this linewarden knows 1"):
        StationBook(tmp_path, steps=_STEPS[:1])


def test_a_password_signs_in_and_the_book_holds_only_its_argon2_hash(access: Access) -> None:
    assert access.entry.by_password("ada  meyer", SECRET, ADDRESS).actor == "Ada Meyer"
    kept = access.book.rows("SELECT password_hash FROM accounts")
    assert all(row["password_hash"].startswith("$argon2id$") for row in kept)


@pytest.mark.parametrize(("name", "password"), [("Ada Meyer", "wrong horse battery"), ("nobody", SECRET), ("", "")])
def test_a_refusal_does_not_say_what_was_wrong(access: Access, name: str, password: str) -> None:
    with pytest.raises(Forbidden, match=r"Name or password is wrong\."):
        access.entry.by_password(name, password, ADDRESS)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "ada meyer 2026"])
def test_passwords_that_are_easy_to_guess_are_refused_with_the_mend(access: Access, password: str) -> None:
    with pytest.raises(ConfigurationError, match=r"characters|unrelated words"):
        access.accounts.set_password("Ada Meyer", password)


def test_a_name_is_held_by_one_person_whatever_its_case(access: Access) -> None:
    with pytest.raises(AccountRefused, match="already"):
        access.accounts.add("ADA MEYER", Role.LEAD, SECRET)


def test_an_unknown_name_is_answered_with_those_that_are_there(access: Access) -> None:
    with pytest.raises(AccountRefused, match="Ada Meyer, root"):
        access.accounts.disable("Eva")


def test_the_last_administrator_can_neither_be_disabled_nor_demoted(access: Access) -> None:
    with pytest.raises(AccountRefused, match="last administrator"):
        access.accounts.disable("root")
    with pytest.raises(AccountRefused, match="last administrator"):
        access.accounts.set_role("root", Role.LEAD)
    access.accounts.add("second", Role.ADMIN, SECRET)
    access.accounts.disable("root")


@pytest.mark.parametrize("change", ["disable", "role", "password"])
def test_whoever_is_changed_is_signed_out_at_once(access: Access, change: str) -> None:
    session = access.entry.by_password("Ada Meyer", SECRET, ADDRESS)
    if change == "disable":
        access.accounts.disable("Ada Meyer")
    elif change == "role":
        access.accounts.set_role("Ada Meyer", Role.LEAD)
    else:
        access.accounts.set_password("Ada Meyer", "another horse battery")
    with pytest.raises(NotSignedIn):
        access.sessions.find(session.session_id)


def test_somebody_disabled_does_not_get_in_until_enabled(access: Access) -> None:
    access.accounts.disable("Ada Meyer")
    with pytest.raises(Forbidden):
        access.entry.by_password("Ada Meyer", SECRET, ADDRESS)
    access.accounts.enable("Ada Meyer")
    access.entry.by_password("Ada Meyer", SECRET, ADDRESS)


def test_failures_of_one_address_or_for_one_name_are_slowed_down(access: Access, clock: ManualClock) -> None:
    for number in range(10):
        with pytest.raises(Forbidden):
            access.entry.by_password("Ada Meyer", "wrong", f"10.0.1.{number}")
    with pytest.raises(TooMany):
        access.entry.by_password("ADA MEYER", SECRET, ADDRESS)
    access.entry.by_password("root", SECRET, ADDRESS)
    clock.advance(61)
    access.entry.by_password("Ada Meyer", SECRET, ADDRESS)


def test_a_link_signs_in_once_in_one_of_its_roles(access: Access) -> None:
    token = access.links.make(LinkKind.SIGN_IN, [Role.OPERATOR, Role.LEAD])
    with pytest.raises(Forbidden, match="not for the role auditor"):
        access.entry.by_link(token, "Eve", Role.AUDITOR, ADDRESS)
    assert access.entry.by_link(token, "Eve", Role.LEAD, ADDRESS).role is Role.LEAD
    with pytest.raises(Forbidden, match="was used up"):
        access.entry.by_link(token, "Eve", None, ADDRESS)


def test_a_spent_link_stays_spent_when_a_restart_brings_it_again(access: Access) -> None:
    for _ in range(2):
        access.links.accept("token-of-the-demo", LinkKind.SIGN_IN, [Role.OPERATOR])
    access.entry.by_link("token-of-the-demo", "Eve", None, ADDRESS)
    access.links.accept("token-of-the-demo", LinkKind.SIGN_IN, [Role.OPERATOR])
    with pytest.raises(Forbidden):
        access.entry.by_link("token-of-the-demo", "Eve", None, ADDRESS)


def test_a_link_is_good_for_a_day(access: Access, clock: ManualClock) -> None:
    token = access.links.make(LinkKind.SIGN_IN, [Role.OPERATOR])
    clock.advance(86_400)
    with pytest.raises(Forbidden):
        access.entry.by_link(token, "Eve", None, ADDRESS)


def test_nobody_signs_in_by_link_under_the_name_of_a_user(access: Access) -> None:
    token = access.links.make(LinkKind.SIGN_IN, [Role.OPERATOR])
    with pytest.raises(Forbidden, match="user with a password"):
        access.entry.by_link(token, "ada meyer", None, ADDRESS)


def test_the_set_up_link_makes_one_administrator_and_no_second(clock: ManualClock) -> None:
    with opened_access(AccessRules(), clock, CHEAP) as access:
        token = access.links.make(LinkKind.SET_UP, [Role.ADMIN])
        with pytest.raises(BadInput, match="10 to 256"):
            access.entry.set_up(token, "root", "short", ADDRESS)
        assert access.entry.set_up(token, "root", SECRET, ADDRESS).role is Role.ADMIN
        with pytest.raises(Forbidden):
            access.entry.set_up(token, "other", SECRET, ADDRESS)
        assert [one.name for one in access.accounts.all()] == ["root"]


def test_a_sign_in_outlives_a_restart_of_the_station(tmp_path: Path, clock: ManualClock) -> None:
    with opened_access(AccessRules(tmp_path / "new"), clock, CHEAP) as access:
        access.accounts.add("Ada", Role.LEAD, SECRET)
        session = access.entry.by_password("Ada", SECRET, ADDRESS)
    with opened_access(AccessRules(tmp_path / "new"), clock, CHEAP) as access:
        again = access.sessions.find(session.session_id)
        assert (again.actor, again.role, again.csrf, again.hand) == ("Ada", Role.LEAD, session.csrf, None)
    assert session.session_id.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "new").iterdir())
    assert (tmp_path / "new" / "station.sqlite").stat().st_mode & 0o077 == 0


def test_a_change_by_another_process_counts_at_once(tmp_path: Path, clock: ManualClock) -> None:
    rules = AccessRules(tmp_path)
    with opened_access(rules, clock, CHEAP) as station, opened_access(rules, clock, CHEAP) as command:
        command.accounts.add("Ada", Role.OPERATOR, SECRET)
        session = station.entry.by_password("Ada", SECRET, ADDRESS)
        command.accounts.disable("Ada")
        with pytest.raises(NotSignedIn):
            station.sessions.find(session.session_id)


def test_what_pages_do_by_themselves_does_not_keep_a_session_awake(access: Access, clock: ManualClock) -> None:
    session = access.entry.by_password("Ada Meyer", SECRET, ADDRESS)
    for _ in range(14):
        clock.advance(60)
        access.sessions.find(session.session_id, awake=False)
    access.sessions.find(session.session_id)
    clock.advance(899)
    access.sessions.find(session.session_id, awake=False)
    clock.advance(2)
    with pytest.raises(NotSignedIn, match="away for a while"):
        access.sessions.find(session.session_id)


def test_a_sign_in_ends_after_nine_hours_whatever_is_done(access: Access, clock: ManualClock) -> None:
    session = access.entry.by_password("Ada Meyer", SECRET, ADDRESS)
    with pytest.raises(NotSignedIn):  # noqa: PT012 - how long it lasts is the point
        for _ in range(9 * 6 + 1):
            clock.advance(600)
            access.sessions.find(session.session_id)
    assert clock.now_ms() - 1_700_000_000_000 > 9 * 3_600_000


def test_the_log_of_acts_tells_every_sign_in_and_only_grows(access: Access) -> None:
    access.entry.by_password("Ada Meyer", SECRET, ADDRESS)
    with pytest.raises(Forbidden):
        access.entry.by_password("Ada Meyer", "wrong", ADDRESS)
    told = [(entry.actor, entry.act, entry.outcome, entry.address) for entry in access.log.page()]
    assert told == [("Ada Meyer", "sign-in", "forbidden", ADDRESS), ("Ada Meyer", "sign-in", "done", ADDRESS)]
    for change in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            access.book.write(change)
    assert len(access.log.page()) == 2


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="LINEWARDEN_STATION__DATA"),
        opened_access(AccessRules(tmp_path / "file"), ManualClock(), CHEAP),
    ):
        pass
