"""Every frame is answered once, whatever it is, and nothing that is wrong is ever OK."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linewarden_inspect.bootstrap import loader
from linewarden_inspect.device_lane import DeviceLost
from linewarden_inspect.writing import InspectionWriter
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.health import Health
from linewarden_runtime.live_limits import LiveLimitBook, live_limit_record
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import Fault
from linewarden_schemas.envelope import decode
from linewarden_schemas.inspection import Maps
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe, Region, Thresholds, ViewSpec
from linewarden_schemas.sample_acts import LIVE_LIMIT
from linewarden_schemas.topics import CATALOGUE
from linewarden_schemas.vocabulary import Undecidable, Verdict
from linewarden_vision.inspector import Inspector, ViewScore
from linewarden_vision.prepare import Prepared
from linewarden_vision.standing import LIVE_CODES
from tests.support.bundles import digest_in, random_picture
from tests.support.frames import flat, frame_record, picture_bytes, recipe
from tests.unit.inspect.harness import (
    FAR_MS,
    NAMESPACE,
    CountingStop,
    answer,
    dead_letters,
    everything_is_committed,
    inspections,
    memory_line,
    worker,
)

Frame = Callable[..., OutRecord]


def good(number: int = 0, **changes: Any) -> OutRecord:
    """A frame that can be judged."""
    payload = picture_bytes(random_picture(number))
    return frame_record(NAMESPACE, payload, number, **({"decide_by_ms": FAR_MS} | changes))


def test_every_frame_gets_one_inspection_in_its_visits_partition(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    answer(broker, bundle_store, *(good(number) for number in range(30)))
    found = inspections(broker)
    assert len(found) == len({one.frame_id for one in found}) == 30
    assert {one.verdict for one in found} == {Verdict.OK, Verdict.NG}
    assert {one.is_doubtful for one in found if one.verdict is Verdict.OK} == {True, False}
    for record in broker.records(NAMESPACE.topic("inspections")):
        assert record.key is not None
        assert record.partition == partition_of(record.key, 2)


def test_an_inspection_names_all_that_it_depends_on(bundle_store: Path) -> None:
    digest = digest_in(bundle_store, "a")
    broker = memory_line(recipe(digest))
    answer(broker, bundle_store, good())
    [found] = inspections(broker)
    [source] = broker.records(NAMESPACE.topic("frames"))
    assert (found.bundle_digest, found.recipe.version, found.device, found.precision) == (digest, 1, "cpu", "float32")
    assert found.code_version
    assert found.frame_sha256
    assert (found.source.partition, found.source.offset) == (source.partition, source.offset)
    assert found.maps is not None
    assert found.maps.mask_png.startswith(b"\x89PNG")


def test_a_doubtful_ok_says_why_in_words(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a"), thresholds=Thresholds(defect=1.0, suspicion=0.0)))
    answer(broker, bundle_store, good())
    [found] = inspections(broker)
    assert found.is_doubtful
    assert found.reasons[0].startswith("network said OK (p ")
    assert "but" in found.reasons[0]


def test_the_thresholds_of_the_frames_own_recipe_decide(bundle_store: Path) -> None:
    lenient = Thresholds(defect=1.0, suspicion=1.0)
    broker = memory_line(
        recipe(digest_in(bundle_store, "a"), 1, thresholds=Thresholds(defect=0.0, suspicion=1.0)),
        recipe(digest_in(bundle_store, "a"), 2, thresholds=lenient),
    )
    refs = [RecipeRef(recipe_id="bracket", version=version) for version in (1, 2)]
    answer(broker, bundle_store, *(good(7, recipe=ref, frame_id=f"f{ref.version}") for ref in refs))
    verdicts = {one.recipe.version: one.verdict for one in inspections(broker)}
    assert verdicts == {1: Verdict.NG, 2: Verdict.OK}


def test_a_frame_past_its_decide_by_is_late_without_the_device(bundle_store: Path) -> None:
    def load(digest: str) -> Inspector:
        pytest.fail(f"bundle {digest} was loaded for nothing")

    broker = memory_line()
    answer(broker, bundle_store, good(decide_by_ms=1), load=load)
    [found] = inspections(broker)
    assert found.undecidable is Undecidable.LATE
    assert dead_letters(broker) == []


@pytest.mark.parametrize(
    ("frame", "expected", "is_dead_letter"),
    [
        (lambda: good(sent=b"\xff\xd8\xff something else"), Undecidable.DIGEST_MISMATCH, True),
        (lambda: frame_record(NAMESPACE, b"GIF89a", decide_by_ms=FAR_MS), Undecidable.NOT_A_PICTURE, True),
        (lambda: frame_record(NAMESPACE, flat()[:-1], decide_by_ms=FAR_MS), Undecidable.UNREADABLE, True),
        (lambda: good(recipe=RecipeRef(recipe_id="bracket", version=9)), Undecidable.UNKNOWN_RECIPE, True),
        (lambda: good(recipe=RecipeRef(recipe_id="bracket", version=2)), Undecidable.UNKNOWN_BUNDLE, False),
        (lambda: good(recipe=RecipeRef(recipe_id="bracket", version=3)), Undecidable.BAD_METADATA, True),
        (lambda: good(view_id="unheard-of"), Undecidable.BAD_METADATA, True),
        (lambda: good(camera_id="cam9"), Undecidable.BAD_METADATA, True),
        (
            lambda: frame_record(NAMESPACE, picture_bytes(random_picture(1) * 0), decide_by_ms=FAR_MS),
            Undecidable.OUT_OF_DISTRIBUTION,
            False,
        ),
    ],
    ids=["digest", "gif", "cut", "recipe", "bundle", "region", "view", "camera", "black"],
)
def test_a_frame_that_cannot_be_judged_is_answered_and_its_neighbours_are_judged(
    bundle_store: Path, frame: Frame, expected: Undecidable, is_dead_letter: bool
) -> None:
    digest = digest_in(bundle_store, "a")
    far_off = ViewSpec(view_id="top", camera_id="cam1", region=Region(x=60, y=0, width=9, height=9))
    broker = memory_line(recipe(digest), recipe("0" * 64, 2), recipe(digest, 3, views=(far_off,)))
    answer(broker, bundle_store, good(1), frame(), good(2))
    found = inspections(broker)
    assert len(found) == 3
    assert [one.undecidable for one in found if one.undecidable] == [expected]
    assert [letter.cause for letter in dead_letters(broker)] == ([expected.value] if is_dead_letter else [])


def test_health_names_a_bundle_that_cannot_be_used(bundle_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, str]] = []
    monkeypatch.setattr(Health, "unwell", lambda _, found: told.append(dict(found)))
    broker = memory_line(recipe("0" * 64))
    broker.append(good())
    worker(broker, bundle_store).run(CountingStop(lambda: everything_is_committed(broker)))
    (answered,) = inspections(broker)
    assert answered.undecidable is Undecidable.UNKNOWN_BUNDLE
    assert "answered NOT_DECIDABLE" in told[-1]["bundle 000000000000"]


def test_a_record_without_headers_is_a_dead_letter_alone(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    answer(broker, bundle_store, good(1), replace(good(2), headers=()), good(3))
    assert len(inspections(broker)) == 2
    [letter] = dead_letters(broker)
    assert letter.cause == Undecidable.BAD_METADATA
    assert letter.value == good(2).value


def test_a_region_is_judged_alone_and_its_maps_lie_in_the_whole_picture(bundle_store: Path) -> None:
    view = ViewSpec(view_id="top", camera_id="cam1", region=Region(x=64, y=32, width=64, height=64))
    broker = memory_line(recipe(digest_in(bundle_store, "a"), views=(view,)), recipe(digest_in(bundle_store, "a"), 2))
    whole = random_picture(1, 200)
    cut = picture_bytes(whole[32:96, 64:128])
    second = RecipeRef(recipe_id="bracket", version=2)
    answer(
        broker,
        bundle_store,
        frame_record(NAMESPACE, picture_bytes(whole), 1, decide_by_ms=FAR_MS),
        frame_record(NAMESPACE, cut, 2, decide_by_ms=FAR_MS, recipe=second),
    )
    by_version = {one.recipe.version: one for one in inspections(broker)}
    assert by_version[1].p_defect == pytest.approx(by_version[2].p_defect, abs=1e-5)
    assert by_version[1].maps is not None
    assert by_version[1].maps.mask_png[16:24] == (200).to_bytes(4, "big") * 2


class Breaking(Inspector):
    """A device that fails on chosen pictures."""

    poison: int = 0
    fails_always = False

    def score(self, batch: Sequence[Prepared]) -> list[ViewScore]:
        if self.fails_always or any(hash(one.pixels.tobytes()) == self.poison for one in batch):
            raise RuntimeError("CUDA error: out of memory")
        return super().score(batch)


def breaking(store: Path, *, poison: int = 0, fails_always: bool = False) -> Callable[[str], Breaking]:
    def load(digest: str) -> Breaking:
        inspector = loader(store, "cpu", "float32")(digest)
        inspector.__class__ = Breaking
        assert isinstance(inspector, Breaking)
        inspector.poison, inspector.fails_always = poison, fails_always
        return inspector

    return load


def test_a_picture_that_breaks_the_device_is_singled_out(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    inspector = loader(bundle_store, "cpu", "float32")(digest_in(bundle_store, "a"))
    poison = hash(inspector.prepare(random_picture(5)).pixels.tobytes())
    answer(broker, bundle_store, *(good(n) for n in range(10)), load=breaking(bundle_store, poison=poison))
    found = inspections(broker)
    assert len(found) == 10
    assert [one.frame_id for one in found if one.undecidable is Undecidable.DEVICE_FAULT] == [
        one.frame_id for one in found if one.undecidable
    ]
    assert sum(one.undecidable is not None for one in found) == 1


def test_a_device_that_fails_on_everything_ends_the_process_and_commits_nothing_more(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    with pytest.raises(DeviceLost):
        answer(broker, bundle_store, *(good(n) for n in range(40)), load=breaking(bundle_store, fails_always=True))
    assert len(inspections(broker)) < 40


def test_after_an_aborted_transaction_every_frame_is_still_answered_once(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    broker.faults.order(Fault.SEND, Fault.OFFSETS)
    answer(broker, bundle_store, *(good(n) for n in range(20)))
    ids = [one.frame_id for one in inspections(broker)]
    assert len(ids) == len(set(ids)) == 20


def test_a_recipe_with_another_bundle_is_used_while_the_worker_runs(bundle_store: Path) -> None:
    a, b = (digest_in(bundle_store, name) for name in "ab")
    broker = memory_line(recipe(a))
    for number in range(6):
        broker.append(good(number))

    def publish_news() -> bool:
        if everything_is_committed(broker) and len(inspections(broker)) == 6:
            broker.append(_published(recipe(b, 2)))
            second = RecipeRef(recipe_id="bracket", version=2)
            for number in range(6, 12):
                broker.append(good(number, recipe=second if number % 2 else good_ref()))
        return len(inspections(broker)) == 12

    worker(broker, bundle_store, recipe_wait_s=5.0).run(CountingStop(publish_news))
    used = {one.frame_id: one.bundle_digest for one in inspections(broker)}
    assert len(used) == 12
    assert sorted(used.values(), key=lambda digest: digest == b) == [a] * 9 + [b] * 3


def good_ref() -> RecipeRef:
    return RecipeRef(recipe_id="bracket", version=1)


def _published(news: Recipe) -> OutRecord:
    return recipe_record(NAMESPACE, news, "/line1/cli")


def test_maps_that_do_not_fit_into_the_topic_are_left_out_and_the_verdict_stands(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    answer(broker, bundle_store, good(3))
    [found] = inspections(broker)
    noise = bytes(CATALOGUE["inspections"].max_record_bytes)
    large = found.model_copy(update={"maps": Maps(mask_png=noise, class_specific_png=b"", class_agnostic_png=b"")})
    written = InspectionWriter(NAMESPACE, 2).inspection(large)
    broker.append(written)
    message = decode(written.headers, written.value).message
    assert message == found.model_copy(update={"maps": None})


def assisted(store: Path) -> Callable[[str], Inspector]:
    """Loads bundles as if nobody had released them."""

    def load(digest: str) -> Inspector:
        found = loader(store, "cpu", "float32")(digest)
        found.standing = replace(found.standing, stage="assisted")
        return found

    return load


def live_limit(of: Recipe, upper: float) -> OutRecord:
    now_ms = SystemClock().now_ms()
    times = {"from_ms": 1, "to_ms": 2, "made_ms": 3, "until_ms": now_ms + 86_400_000}
    more = {"recipe": of.ref(), "bundle_digest": of.bundle_digest, "upper": upper, **times}
    return live_limit_record(NAMESPACE, LIVE_LIMIT.model_copy(update=more), "/line1/cli")


@pytest.mark.parametrize(
    ("told", "passes"), [((), False), ((0.02,), False), ((0.02, 0.01), True), ((0.01, 0.02), False)]
)
def test_an_ok_of_an_assisted_bundle_passes_only_while_the_newest_live_limit_is_within_the_recipes(
    bundle_store: Path, told: tuple[float, ...], passes: bool
) -> None:
    of = recipe(digest_in(bundle_store, "a"), max_defect_rate_of_passes=0.01)
    broker = memory_line(of)
    for upper in told:
        broker.append(live_limit(of, upper))
    frames = [good(number, line_id="line1", recipe=of.ref()) for number in range(30)]
    answer(broker, bundle_store, *frames, load=assisted(bundle_store))
    good_ones = [one for one in inspections(broker) if one.verdict is Verdict.OK]
    assert len(inspections(broker)) == 30
    assert any(not one.is_doubtful for one in good_ones) is passes
    if not passes:
        assert {one.reasons_coded[0].code for one in good_ones} <= LIVE_CODES


@pytest.mark.parametrize("newest", [{"value": None, "headers": ()}, {"value": b"of a later version"}])
def test_a_live_limit_that_was_taken_back_or_cannot_be_read_leaves_no_older_one(newest: dict[str, Any]) -> None:
    of = recipe("a" * 64, max_defect_rate_of_passes=0.01)
    broker, told = memory_line(of), live_limit(of, 0.01)
    broker.append(told)
    with LiveLimitBook(broker, NAMESPACE) as book:
        assert book.of(LIVE_LIMIT.line_id, of.ref()) is not None
        broker.append(replace(told, **newest))
        book.refresh()
        assert book.of(LIVE_LIMIT.line_id, of.ref()) is None
