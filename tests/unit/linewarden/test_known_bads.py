"""Known defects that come into the queue look like the line's parts, and are told by shift."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from linewarden.demo import line as demo
from linewarden.known_bads.catches import by_shift
from linewarden.known_bads.seeding import Seeding, by_view, slip_in
from linewarden_history.reports.story import VisitHistory
from linewarden_ingest.cameras.interface import EncodedPicture
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.provision import activation_record, line_state_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.envelope import decode, decode_frame
from linewarden_schemas.ids import digest, frame_id, visit_id
from linewarden_schemas.line import Activation, LineState, LineStateRef
from linewarden_schemas.vocabulary import Judgement, LineMode
from tests.support.reading import visible, write
from tests.support.route_line import RouteLine
from tests.unit.route.builders import T0, make_capture, make_decision

PICTURE = EncodedPicture(b"a picture of a crack", "image/png")


@pytest.fixture
def line(request: pytest.FixtureRequest) -> Iterator[RouteLine]:
    clock = ManualClock(T0 + 60_000)
    made = RouteLine(MemoryBroker(clock), "line1", views=getattr(request, "param", ("top",)))
    active = Activation(
        line_id="line1", recipe=made.recipe.ref(), bundle_digest=made.recipe.bundle_digest, from_ms=T0, actor="eng"
    )
    write(made.broker, [activation_record(made.namespace, active, "/test")])
    yield made
    made.close()


def produce(
    line: RouteLine, mode: LineMode = LineMode.PRODUCTION, captured: bool = True, views: tuple[str, ...] = ("top",)
) -> None:
    state = LineState(line_id="line1", mode=mode, since_ms=T0, actor="eng", lot_id="L-9", shift="early")
    write(line.broker, [line_state_record(line.namespace, state, "/test")])
    for number in range(3 if captured else 0):
        visit = visit_id("line1", "s1", T0 + number, 480 + number)
        for place, view in enumerate(views):
            epoch, sequence = 0x18BCFE56800 + place, 7000 + number
            name = frame_id(visit, view, epoch, sequence)
            more = {"spool_epoch": epoch, "sequence": sequence, "part_id": f"SN-00{number}", "frame_id": name}
            line.send(visit, [make_capture(view, visit, T0 + number, **more)])


def seeding(line: RouteLine) -> Seeding:
    return Seeding(line.broker, line.namespace, "line1", line.clock, random.Random(5), line.clock.now_ms())


def messages(line: RouteLine) -> list[Message]:
    records = visible(line.broker, line.namespace.topic("captures"))
    return [decode(one.headers, one.value).message for one in records if one.value is not None]


def test_a_known_bad_looks_like_the_newest_parts_but_for_its_mark(line: RouteLine) -> None:
    produce(line)
    seed = seeding(line)
    (made,) = seed.add({"top": PICTURE})
    assert made in messages(line)
    (real, *_) = (one for one in messages(line) if isinstance(one, Capture) and not one.known_bad)
    shapes = [re.sub(r"[0-9a-f]", "#", one) for one in (made.visit_id, made.frame_id, made.part_id or "")]
    assert shapes == [re.sub(r"[0-9a-f]", "#", one) for one in (real.visit_id, real.frame_id, real.part_id or "")]
    assert made.part_id not in {"SN-000", "SN-001", "SN-002"}
    assert (made.known_bad, made.lot_id, made.recipe) == (True, "L-9", line.recipe.ref())
    assert (made.camera_id, made.station_id) == (real.camera_id, real.station_id)
    assert (made.line_state.shift, made.decide_by_ms) == ("early", line.clock.now_ms() + line.recipe.time.decide_by_ms)
    (frame,) = visible(line.broker, line.namespace.topic("frames"))
    meta = decode_frame(frame.headers, frame.value).meta
    # Inspect refuses the frames of any other camera than the view's, and so would tell it apart.
    assert meta.camera_id == line.recipe.views[0].camera_id
    assert (meta.frame_id, meta.sha256, frame.value) == (made.frame_id, digest(PICTURE.data), PICTURE.data)


def test_known_bads_take_no_number_of_a_camera_and_none_of_theirs_is_missing(line: RouteLine) -> None:
    produce(line)
    seed = seeding(line)
    assert len(slip_in(seed, [{"top": PICTURE}] * 3, [0, 0, 0], lambda _: True)) == 3
    assert [one.sequence for one in seed.added] == [0, 1, 2]
    assert {one.spool_epoch for one in seed.added} == {line.clock.now_ms()}
    assert not [one for one in messages(line) if isinstance(one, CameraHeartbeat)]


BOTH = ("top", "left")


@pytest.mark.parametrize("line", [BOTH], indirect=True)
def test_a_known_bad_of_several_views_is_one_visit_whose_frames_look_like_each_cameras(line: RouteLine) -> None:
    produce(line, views=BOTH)
    seed = seeding(line)
    assert seed.views() == BOTH
    pictures = {view: EncodedPicture(f"a crack from {view}".encode(), "image/png") for view in BOTH}
    top, left = seed.add(pictures)
    assert (top.visit_id, top.part_id, top.known_bad) == (left.visit_id, left.part_id, left.known_bad)
    assert {top.view_id, left.view_id} == set(BOTH)
    newest = [one for one in messages(line) if isinstance(one, Capture) and not one.known_bad][-2:]
    shapes = {one.view_id: re.sub(r"[0-9a-f]", "#", one.frame_id) for one in newest}
    assert {one.view_id: re.sub(r"[0-9a-f]", "#", one.frame_id) for one in (top, left)} == shapes
    frames = [decode_frame(one.headers, one.value) for one in visible(line.broker, line.namespace.topic("frames"))]
    assert {one.meta.view_id: one.meta.sha256 for one in frames} == {v: digest(p.data) for v, p in pictures.items()}
    assert {top.camera_id, left.camera_id} == {one.camera_id for one in newest}
    assert [one.sequence for one in seed.add(pictures)] == [1, 1]


@pytest.mark.parametrize("line", [BOTH], indirect=True)
def test_pictures_of_other_views_than_the_recipes_and_views_that_nobody_captured_are_refused(line: RouteLine) -> None:
    produce(line, views=("top",))
    with pytest.raises(ConfigurationError, match="has the views top, left, and the known-bad top"):
        seeding(line).add({"top": PICTURE})
    with pytest.raises(ConfigurationError, match="captured no picture of left in the last hour"):
        seeding(line).add({"top": PICTURE, "left": PICTURE})


def test_a_parts_pictures_are_known_by_their_views_word() -> None:
    assert by_view(["a/P17_left.png", "a/P17_top.png"], BOTH) == {"top": "a/P17_top.png", "left": "a/P17_left.png"}
    assert by_view(["left/P17.png", "top/P17.png", "back/P17.png"], BOTH) == {
        "top": "top/P17.png",
        "left": "left/P17.png",
    }
    with pytest.raises(ConfigurationError, match="not one picture of the view left"):
        by_view(["P17_top.png", "P17_leftover.png"], BOTH)
    with pytest.raises(ConfigurationError, match="not one picture of the view top"):
        by_view(["P17_top.png", "P17_top_2.png", "P17_left.png"], BOTH)


def test_nothing_comes_in_outside_of_production_or_where_nothing_can_be_imitated(line: RouteLine) -> None:
    produce(line, LineMode.SETUP)
    assert seeding(line).add({"top": PICTURE}) == []
    assert [one for one in messages(line) if isinstance(one, Capture) and one.known_bad] == []
    assert slip_in(seeding(line), [{"top": PICTURE}], [0], lambda _: False) == []


def test_among_no_parts_a_known_bad_is_refused(line: RouteLine) -> None:
    produce(line, captured=False)
    with pytest.raises(ConfigurationError, match="captured nothing in the last hour"):
        seeding(line).add({"top": PICTURE})


def test_catches_are_told_by_shift_and_unsure_is_no_answer() -> None:
    def story(number: int, shift: str, judgement: Judgement | None, known_bad: bool = True) -> VisitHistory:
        name = f"v{number}"
        state = LineStateRef(mode=LineMode.PRODUCTION, since_ms=T0, shift=shift)
        capture = make_capture("top", name, line_state=state, known_bad=known_bad)
        slot = f"{name}.r0.g0"
        decisions = {"d": make_decision(slot, judgement, decision_id="d")} if judgement else {}
        return VisitHistory(name, [], captures={capture.frame_id: capture}, decisions=decisions)

    rows = by_shift(
        [
            story(1, "early", Judgement.NG),
            story(2, "early", Judgement.OK),
            story(3, "early", Judgement.UNSURE),
            story(4, "late", None),
            story(5, "late", Judgement.NG, known_bad=False),
        ]
    )
    assert [(row["shift"], row["shown"], row["answered"], row["caught"], row["value"]) for row in rows] == [
        ("early", 3, 2, 1, 0.5),
        ("late", 1, 0, 0, None),
    ]


def test_the_demos_known_bad_is_a_defective_part_of_all_views_that_its_line_never_shows() -> None:
    plan = demo.demo_plan(1)
    pictures = demo.known_bad(plan)
    assert tuple(pictures) == demo.VIEWS
    assert len({one.data for one in pictures.values()}) == len(demo.VIEWS)
    assert demo.known_bad(plan) == pictures
    assert demo.known_bad(demo.demo_plan(2)) != pictures
