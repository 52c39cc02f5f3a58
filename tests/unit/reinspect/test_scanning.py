"""A scanner at the station: the part in the hand is the part on the screen, or nothing is given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linewarden_reinspect.bootstrap import skills_of
from linewarden_reinspect.station.errors import Mismatch
from linewarden_reinspect.station.sessions import Session
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.vocabulary import Role
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


def sign_in(actor: str) -> Session:
    return Session(f"session-of-{actor}", "token", actor, Role.OPERATOR, "link", actor)


def test_the_scanned_part_is_given_and_another_one_is_refused_with_words(made: Rig) -> None:
    slots = [made.open_slot(number, bin_slot=f"B-{number}") for number in (1, 2, 3)]
    made.settle()
    ada, bob = sign_in("ada"), sign_in("bob")
    desk = made.station.desk
    hand = desk.claim(ada, code="SN-000002")
    assert hand is not None
    assert hand.slot.slot_id == slots[1].slot_id
    assert desk.claim(ada, code="B-2") is hand
    with pytest.raises(Mismatch, match="SN-000003 is not the part on the screen, which is SN-000002"):
        desk.claim(ada, code="SN-000003")
    with pytest.raises(Mismatch, match="SN-000002 is in the hands of ada already"):
        desk.claim(bob, code="SN-000002")
    with pytest.raises(Mismatch, match="SN-9 is the code of no part"):
        desk.claim(bob, code="SN-9")
    assert bob.hand is None
    assert ada.hand is hand


def test_who_has_a_skill_on_the_account_is_given_what_asks_for_it_from_the_next_claim_on(made: Rig) -> None:
    slot = made.open_slot(1, needs="weld")
    made.settle()
    accounts = made.station.access.accounts
    accounts.add("Bob", Role.OPERATOR, "correct horse battery")
    bob, desk = sign_in("Bob"), made.station.desk
    with pytest.raises(Mismatch, match="asks for a skill"):
        desk.claim(bob, code="SN-000001")
    assert desk.claim(bob) is None
    accounts.set_skills("bob", ["weld", "surface"])
    hand = desk.claim(bob)
    assert hand is not None
    assert hand.slot.slot_id == slot.slot_id


def test_who_has_no_account_has_the_skills_of_the_settings(made: Rig) -> None:
    made.station.access.accounts.add("Ada", Role.OPERATOR, "correct horse battery")
    skills = skills_of(made.station.access, {"bob": ("weld",), "Ada": ("weld",)})
    assert (skills("bob"), skills("Ada"), skills("eve")) == (("weld",), (), ())
