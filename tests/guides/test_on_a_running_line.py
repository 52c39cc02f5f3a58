"""Pages whose commands ask a running line, followed in its terminals: one demo, started as `Recorded parts` says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from linewarden.demo import line
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.processes import free_port
from tests.support.guides import GuidePage, GuideWalk
from tests.support.processes import wait_for

RECORDED = GuidePage("docs/guides/recorded-parts.md")
SHIFT = GuidePage("docs/guides/operate-a-shift.md")
TRUST = GuidePage("docs/guides/read-trust.md")
BACKUP = GuidePage("docs/guides/back-up-and-restore.md")
UPGRADE = GuidePage("docs/guides/upgrade.md")
PAGES = (RECORDED, SHIFT, TRUST, BACKUP, UPGRADE)
SECTION = "On a running line"
DEADLINE_S = 600.0
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]


class DemoTerminal:
    """What the reader's second terminal knows: the demo's environment, taken over with `. demo-work/demo.env`."""

    def __init__(self, walk: GuideWalk) -> None:
        self._walk = walk
        self.environment: dict[str, str] = {}

    def take_over(self) -> None:
        """Take over what the demo wrote, once its line can be asked."""
        env = self._walk.folder / "demo-work/demo.env"
        wait_for(env.exists, "the demo says how to ask it", DEADLINE_S)
        told = subprocess.run(
            ["bash", "-c", f". {env}; env -0"], env={}, capture_output=True, text=True, check=True
        ).stdout
        pairs = (one.partition("=") for one in told.split("\0") if one.startswith("LINEWARDEN_"))
        self.environment = {name: value for name, _, value in pairs}
        wait_for(lambda: len(self._routed()) > 40, "parts were routed", DEADLINE_S)

    def json(self, *words: str) -> list[dict[str, object]]:
        """What a command says, for programs."""
        environment = {**self._walk.environment, **self.environment}
        command = ["linewarden", *words, "--json"]
        done = subprocess.run(
            command, cwd=self._walk.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found

    def queue(self) -> Iterator[RedisQueue]:
        """The queue of the line."""
        with redis.Redis(port=int(self.environment["LINEWARDEN_REDIS__PORT"])) as client:
            yield RedisQueue(client, line.NAMESPACE.redis_prefix())

    def _routed(self) -> list[dict[str, object]]:
        return self.json("select", "--from", "-1h", "--to", "-1m", "--limit", "1000")


@RECORDED.follows(SECTION)
@SHIFT.follows(SECTION)
@TRUST.follows(SECTION)
@BACKUP.follows(SECTION)
@UPGRADE.follows(SECTION)
def test_what_the_pages_ask_of_a_running_line_is_answered(tmp_path: Path) -> None:
    here = {"--port 8095": f"--port {free_port()} --rate 1"}
    with RECORDED.walk(SECTION, tmp_path, {}, instead=here) as recorded:
        recorded.start()
        terminal = DemoTerminal(recorded)
        terminal.take_over()
        assert "P0000001" in recorded.run()
        recorded.environment.update(terminal.environment)  # as it stays in a reader's terminal
        one_part_a_shift_and_a_replay(recorded)
        with SHIFT.walk(SECTION, tmp_path, terminal.environment) as shift:
            operate(shift)
        with TRUST.walk(SECTION, tmp_path, terminal.environment) as trust:
            read_trust(trust)
        with BACKUP.walk(SECTION, tmp_path, terminal.environment) as backup:
            back_up_and_restore(backup, terminal)
        with UPGRADE.walk(SECTION, tmp_path, terminal.environment) as upgrade:
            assert "linewarden" in upgrade.run()
            assert "all were there" in upgrade.run()
            assert "production" in upgrade.run()


def one_part_a_shift_and_a_replay(walk: GuideWalk) -> None:
    """The rest of the page."""
    walk.run()
    assert (walk.folder / "rejected.json").exists()
    walk.run(timeout_s=DEADLINE_S)
    assert (walk.folder / "shift.html").exists()
    walk.run(timeout_s=DEADLINE_S)
    assert (walk.folder / "contain.csv").exists()
    assert "P0000001" in walk.run()
    walk.run(timeout_s=DEADLINE_S)
    walk.run(timeout_s=DEADLINE_S)


def operate(walk: GuideWalk) -> None:
    """From the first part to the hand-over."""
    assert "PO-17" in walk.run()
    assert "diverted" in walk.run()
    walk.run(timeout_s=DEADLINE_S)
    walk.run()
    assert (walk.folder / "linewarden-problem.zip").exists()


def read_trust(walk: GuideWalk) -> None:
    """Why a part was diverted, the limit, and what people catch."""
    assert "P0000001" in walk.run()
    assert "suspicion" in walk.run()
    walk.run()


def back_up_and_restore(walk: GuideWalk, terminal: DemoTerminal) -> None:
    """The archive and the book are taken; queue, book and record come back."""
    walk.run(timeout_s=DEADLINE_S)
    walk.run()
    with contextmanager(terminal.queue)() as queue:
        before = {slot.slot_id for slot in queue.dump()}
        assert before
        emptied(terminal)
        walk.run()
        wait_for(lambda: before <= {slot.slot_id for slot in queue.dump()}, "what waited waits again", DEADLINE_S)
    walk.run()
    assert "P0000001" in walk.run(timeout_s=DEADLINE_S)


def emptied(terminal: DemoTerminal) -> None:
    """Redis is lost whole."""
    with redis.Redis(port=int(terminal.environment["LINEWARDEN_REDIS__PORT"])) as client:
        client.flushall()


def test_every_block_is_followed() -> None:
    for page in PAGES:
        page.require_followed({})
