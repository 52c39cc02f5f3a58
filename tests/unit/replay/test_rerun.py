"""A re-run uses what was in force, goes on where it stopped, and says which change caused what."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from linewarden.commands.replay import setting_of, tell, write_page
from linewarden_history.selection import Selection
from linewarden_inspect.bootstrap import loader
from linewarden_replay.compare import DifferenceCause, DifferenceKind, FrameAnswer, Tolerances, attribute
from linewarden_replay.containment import routing_now, routing_then, write_csv
from linewarden_replay.inspecting import ReplayPlan, Setting
from linewarden_replay.replay import run
from linewarden_replay.report import ReplayReport
from linewarden_replay.rerun.results import ResultsUnusable
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import encode
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import Activation, RecipeRef
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Cause as Diverted
from linewarden_schemas.vocabulary import Routing, Undecidable, Verdict
from linewarden_vision.inspecting.judging import thresholds_of_card, verdict_of
from tests.support.bundles import digest_in, random_picture
from tests.support.frames import AT, recipe
from tests.support.shift import disposition
from tests.unit.inspect.harness import NAMESPACE, answer, inspections, memory_line
from tests.unit.inspect.test_worker import good
from tests.unit.replay.test_replay import ALL, again, line, replayed

STRICT = Thresholds(defect=0.0, suspicion=0.9)
V1, V2, V3 = (RecipeRef(recipe_id="bracket", version=number) for number in (1, 2, 3))


def put(broker: MemoryBroker, topic: str, message: Message, visit: str = "v") -> None:
    encoded = encode(message, id="x", source="/line1/test", time_ms=AT)
    place = partition_of(visit.encode(), 2)
    broker.append(OutRecord(NAMESPACE.topic(topic), visit.encode(), encoded.value, encoded.headers, place))


def changed_twice(store: Path) -> MemoryBroker:
    """Ten frames by each of three recipes; the last one brings another bundle."""
    a, b = digest_in(store, "a"), digest_in(store, "b")
    broker = memory_line(recipe(a), recipe(a, 2, thresholds=STRICT), recipe(b, 3))
    for ref, from_ms in ((V1, AT), (V2, AT + 10), (V3, AT + 20)):
        active = Activation(line_id="line1", recipe=ref, from_ms=from_ms, actor="eng-1")
        encoded = encode(active, id="x", source="/line1/cli", time_ms=AT)
        broker.append(OutRecord(NAMESPACE.topic("activations"), b"line1", encoded.value, encoded.headers, 0))
    answer(broker, store, *(good(number, recipe=(V1, V2, V3)[number // 10]) for number in range(30)))
    return broker


def test_in_the_middle_of_a_recording_recipe_and_bundle_then_in_force_are_used(bundle_store: Path) -> None:
    broker = changed_twice(bundle_store)
    report = again(broker, bundle_store, Selection(AT + 8, AT + 21))
    used = {one.captured_ms - AT: (one.recipe.version, one.bundle_digest) for one in replayed(broker)}
    a, b = digest_in(bundle_store, "a"), digest_in(bundle_store, "b")
    middle = dict.fromkeys(range(10, 20), (2, a))
    assert used == middle | dict.fromkeys((8, 9), (1, a)) | dict.fromkeys((20, 21), (3, b))
    assert {one.verdict for one in replayed(broker) if one.recipe.is_same(V2)} == {Verdict.NG}
    assert (report.frames, report.differing, report.counts.pinned_otherwise) == (14, 0, 0)


@pytest.fixture
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads_as_before")
def test_a_run_has_as_many_threads_as_the_line_that_it_repeats(bundle_store: Path) -> None:
    broker = changed_twice(bundle_store)
    plans = [ReplayPlan(Selection(AT, AT + 3), bundle_store, torch_threads=threads) for threads in (2, 1)]
    had = []
    for plan in plans:
        run(broker, NAMESPACE, plan)
        had.append(torch.get_num_threads())
    assert had == [2, 1]
    assert len({plan.identity(NAMESPACE, None) for plan in plans}) == 2


def test_a_frame_pinned_to_another_recipe_than_the_active_one_is_counted(bundle_store: Path) -> None:
    broker = changed_twice(bundle_store)
    answer(broker, bundle_store, good(40, recipe=V1))
    report = again(broker, bundle_store)
    assert (report.frames, report.differing, report.counts.pinned_otherwise) == (31, 0, 1)


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_run_that_was_killed_is_gone_on_with_and_no_frame_is_done_twice(bundle_store: Path, tmp_path: Path) -> None:
    broker, plan = line(bundle_store), ReplayPlan(ALL, bundle_store, device="cpu", name="r1")

    def kill(_done: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        run(broker, NAMESPACE, plan, results=tmp_path / "run", progress=kill)
    done: list[int] = []
    report = run(broker, NAMESPACE, plan, results=tmp_path / "run", progress=done.append)
    assert (report.counts.resumed, sum(done), report.frames, report.differing) == (16, 6, 22, 0)
    assert len(replayed(broker)) == 22
    other = ReplayPlan(ALL, bundle_store, Setting(digest_in(bundle_store, "b")), "cpu", name="r1")
    with pytest.raises(ResultsUnusable, match="another run"):
        run(broker, NAMESPACE, other, results=tmp_path / "run")
    assert run(broker, NAMESPACE, plan, results=tmp_path / "run").counts.resumed == 0, "a complete file is begun anew"


@pytest.mark.slow
def test_several_processes_find_what_one_finds(bundle_store: Path) -> None:
    broker, other = line(bundle_store, 40), Setting(digest_in(bundle_store, "b"))
    one, two = (
        run(broker, NAMESPACE, ReplayPlan(ALL, bundle_store, other, "cpu", workers=workers, name=f"w{workers}"))
        for workers in (1, 2)
    )
    assert (two.by_kind, two.by_cause, two.differing) == (one.by_kind, one.by_cause, one.differing)
    assert one.differing >= 40


def tried(broker: MemoryBroker, store: Path, setting: Setting) -> ReplayReport:
    return run(broker, NAMESPACE, ReplayPlan(ALL, store, setting, "cpu", name="r1"))


def test_every_difference_has_the_change_that_causes_it(bundle_store: Path) -> None:
    a, b = digest_in(bundle_store, "a"), digest_in(bundle_store, "b")
    broker = memory_line(recipe(a), recipe(a, 2, thresholds=STRICT), recipe(b, 3))
    answer(broker, bundle_store, *(good(number) for number in range(20)))
    recipes = tried(broker, bundle_store, Setting(recipe=V2))
    assert recipes.by_kind["verdict"] > 0
    assert recipes.by_cause == {"recipe": recipes.differing}
    both = tried(broker, bundle_store, Setting(recipe=V3))
    assert both.by_cause == {"bundle": both.differing}, "the recipe brings nothing but its bundle"
    with pytest.raises(ConfigurationError, match="never published"):
        tried(broker, bundle_store, Setting(recipe=RecipeRef(recipe_id="bracket", version=9)))


def test_what_differs_by_the_same_bundle_and_recipe_is_put_down_to_the_code(bundle_store: Path) -> None:
    broker = line(bundle_store, 3)
    forged = [one for one in inspections(broker) if one.p_defect is not None]
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    for number, one in enumerate(forged):
        broker.append(good(number))
        put(broker, "inspections", forge(one, number), one.visit_id)
    report = again(broker, bundle_store)
    assert [one.kind for one in report.differences] == [DifferenceKind.NUMBERS, DifferenceKind.MAPS]
    assert report.by_cause == {"code": 2}


def forge(one: Inspection, number: int) -> Inspection:
    """As the live line answered, but for the first one's suspicion and the second one's mask."""
    assert one.maps is not None
    assert one.suspicion is not None
    if number == 0:
        return one.model_copy(update={"suspicion": one.suspicion + 1e-3})
    forged = one.maps.model_copy(update={"mask_png": one.maps.class_specific_png})
    return one.model_copy(update={"maps": forged}) if number == 1 else one


def said(p: float, suspicion: float = 0.1, undecidable: Undecidable | None = None) -> FrameAnswer:
    verdict = Verdict.NOT_DECIDABLE if undecidable else Verdict.NG if p > 0.5 else Verdict.OK
    return FrameAnswer(verdict, undecidable, suspicion >= 0.6, p, suspicion)


def test_one_change_at_a_time_tells_causes_apart() -> None:
    def causes(base: FrameAnswer, bundle: FrameAnswer, by_recipe: FrameAnswer) -> tuple[DifferenceCause, ...]:
        alone = {DifferenceCause.BUNDLE: bundle, DifferenceCause.RECIPE: by_recipe}
        return attribute(DifferenceKind.VERDICT, said(0.1), base, alone, Tolerances())

    same, other, near = said(0.1), said(0.9), said(0.3)
    assert causes(same, other, same) == (DifferenceCause.BUNDLE,)
    assert causes(same, near, other) == (DifferenceCause.RECIPE,), "scores that move do not explain a verdict"
    assert causes(same, other, other) == (DifferenceCause.BUNDLE, DifferenceCause.RECIPE)
    assert causes(same, near, same) == (DifferenceCause.TOGETHER,)
    assert causes(other, other, other) == (DifferenceCause.CODE,)
    assert causes(said(0, undecidable=Undecidable.UNKNOWN_BUNDLE), other, same) == (DifferenceCause.NOT_TRIED,)


def test_a_visit_is_rerouted_by_its_worst_view_and_never_by_a_coin() -> None:
    drawn = disposition(1, Routing.DIVERTED, Diverted.AUDIT)
    assert (routing_then(drawn), routing_now(drawn, [said(0.1)])) == (Routing.TRUSTED_PASS, Routing.TRUSTED_PASS)
    reviewed = disposition(1, Routing.DIVERTED, Diverted.REJECT_REVIEW)
    assert (routing_then(reviewed), routing_now(reviewed, [said(0.1), said(0.9)])) == (Routing.REJECTED,) * 2
    late = disposition(1, Routing.DIVERTED, Diverted.LATE)
    assert routing_now(late, [said(0.1)]) is Routing.DIVERTED
    assert routing_then(disposition(1, Routing.DIVERTED, Diverted.KNOWN_BAD)) is None
    assert routing_now(disposition(1, Routing.TRUSTED_PASS), [said(0.1), said(0.1, 0.7)]) is Routing.DIVERTED


def test_the_containment_list_is_what_the_new_bundle_itself_would_hold(
    bundle_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker, b = line(bundle_store, 30), digest_in(bundle_store, "b")
    passes = {one.visit_id: one for one in inspections(broker) if one.verdict is Verdict.OK and not one.is_doubtful}
    for number in range(30):
        one = disposition(number, Routing.TRUSTED_PASS, lot_id=f"L{number % 3}", part_id=f"S{number:03d}")
        put(broker, "dispositions", one if one.visit_id in passes else disposition(number, Routing.REJECTED))
    results = tmp_path / "run"
    plan = ReplayPlan(ALL, bundle_store, Setting(b), "cpu", name="r1")
    report = run(broker, NAMESPACE, plan, results=results)
    write_csv(tmp_path / "list.csv", report.containment)
    with (tmp_path / "list.csv").open(newline="") as file:
        listed = [(row["lot_id"], row["part_id"], row["would_be"]) for row in csv.DictReader(file)]
    assert listed == sorted(held(bundle_store, b, passes))
    assert listed, "the second bundle holds some of them"
    write_page(tmp_path / "list.html", report, results)
    page = (tmp_path / "list.html").read_text()
    assert page.count("as captured: <code>") == len(listed)
    assert all(part in page for _, part, _ in listed)
    assert "http" not in page
    capsys.readouterr()
    tell(report, None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["is_simulated"], told["by_cause"], len(told["containment"])) == (True, report.by_cause, len(listed))


def held(store: Path, digest: str, passes: dict[str, Inspection]) -> list[tuple[str, str, str]]:
    """The same list without the topics: the network alone, picture by picture."""
    scorer = loader(store, "cpu", "float32")(digest)
    limits = thresholds_of_card(scorer.card, None)
    found = []
    for number in range(30):
        if disposition(number, Routing.REJECTED).visit_id in passes:
            (score,) = scorer.score([scorer.prepare(random_picture(number))])
            rejected = verdict_of(recipe(digest).verdict_rule, score, limits) is Verdict.NG
            if rejected or score.suspicion >= limits.suspicion:
                found.append((f"L{number % 3}", f"S{number:03d}", "rejected" if rejected else "diverted"))
    return found


def test_words_of_the_command_name_a_setting() -> None:
    assert setting_of("in-force", None) == Setting()
    assert setting_of("ab", "bracket@2") == Setting("ab", V2)
    with pytest.raises(Exception, match="ID@VERSION"):
        setting_of("in-force", "bracket")
