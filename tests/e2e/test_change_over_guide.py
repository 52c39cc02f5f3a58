"""The guide "Change over", its commands run in their order on a line of real processes."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from linewarden.cli import app
from linewarden.demo.line import BUNDLE
from linewarden.demo.servers import Servers
from linewarden_domain.line_situation import LineSituation
from linewarden_ingest.triggers.parsing import LineFormat
from linewarden_reinspect.station.access.access import AccessRules, opened_access
from linewarden_runtime.acting import look_at_line
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker, EmbeddedRedis
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import ChangeoverStage, ChannelWord, CheckOutcome, LineMode, Role, Routing, Verdict
from linewarden_vision.synthetic.part import make_part
from tests.support.guides import ROOT, GuidePage
from tests.support.processes import ServiceProcess, wait_for
from tests.support.reading import visible

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]
GUIDE = GuidePage("docs/guides/change-over.md")
PAGE = (ROOT / GUIDE.path).read_text(encoding="utf-8")
PASSWORD = "correct horse battery"
DEADLINE_S = 240.0
SEEDS = {Verdict.OK: (0, 1, 4, 5, 6, 9, 10), Verdict.NG: (2, 3, 8)}
"""Parts of which the demo's bundle says so, and is sure."""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def message_of(record: InRecord) -> Message:
    return decode(record.headers, record.value).message


class Plant:
    """A line with one camera that takes pictures from a folder, and the hands that put parts there."""

    def __init__(self, servers: Servers, namespace: str, folder: Path) -> None:
        self.folder, self.namespace = folder, Namespace(namespace)
        self.env = servers.env() | {
            "LINEWARDEN_NAMESPACE": namespace,
            "LINEWARDEN_LINE__LINE_ID": "line1",
            "LINEWARDEN_STATION__DATA": str(folder / "station"),
            "LINEWARDEN_REPLAY__INDEX": str(folder / "index.sqlite"),
            "LINEWARDEN_HEALTH_PORT": "0",
            "LINEWARDEN_INSPECT__BUNDLES": str(BUNDLE.parent),
            "LINEWARDEN_INSPECT__DEVICE": "cpu",
            "LINEWARDEN_INGEST__LINE_ID": "line1",
            "LINEWARDEN_INGEST__HEARTBEAT_S": "1",
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(folder / "spool"),
            "LINEWARDEN_INGEST__CAMERAS": json.dumps(
                [
                    {
                        "kind": "watch",
                        "camera_id": "cam1",
                        "view_id": "top",
                        "path": str(folder / "pictures"),
                        "pattern": r"(?P<part_id>[A-Z0-9-]+)_.*\.png",
                    }
                ]
            ),
        }
        self.broker = KafkaBroker(servers.kafka())
        (folder / "pictures").mkdir()
        self._seeds = {verdict: iter(seeds) for verdict, seeds in SEEDS.items()}
        self.parts = 0

    def put(self, part_id: str, verdict: Verdict) -> None:
        """A part goes past the camera."""
        self.parts += 1
        place = self.folder / "pictures" / f"{part_id}_{self.parts}.png"
        made = place.with_suffix(".tmp")
        picture = make_part(next(self._seeds[verdict]), views=1, defect_rate=0.5, difficulty=0.0).views[0].picture
        made.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        made.rename(place)

    @property
    def line(self) -> LineSituation:
        return look_at_line(self.broker, self.namespace, "line1", SystemClock().now_ms())

    def cleared(self) -> None:
        """Everybody has the recipe, and nothing of before is undecided."""
        wait_for(lambda: self._stage() is ChangeoverStage.CLEARED, "the changeover is cleared", DEADLINE_S)

    def masters(self) -> None:
        """The master parts of the page are put past the camera, and get their verdicts."""
        self.put("MASTER-OK", Verdict.OK)
        self.put("MASTER-NG", Verdict.NG)
        wait_for(lambda: self.line.open_check is None, "the check ends", DEADLINE_S)
        check = self.line.check
        assert check is not None
        assert check.outcome is CheckOutcome.PASSED, check

    def part(self) -> None:
        """A part of the product goes past the camera, once that knows of the line's state, and is decided."""
        wait_for(self._is_current, "the camera knows the line's state", DEADLINE_S)
        name = f"SN-{self.parts}"
        self.put(name, Verdict.OK)
        wait_for(lambda: name in self.routed(), f"{name} is routed", DEADLINE_S)

    def routed(self) -> dict[str, Routing]:
        """The first routing of each part, by its serial."""
        return {one.part_id or "": one.routing for one in self._dispositions()}

    def reasons(self) -> list[str]:
        return [reason for one in self._dispositions() for reason in one.reasons]

    def _dispositions(self) -> list[Disposition]:
        records = visible(self.broker, self.namespace.topic("dispositions"))
        told = map(message_of, records)
        return [one for one in told if isinstance(one, Disposition) and one.revision == 0]

    def _is_current(self) -> bool:
        records = visible(self.broker, self.namespace.topic("captures"))
        beats = [one for one in map(message_of, records) if isinstance(one, CameraHeartbeat)]
        newest, state = max(beats, key=lambda one: one.at_ms, default=None), self.line.state
        return newest is not None and state is not None and newest.line_state == state.ref()

    def _stage(self) -> ChangeoverStage | None:
        change = self.line.changeover
        return None if change is None else change.stage


@pytest.fixture
def plant(
    tansu: EmbeddedBroker,
    valkey_server: EmbeddedRedis,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Plant]:
    made = Plant(Servers(tansu, valkey_server.port), namespace, tmp_path)
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")  # a table that folds no word
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    runner.invoke(app, ["topics", "create", "--partitions", "2"], catch_exceptions=False)
    example = json.loads(runner.invoke(app, ["recipe", "example", "--bundle", str(BUNDLE)]).stdout)
    wanted = {
        "recipe_id": "plate",
        "views": [{"view_id": "top", "camera_id": "cam1"}],
        # The first parts come while processes start: nothing here is about their speed.
        "time": {
            "decide_by_ms": 120_000,
            "commit_margin_ms": 300,
            "max_skew_ms": 90_000,
            "spool_horizon_ms": 3_600_000,
        },
        "review": {"audit_share_of_passes": 0.0},
    }
    [rules] = map(json.loads, blocks("json"))
    for version, more in ((1, {}), (2, {"check": rules})):
        content = example | wanted | more | {"version": version}
        (tmp_path / f"recipe-{version}.json").write_text(json.dumps(content))
    for words in (
        "recipe add recipe-1.json",
        "line activate line1 plate@1",
        "line state line1 production --order PO-1",
    ):
        runner.invoke(app, shlex.split(words), catch_exceptions=False)
    with opened_access(AccessRules(tmp_path / "station"), SystemClock()) as access:
        access.accounts.add("Lea", Role.LEAD, PASSWORD)
    with ExitStack() as stack:
        for module in ("linewarden_inspect", "linewarden_route", "linewarden_line", "linewarden_ingest"):
            one = ServiceProcess(module, made.env, tmp_path / f"{module}.log")
            stack.callback(one.close)
            one.start()
        yield made


@GUIDE.follows_whole
def test_the_commands_of_the_page_take_a_line_from_one_recipe_to_the_next(plant: Plant) -> None:
    plant.part()
    assert plant.routed()["SN-0"] is Routing.TRUSTED_PASS, plant.reasons()
    after: dict[str, Callable[[], None]] = {
        "line changeover request": plant.cleared,
        "line check begin": plant.masters,
        "line bypass begin": plant.part,
        "line unlock": plant.part,
    }
    """What hands do before the next command."""
    ends_with_1 = {"line bypass list"}
    runner, told = CliRunner(), dict[str, str]()
    for command in [line for block in blocks("sh") for line in block.splitlines()]:
        program, *words = shlex.split(command)
        assert program == "linewarden"
        result: Result = runner.invoke(app, words, input=f"{PASSWORD}\n", catch_exceptions=False)
        name = " ".join(words[:3])
        is_refused = any(name.startswith(one) for one in ends_with_1)
        assert result.exit_code == int(is_refused), f"{command}: {result.output}"
        told[name] = result.output
        for begin, hands in after.items():
            if name.startswith(begin):
                hands()
    assert "plate@2" in told["line changeover show"]
    assert "passed" in told["line check show"]
    assert "production" in told["line show line1"]
    assert "no check of line1 has failed" in told["line check contain"]
    routed = plant.routed()
    in_bypass = [name for name in routed if name in told["line bypass list"]]
    assert in_bypass, told["line bypass list"]
    assert [routed[name] for name in in_bypass] == [Routing.DIVERTED] * len(in_bypass)
    assert {routed["MASTER-OK"], routed["MASTER-NG"]} <= {Routing.DIVERTED, Routing.REJECTED}
    assert sum(routing is Routing.TRUSTED_PASS for routing in routed.values()) == 2, (routed, plant.reasons())
    state = plant.line.state
    assert state is not None
    assert (state.mode, state.order_id, state.passes(SystemClock().now_ms())) == (LineMode.PRODUCTION, "PO-2", True)


def test_the_words_of_the_side_channel_are_taken_as_the_page_says() -> None:
    [block] = blocks("toml")
    form = LineFormat(**tomllib.loads(block)["trigger"]["format"])
    assert (form.word(b"RUN\r\n"), form.word(b" HALT ")) == (ChannelWord.START, ChannelWord.STOP)
    assert form.word(b"counter=7") is None
