"""A word of the side channel about the line, from its line to the heartbeat; and what a heartbeat acknowledges."""

from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from linewarden_ingest.captures import CameraPlace, InForce
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.triggers.desk import TriggerDesk
from linewarden_ingest.triggers.feed import TriggerFeed, TriggerPipe
from linewarden_ingest.triggers.parsing import LineFormat
from linewarden_ingest.triggers.signal import ChannelNews, ChannelOrder, PartSignal
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.provision import activation_record, line_state_record, provision_topics, recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, ChannelSignal, LineLock, LineState
from linewarden_schemas.vocabulary import ChannelWord, LineMode, LockCause
from tests.unit.route.builders import T0, make_recipe

NAMESPACE = Namespace("line1")
FORM = LineFormat(form="pairs", start="RUN", stop="HALT")


def test_a_word_of_the_line_is_handed_on_as_one_and_a_part_as_a_part() -> None:
    handed: list[ChannelNews] = []
    desk = TriggerDesk("tcp", FORM, ManualClock(now_ms=T0), handed.append)
    assert [desk.line(raw) for raw in (b"HALT\r\n", b"counter=7", b"RUN", b"counter=8")] == [None] * 4
    words = [one.word for one in handed if isinstance(one, ChannelOrder)]
    assert words == [ChannelWord.STOP, ChannelWord.START]
    assert [one.counter for one in handed if isinstance(one, PartSignal)] == [7, 8], "no jump of the counter"
    assert desk.line(b"stop") is not None, "no word where it is not set so"
    assert LineFormat(form="pairs").word(b"HALT") is None
    with pytest.raises(ValidationError, match="both 'RUN'"):
        LineFormat(start="RUN", stop="RUN")


def test_a_process_that_begins_anew_is_told_the_last_word_first() -> None:
    pipe, feed = TriggerPipe("cam0"), TriggerFeed()
    for at_ms, word in enumerate((ChannelWord.STOP, ChannelWord.START)):
        pipe.tell(ChannelOrder(word, at_ms))
    read, write = os.pipe()
    pipe.attach(write)
    for line in os.read(read, 4096).splitlines():
        feed.line(line)
    os.close(read)
    os.close(write)
    assert feed.order == ChannelOrder(ChannelWord.START, 1)


def test_a_camera_acknowledges_what_it_would_pin_and_nothing_that_is_in_doubt() -> None:
    clock, recipe = ManualClock(now_ms=T0), make_recipe()
    broker = MemoryBroker(clock)
    provision_topics(broker.admin(), NAMESPACE, 2)
    board = PinBoard(LineBook(broker, NAMESPACE), RecipeBook(broker, NAMESPACE), "line1", clock)
    assert board.in_force(T0) == InForce(), "nothing was ever active"
    active = Activation(line_id="line1", recipe=recipe.ref(), from_ms=T0, actor="ann")
    broker.append(activation_record(NAMESPACE, active, "/test"))
    board.refresh()
    assert board.in_force(T0) == InForce(), "the recipe was never published"
    lock = LineLock(cause=LockCause.PERSON, since_ms=T0, actor="ann")
    state = LineState(line_id="line1", mode=LineMode.VERIFICATION, since_ms=T0, actor="ann", locks=(lock,))
    broker.append(recipe_record(NAMESPACE, recipe, "/test"))
    broker.append(line_state_record(NAMESPACE, state, "/test"))
    board.refresh()
    found = board.in_force(T0)
    assert found == InForce(recipe.ref(), state.ref())
    assert found.line_state is not None
    assert found.line_state.locked
    clock.advance(61.0)
    assert board.in_force(clock.now_ms()) == InForce(), "not renewed for a minute"


def test_a_heartbeat_carries_all_of_it() -> None:
    outbound = Outbound(NAMESPACE, CameraPlace("line1", "s1", "cam0", "top"), 1, 2)
    state = LineState(line_id="line1", mode=LineMode.SETUP, since_ms=T0, actor="ann").ref()
    signal = ChannelSignal(word=ChannelWord.STOP, at_ms=T0)
    record = outbound.heartbeat(7, {}, T0, in_force=InForce(make_recipe().ref(), state, signal))
    beat = decode(record.headers, record.value).message
    assert isinstance(beat, CameraHeartbeat)
    assert (beat.view_id, beat.recipe, beat.line_state, beat.signal) == ("top", make_recipe().ref(), state, signal)
