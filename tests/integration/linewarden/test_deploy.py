"""`deploy/README.md` followed by its own words to `cli`, in the environment that the compose file gives it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from linewarden.demo import line
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import Recipe
from tests.support.topics import provisioned

ROOT = Path(__file__).parents[3]
CLI = "docker compose run --rm"
PASSWORD = "a long password\n"


def asked() -> list[str]:
    """What the page says to `cli`, in its order; also what it says in passing."""
    page = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
    found = re.findall(rf"{CLI} (?:-T )?cli ([^`\n]*(?:\n  [^`\n]*)?)", page)
    return [" ".join(one.split()) for one in found]


@pytest.fixture
def cli(
    tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str, tmp_path: Path
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs words as the service `cli` would, with its volumes as folders here."""
    provisioned(tansu_broker, Namespace(namespace), 12)
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["cli"]
    given = dict(
        one.split("=", 1)
        for one in (ROOT / "deploy/compose/line.env").read_text().splitlines()
        if one and not one.startswith("#")
    )
    given |= service["environment"]
    places = {"/bundles/demo-bundle": str(line.BUNDLE), "/bundles": str(line.BUNDLE.parent)}
    for volume in service["volumes"]:
        inside = volume.split(":")[1]
        if inside not in places:
            places[inside] = str(tmp_path / inside.strip("/").replace("/", "-"))
            Path(places[inside]).mkdir()
    here = {name: places.get(value, value) for name, value in given.items()}
    here |= {"LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": tansu.bootstrap_servers, "LINEWARDEN_NAMESPACE": namespace}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINEWARDEN_")}

    def run(words: str) -> subprocess.CompletedProcess[str]:
        said, _, into = words.partition(" > ")
        said, _, out_of = said.partition(" < ")
        inside = "|".join(sorted(map(re.escape, places), key=len, reverse=True))
        said = re.sub(rf"(?<![\w/])({inside})(?=[/\s]|$)", lambda found: places[found[1]], said)
        password = " --password-stdin" if said.startswith("users add") else ""
        command = [sys.executable, "-m", "linewarden", *shlex.split(said.replace('"$USER"', "ann") + password)]
        typed = (tmp_path / out_of).read_text() if out_of else PASSWORD if password else ""
        folder = places[service["working_dir"]]
        done = subprocess.run(
            command, cwd=folder, env=kept | here, input=typed, capture_output=True, text=True, check=False
        )
        if into:
            (tmp_path / into).write_text(done.stdout)
        return done

    return run


def test_the_page_takes_a_line_from_nothing_to_production(
    cli: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    said = {}
    for words in asked():
        done = cli(words)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, f"{words}\n{done.stderr}"
        said[words.split()[0] + " " + words.split()[1]] = done.stdout
    recipe = Recipe.model_validate_json((tmp_path / "recipe.json").read_text())
    cameras = tomllib.loads((ROOT / "deploy/compose/cameras.toml").read_text())["cameras"]
    assert [(one.view_id, one.camera_id) for one in recipe.views] == [(c["view_id"], c["camera_id"]) for c in cameras]
    assert "production" in said["line show"]
    assert "my-product@1" in said["line show"]
    assert said["users link"].startswith("http://localhost:8000/sign-in#")
    assert (tmp_path / "secrets" / "notary.pem").exists()
