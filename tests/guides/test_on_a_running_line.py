"""Guides for a line that runs, followed one after the other on one shift that was really made."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from string import Template

import pytest
from typer.testing import CliRunner

from linewarden.cli import app
from linewarden.demo.line import BUNDLE, PARTITIONS
from linewarden_schemas.vocabulary import Routing
from tests.support.guides import GuidePage, GuideWalk
from tests.support.recorded_line import PARTS, RecordedLine, recorded_line

RECORDED = GuidePage("docs/guides/recorded-parts.md")
TRUST = GuidePage("docs/guides/read-trust.md")
CONTAIN = GuidePage("docs/guides/contain-and-replay.md")
AUDIT = GuidePage("docs/guides/audit.md")
KEEP = GuidePage("docs/guides/back-up-and-restore.md")
SHIFT = GuidePage("docs/guides/operate-a-shift.md")
UPGRADE = GuidePage("docs/guides/upgrade-and-roll-back.md")
PASSWORD = "correct horse battery\n"
HERE = {"--to -1m": "--to -1s", "--partitions 12": f"--partitions {PARTITIONS}"}
"""Words of the pages, and what is typed here: this shift has only just ended, on a line of four partitions."""
EXITS_1 = (["live"], ["camera", "since"])
"""What says no on this line, as its page says: no measured person, and pictures that are not vouched for."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Reader:
    """Somebody at the line's command line, who does each block of a page; a page is done in a folder of its own."""

    def __init__(self, line: RecordedLine, folder: Path) -> None:
        self.line, self.folder = line, folder
        self._typer = CliRunner()
        own = {
            "LINEWARDEN_REPLAY__INDEX": str(folder / "index.sqlite"),
            "PUBLIC_KEY": line.public_key,
            "COLUMNS": "200",
        }
        self.environment = line.environment | own

    def follow(self, page: GuidePage) -> str:
        """Do the whole page; what was printed."""
        printed = ""
        for section in page.sections:
            here = {word: other for word, other in HERE.items() if word in page.commands(section)}
            with page.walk(section, self.folder, self.environment, instead=here) as walk:
                printed += self._section(walk)
        return printed

    def _section(self, walk: GuideWalk) -> str:
        printed, environment = "", dict(self.environment)
        while walk.language is not None:
            if walk.language == "toml":
                walk.file("keep.toml")
            elif walk.language == "python":
                printed += walk.run()
            else:
                printed += "".join(self._do(words, environment) for words in walk.words())
        return printed

    def _do(self, words: list[str], environment: dict[str, str]) -> str:
        """One command; `linewarden` is called in this process, since starting one takes longer than what it does."""
        words = [Template(one).safe_substitute(environment) for one in words]
        if words[0] == "export":
            environment |= dict(one.split("=", 1) for one in words[1:])
            return ""
        if words[0] != "linewarden":
            subprocess.run(words, cwd=self.folder, check=True)
            return ""
        words, into = (words[:-2], words[-1]) if words[-2] == ">" else (words, None)
        with contextlib.chdir(self.folder):
            done = self._typer.invoke(app, words[1:], input=PASSWORD, env=environment, catch_exceptions=False)
        expected = 1 if any(words[1 : 1 + len(one)] == one for one in EXITS_1) else 0
        assert done.exit_code == expected, f"{words}: {done.output}"
        if into is not None:
            (self.folder / into).write_text(done.stdout, encoding="utf-8")
        return done.output


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedLine]:
    with recorded_line(tmp_path_factory.mktemp("line")) as made:
        words = ["users", "add", "Lea", "--role", "lead", "--password-stdin"]
        added = CliRunner().invoke(app, words, input=PASSWORD * 2, env=made.environment, catch_exceptions=False)
        assert added.exit_code == 0, added.output
        yield made


@pytest.fixture
def reader(line: RecordedLine, tmp_path: Path) -> Reader:
    return Reader(line, tmp_path)


@RECORDED.follows_whole
def test_recorded_parts(reader: Reader, tmp_path: Path) -> None:
    told = reader.follow(RECORDED)
    assert "1 visits of P0000001" in told
    assert json.loads((tmp_path / "rejected.json").read_text())


@TRUST.follows_whole
def test_read_trust(reader: Reader, tmp_path: Path) -> None:
    told = reader.follow(TRUST)
    assert "diversion_rate_of_passes" in told
    assert "operators not measured" in told
    assert (tmp_path / "audit.html").exists()


@CONTAIN.follows_whole
def test_contain_and_replay(reader: Reader, tmp_path: Path) -> None:
    told = reader.follow(CONTAIN)
    assert "customer A" in told
    held = [row.split(",")[1] for row in (tmp_path / "contain.csv").read_text().splitlines()[1:]]
    routings = reader.line.first_routings()
    assert held
    assert {routings[serial] for serial in held} == {Routing.TRUSTED_PASS}
    passed = json.loads((tmp_path / "passed.json").read_text())
    assert passed["count"] == sum(one is Routing.TRUSTED_PASS for one in routings.values())


@AUDIT.follows_whole
def test_audit(reader: Reader, tmp_path: Path) -> None:
    told = reader.follow(AUDIT)
    assert "the balance closes" in told
    assert "the chain holds" in told
    assert "not proven" not in told
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "audit.html").read_bytes()


@KEEP.follows_whole
def test_back_up_and_restore(reader: Reader, tmp_path: Path) -> None:
    shutil.copy(reader.environment["LINEWARDEN_NOTARY__KEY_FILE"], tmp_path / "notary.pem")
    (tmp_path / "recipe.json").write_text(reader.line.recipe_json(), encoding="utf-8")
    told = reader.follow(KEEP)
    assert "the archive holds" in told
    assert "the chain holds" in told
    assert "replay.after-the-crash" in told
    assert (tmp_path / "station-copy.sqlite").stat().st_size > 0


@UPGRADE.follows_whole
def test_upgrade_and_roll_back(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "demo-bundle").symlink_to(BUNDLE)
    told = reader.follow(UPGRADE)
    assert "line1 runs demo-part@2" in told
    assert "the balance closes" in told


@SHIFT.follows_whole
def test_operate_a_shift(reader: Reader) -> None:
    reader.line.await_alarm("line1.camera_silent.cam-left")
    told = reader.follow(SHIFT)
    assert f"{PARTS} visits in production" in told
    assert "line1: lifted by Lea" in told
    assert "until the belt runs again" in told


def test_every_block_is_followed() -> None:
    for page in (RECORDED, TRUST, CONTAIN, AUDIT, KEEP, SHIFT, UPGRADE):
        page.require_followed({})
