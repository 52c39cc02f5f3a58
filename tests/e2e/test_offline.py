"""Packed for a machine without a network, installed there by hash, changed, and rolled back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.offline import pack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("offline") / "pack"
    pack("route", out)
    return out


def install(folder: Path, prefix: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As on a machine without a network: pip finds neither an index nor what it fetched before."""
    env = {name: value for name, value in os.environ.items() if not name.lower().startswith(("pip_", "http"))}
    env |= {"PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull}
    command = [str(folder / "install.sh"), *words, str(prefix)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_what_was_packed_installs_without_a_network_and_goes_back(packed: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    first = install(packed, prefix)
    assert first.returncode == 0, first.stderr
    current = prefix / "current"
    program = [str(current / "bin" / "linewarden"), "--version"]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    version = current.readlink()
    assert told.strip().split()[-1] == str(version).rsplit("-", 1)[0]
    assert "is there already" in install(packed, prefix).stderr
    assert "no version before" in install(packed, prefix, "--back").stderr

    other = tmp_path / "other"
    shutil.copytree(packed, other)
    with (other / "requirements.txt").open("a") as file:
        file.write("# another version\n")
    assert install(other, prefix).returncode == 0
    newer = current.readlink()
    assert newer != version
    assert install(packed, prefix, "--back").returncode == 0
    assert current.readlink() == version
    assert install(packed, prefix, "--back").returncode == 0
    assert current.readlink() == newer


def test_a_wheel_that_was_changed_is_refused_and_nothing_else_changes(packed: Path, tmp_path: Path) -> None:
    prefix, changed = tmp_path / "opt", tmp_path / "changed"
    shutil.copytree(packed, changed)
    wheel = next((changed / "wheels").glob("structlog-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    done = install(changed, prefix)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert list(prefix.iterdir()) == []


def test_wheels_of_another_python_are_refused(packed: Path, tmp_path: Path) -> None:
    script = packed / "install.sh"
    changed = tmp_path / "install.sh"
    changed.write_text(script.read_text().replace("wanted=3", "wanted=2"))
    changed.chmod(0o755)
    done = install(tmp_path, tmp_path / "opt")
    assert (done.returncode, done.stderr.split(",")[0]) == (1, "these wheels are for Python 2.11")


def test_the_bill_of_materials_names_every_wheel_by_its_hash(packed: Path) -> None:
    bill = json.loads((packed / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    named = {one["name"]: (one["version"], one["hashes"][0]["content"]) for one in bill["components"]}
    lines = (packed / "requirements.txt").read_text().splitlines()
    wanted = {}
    for line in lines:
        name, _, rest = line.partition("==")
        version, _, digest = rest.partition(" --hash=sha256:")
        wanted[name] = (version, digest)
    assert named == wanted
    assert len(named) == len(list((packed / "wheels").glob("*.whl")))
    assert {"linewarden", "kafka-python", "pydantic"} <= named.keys()
    (ours,) = [one for one in bill["components"] if one["name"] == "linewarden"]
    assert ours["licenses"] == [{"expression": "Apache-2.0"}]
