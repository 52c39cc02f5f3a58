"""A shadow: a candidate bundle judges live frames as one more group, held against what the line answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from linewarden_replay.inspecting import ReplayPlan
from linewarden_replay.report import ReplayReport, report_of
from linewarden_replay.rerun.judge import FrameJudge
from linewarden_replay.rerun.keeping import keeping
from linewarden_replay.rerun.results import Results
from linewarden_replay.shadow.answers import Books, LiveAnswers
from linewarden_replay.shadow.comparing import Comparing, ShadowBounds
from linewarden_replay.shadow.standing import Lag, ShadowStanding
from linewarden_runtime.clock import Clock
from linewarden_runtime.consume import ConsumeLoop
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import RetentionOvertook
from linewarden_runtime.guard import IsolatedBroker, require_live
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.loop import LoopLimits
from linewarden_runtime.ports import Broker, Start
from linewarden_schemas.ids import Namespace


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What a shadow found. `overtaken` where retention deleted frames before they were read: they are not compared."""

    report: ReplayReport
    standing: ShadowStanding
    most_behind: int
    unreadable_answers: int
    overtaken: RetentionOvertook | None
    hours: float

    def more(self) -> dict[str, object]:
        """What there is to say beyond the report of a re-run."""
        return {
            "hours": round(self.hours, 4),
            "would_hold": self.standing.would_hold,
            "would_pass": self.standing.would_pass,
            "behind": self.standing.behind,
            "most_behind": self.most_behind,
            "unreadable_answers": self.unreadable_answers,
            "overtaken": None if self.overtaken is None else str(self.overtaken),
        }


def run(
    broker: Broker,
    live: Namespace,
    plan: ReplayPlan,
    bounds: ShadowBounds,
    stop: Stop,
    *,
    clock: Clock,
    results: Path | None = None,
    tell: Callable[[ShadowStanding], None] = lambda _standing: None,
) -> Shadowed:
    """Judge live frames by the plan's bundle until asked to stop or a bound is reached, and compare.

    The group `shadow.<name>.inspect` begins at the end of `frames`, and goes on where it stopped; its offsets, and
    answers in `shadow.<name>.inspections`, are all that is written. A frame waits for the live line's answer; one that
    does not come in time makes the difference NOT_RECORDED. With a file for `results` a shadow that ended goes on with
    the comparison as well.

    Raises:
        LiveTopicRefused: where `live` is no live namespace, or anything would be written outside the own one.
        BundleError: for a bundle that is not in the store.
        ResultsUnusable: for a file that holds the results of another run.
        Fenced: where another process took over the shadow of this name.
    """
    began = clock.monotonic()
    identity = plan.identity(require_live(live), None)
    own = Namespace(f"shadow.{plan.name or identity[:12]}")
    guarded = IsolatedBroker(broker, own)
    with ExitStack() as held:
        kept = held.enter_context(Results(results, identity, own.name))
        answers = held.enter_context(LiveAnswers(guarded, live, plan.selection, kept))
        books = held.enter_context(closing(Books(guarded, live)))
        keeper = held.enter_context(keeping(guarded, live, own, kept))
        judge = FrameJudge(plan, books.recipes, clock)  # loaded before the group is joined: its member has to poll
        consumer = held.enter_context(
            guarded.consumer(
                group=own.group("inspect"),
                topics=[live.topic("frames")],
                instance="shadow",  # static: a second process of the same name takes over and shares nothing
                start=Start.LATEST,
                max_records=16,  # of one poll, judged and committed together
            )
        )
        lag = Lag(consumer)
        comparing = Comparing(
            plan.selection, answers, books, judge, keeper, kept, lag, bounds=bounds, stop=stop, clock=clock, tell=tell
        )
        loop = ConsumeLoop(
            consumer,
            lambda: guarded.producer(client="shadow"),
            comparing.handle,
            DeadLetters("shadow", own, clock),
            clock=clock,
            limits=LoopLimits(max_records=16),
            beat=comparing.beat,
        )
        overtaken = None
        try:
            loop.run(stop)
        except RetentionOvertook as found:
            overtaken = found
        comparing.learn()
        standing = comparing.standing()
        # The file is not finished: whoever starts this shadow again goes on with group and comparison alike.
        gone = comparing.unreadable, comparing.pinned_otherwise
        report = report_of(kept, own.name, plan.setting.bundle, None, *gone)
        return Shadowed(report, standing, lag.most, answers.unreadable, overtaken, (clock.monotonic() - began) / 3600)
