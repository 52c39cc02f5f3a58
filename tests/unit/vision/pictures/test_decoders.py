"""A decoder that crashes, hangs or takes all memory costs the one picture; whoever comes next gets a new one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.decoders import DecoderLimits, Decoders
from linewarden_vision.pictures.reading import read_header
from tests.support import mortal_decoder as mortal
from tests.support.picture_files import encoded, textured

FUNCTION = "tests.support.mortal_decoder:decode"
GOOD = encoded(textured(), ".png")


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(2, DecoderLimits(seconds=3.0), FUNCTION) as made:
        yield made


def telling(what: int) -> bytes:
    return encoded(np.full((8, 8), what, np.uint8), ".png")


def refused(decoders: Decoders, payload: bytes) -> PictureRefused:
    with pytest.raises(PictureRefused) as found:
        decoders.decode(payload, read_header(payload))
    return found.value


@pytest.mark.parametrize(
    ("what", "words", "reason"),
    [
        (mortal.ABORT, "crashed (SIGABRT)", Undecidable.UNREADABLE),
        (mortal.FAULT, "crashed (SIGSEGV)", Undecidable.UNREADABLE),
        (mortal.GROW, "not enough memory", Undecidable.TOO_LARGE),
        (mortal.NOISE, "the decoder warns: warning: something was odd", Undecidable.UNREADABLE),
    ],
)
def test_a_decoder_that_dies_or_warns_refuses_its_picture_and_the_next_one_is_read(
    decoders: Decoders, what: int, words: str, reason: Undecidable
) -> None:
    found = refused(decoders, telling(what))
    assert words in found.detail
    assert found.reason is reason
    assert np.array_equal(decoders.decode(GOOD, read_header(GOOD)), textured())


@pytest.mark.parametrize(("what", "words"), [(mortal.HANG, "did not finish in time"), (mortal.BUSY, "time")])
def test_a_decoder_that_never_ends_is_ended(what: int, words: str) -> None:
    with Decoders(1, DecoderLimits(seconds=0.5), FUNCTION) as decoders:
        assert np.array_equal(decoders.decode(GOOD, read_header(GOOD)), textured())
        assert words in refused(decoders, telling(what)).detail
        assert decoders.lost == 1


def test_neighbours_of_a_crash_are_read_all_of_them(decoders: Decoders) -> None:
    payloads = [telling(mortal.ABORT) if number % 5 == 2 else GOOD for number in range(10)]
    results: list[bool] = [False] * len(payloads)

    def work(first: int) -> None:
        for number in range(first, len(payloads), 4):
            try:
                decoders.decode(payloads[number], read_header(payloads[number]))
                results[number] = True
            except PictureRefused:
                pass

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [number % 5 != 2 for number in range(10)]


def test_a_child_that_was_killed_meanwhile_is_replaced_before_it_is_needed() -> None:
    with Decoders(1) as decoders:
        decoders.decode(GOOD, read_header(GOOD))
        (child,) = decoders._idle
        os.kill(child._process.pid, signal.SIGKILL)
        child._process.wait()
        assert np.array_equal(decoders.decode(GOOD, read_header(GOOD)), textured())


def test_a_picture_far_larger_than_those_before_gets_its_memory_and_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("linewarden_vision.pictures.decoders._KEPT_BYTES", 1 << 20)
    large = np.zeros((1200, 1200), np.uint16)
    payload = encoded(large, ".png")
    with Decoders(1) as decoders:
        for one in (GOOD, payload, GOOD):
            decoders.decode(one, read_header(one))
        assert decoders._idle[0]._size < large.nbytes
