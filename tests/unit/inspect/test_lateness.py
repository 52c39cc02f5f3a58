"""A frame whose time runs out while its recipe or bundle is waited for is answered late, without the device."""

from __future__ import annotations

from typing import cast

import pytest

from linewarden_schemas.envelope import Frame
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.preparing import Shelf, make_ready
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import Scorer
from linewarden_vision.pictures.reading import PictureLimits
from tests.support.frames import AT, flat, metadata, recipe


def test_a_deadline_that_passes_while_a_bundle_is_loaded_is_late() -> None:
    picture = flat()
    frame = Frame(metadata(picture, decide_by_ms=AT + 1_000), picture, None)
    times = [AT]

    def load(_digest: str) -> Scorer:
        times[0] += 1_000
        return cast("Scorer", Unasked())

    shelf = Shelf(lambda _: recipe("0" * 64), load)
    with pytest.raises(PictureRefused) as refused:
        make_ready(frame, SourceRef(topic="t", partition=0, offset=0), shelf, PictureLimits(), lambda: times[0])
    assert refused.value.reason is Undecidable.LATE


class Unasked:
    """A scorer that nobody may ask."""

    def __getattr__(self, name: str) -> object:
        pytest.fail(f"{name} was asked for although it was too late")
