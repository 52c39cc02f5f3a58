"""What people decide is chained under a pseudonym; whose it was can be erased, and the chain still holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden.cli import main
from linewarden_audit.notary.notary import Notary, NotaryLimits
from linewarden_audit.notary.signing import make_key, read_key
from linewarden_audit.notary.verifying import Witness, verify_namespace
from linewarden_reinspect.station import present
from linewarden_reinspect.station.access.access import AccessRules
from linewarden_reinspect.station.errors import AccountRefused, Mismatch, NotSignedIn
from linewarden_reinspect.station.judging import Given
from linewarden_reinspect.station.sessions import Session
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.vocabulary import Judgement, Role
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT, PARTITIONS

SECRET = "correct horse battery"
NAME = "Ada Meyer"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock, rules=AccessRules(tmp_path / "book")) as one:
        one.station.access.accounts.add("root", Role.ADMIN, SECRET)
        one.station.access.accounts.add(NAME, Role.OPERATOR, SECRET)
        yield one


def ada(made: Rig) -> Session:
    return made.station.access.entry.by_password(NAME, SECRET, "10.0.0.7")


def decide(made: Rig, session: Session) -> None:
    hand = made.station.desk.claim(session)
    assert hand is not None
    made.station.desk.first(session, hand.slot.slot_id, hand.token, Judgement.NG, ())
    made.station.desk.decide(session, hand.slot.slot_id, hand.token, Given(Judgement.NG))
    made.bus.drain()


def everything(made: Rig) -> bytes:
    records = [one for name in ("decisions", "queue-events") for one in made.read_records(name)]
    return b"".join((one.key or b"") + (one.value or b"") for one in records)


def test_topics_know_a_pseudonym_and_the_pages_the_name(made: Rig) -> None:
    made.open_slot(1, size=96)
    made.open_slot(2, size=96)
    made.settle()
    session = ada(made)
    decide(made, session)
    (decision,) = made.decisions()
    assert decision.actor == session.signs == made.station.access.pseudonyms.known(NAME)
    assert decision.actor.startswith("u-")
    assert b"Ada" not in everything(made)
    assert made.station.desk.claim(session) is not None
    shown = present.queue(made.queue.summary(), made.station.access.pseudonyms.name)
    assert [slot["holder"] for slot in shown["slots"] if slot["state"] == "leased"] == [NAME]
    with pytest.raises(Mismatch, match=f"in the hands of {NAME}"):
        made.station.desk.claim(Session("b", "t", "Bob", Role.OPERATOR, "link", "Bob"), code="SN-000002")
    assert [one.actor for one in made.station.access.log.page(actor=NAME)] == [NAME]
    assert ada(made).signs == session.signs, "the same at every sign-in"


def test_somebody_who_was_erased_is_nobody_and_the_chain_still_verifies(made: Rig, tmp_path: Path) -> None:
    with made.broker.admin() as admin:
        admin.create_topics(TopicSpec(made.topic(name), PARTITIONS) for name in ("dispositions", "chain-heads"))
    made.open_slot(1, size=96)
    made.settle()
    session = ada(made)
    decide(made, session)
    public = make_key(tmp_path / "notary.pem")
    notary = Notary(made.broker, made.namespace, read_key(tmp_path / "notary.pem"), made.clock, NotaryLimits(records=1))
    notary.start()
    notary.step()
    notary.close()
    before = everything(made)

    def verified() -> int:
        reports = verify_namespace(made.broker, made.namespace, [public], Witness(made.clock.now_ms())).partitions
        assert [one.finding for one in reports if one.finding is not None] == []
        return sum(one.verified for one in reports)

    count = verified()
    assert count > 0
    access = made.station.access
    assert access.accounts.erase("ada meyer") == session.signs
    assert access.pseudonyms.name(session.signs) == session.signs
    assert (verified(), everything(made)) == (count, before)
    with pytest.raises(NotSignedIn):
        access.sessions.find(session.session_id)
    assert [one.actor for one in access.log.page()] == [session.signs]
    assert b"Ada" not in b"".join(file.read_bytes() for file in (tmp_path / "book").iterdir())
    with pytest.raises(AccountRefused, match="last administrator"):
        access.accounts.erase("root")


def test_an_erasure_by_the_command_line_is_an_act_that_names_nobody(
    made: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signs = ada(made).signs
    monkeypatch.setattr("sys.argv", ["linewarden", "users", "erase", NAME, "--yes", "--data", str(tmp_path / "book")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in {0, None}
    assert signs in capsys.readouterr().out
    act, *_ = made.station.access.log.page()
    assert (act.act, act.object, act.outcome) == ("users erase", signs, "done")
    assert made.station.access.accounts.find(NAME) is None
