"""Kinds of camera that other distributions bring: found by entry point, and refused by the name of who brought them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linewarden.commands import doctor
from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.settings import IngestOptions, IngestSettings, with_cameras
from linewarden_runtime.errors import ConfigurationError

MODULE = """
from typing import Literal
from linewarden_ingest.cameras.options import CameraOptions

class Options(CameraOptions):
    kind: Literal["{kind}"] = "{kind}"
    address: str

    def open(self, run): ...
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed distributions."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(site: Path, name: str, kind: str, module: str, value: str = "{module}:Options") -> None:
    """Install a distribution that brings a kind, as pip leaves it; its module is called as it is."""
    module_name = name.replace("-", "_")
    (site / f"{module_name}.py").write_text(module)
    info = site / f"{module_name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    value = value.format(module=module_name)
    (info / "entry_points.txt").write_text(f"[linewarden.cameras]\n{kind} = {value}\n")


def read(kind: str, **more: object) -> IngestOptions:
    camera = {"kind": kind, "camera_id": "cam0", "view_id": "view0", **more}
    return with_cameras(IngestOptions.model_validate({"cameras": [camera]}))


def test_a_kind_of_another_distribution_is_read_written_whole_and_read_again(site: Path) -> None:
    install(site, "acme-a", "acme-a", MODULE.format(kind="acme-a"))
    options = read("acme-a", address="usb:1")
    written = options.model_dump_json()
    assert '"address":"usb:1"' in written
    assert IngestOptions.model_validate_json(written) == options


def test_a_key_that_the_kind_does_not_have_is_refused_at_its_place(site: Path) -> None:
    install(site, "acme-b", "acme-b", MODULE.format(kind="acme-b"))
    with pytest.raises(ValueError, match=r"cameras\.0\.colour\s+Extra inputs"):
        read("acme-b", address="usb:1", colour="red")


def test_a_kind_that_nobody_brings_is_refused_with_those_that_are_known(site: Path, tmp_path: Path) -> None:
    install(site, "acme-c", "acme-c", MODULE.format(kind="acme-c"))
    told = r"no camera is of kind 'acme'; known are folder, .*, acme-c; .* group 'linewarden\.cameras'"
    with pytest.raises(ConfigurationError, match=told):
        read("acme")
    file = tmp_path / "line.toml"
    file.write_text('[[cameras]]\nkind = "acme"\ncamera_id = "a"\nview_id = "top"\n')
    with pytest.raises(ConfigurationError, match=rf"line\.toml: {told}"):
        with_cameras(IngestOptions(config=file))


def test_the_environment_is_refused_the_same_way_and_no_value_of_it_is_told(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "acme-g", "acme-g", MODULE.format(kind="acme-g"))
    camera = {"kind": "acme-g", "camera_id": "cam0", "view_id": "view0", "address": "usb:1", "key": "hunter2"}
    monkeypatch.setenv("LINEWARDEN_INGEST__CAMERAS", json.dumps([camera]))
    with pytest.raises(ConfigurationError, match=r"ingest\.cameras\.0\.key") as refused:
        IngestSettings.load()
    assert "hunter2" not in str(refused.value)
    monkeypatch.setenv("LINEWARDEN_INGEST__CAMERAS", json.dumps([camera | {"kind": "acme"}]))
    with pytest.raises(ConfigurationError, match="no camera is of kind 'acme'"):
        IngestSettings.load()


def test_a_camera_without_a_kind_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="needs its kind, one of folder, video, line"):
        IngestOptions.model_validate({"cameras": [{"camera_id": "cam0", "view_id": "view0"}]})


@pytest.mark.parametrize(
    ("name", "module", "value", "cause"),
    [
        ("gone", "", "no_such_module:Options", "which cannot be imported: ModuleNotFoundError: .*no_such_module"),
        ("nameless", "", "{module}:Options", "which cannot be imported: AttributeError: .*Options"),
        ("broken", "raise OSError('no driver')", "{module}:Options", "which cannot be imported: OSError: no driver"),
        ("text", "Options = 'text'", "{module}:Options", "which is no subclass of .*CameraOptions"),
        ("foreign", "class Options: ...", "{module}:Options", "which is no subclass of .*CameraOptions"),
        ("closed", MODULE.replace("def open", "def shut"), "{module}:Options", "which lacks open"),
        ("other", MODULE.replace("{kind}", "another"), "{module}:Options", r"declare kind: Literal\['other'\]"),
    ],
)
def test_what_is_of_no_use_is_refused_with_its_distribution_and_harms_no_other_kind(
    site: Path, name: str, module: str, value: str, cause: str
) -> None:
    install(site, f"acme-{name}", name, module.replace("{kind}", name), value)
    with pytest.raises(ConfigurationError, match=rf"acme-{name} 1\.0 brings the kind of camera '{name}' .*{cause}"):
        read(name, address="usb:1")
    assert read("folder", path="pictures").cameras == (
        FolderOptions(camera_id="cam0", view_id="view0", path=Path("pictures")),
    )


def test_a_kind_that_exists_already_is_refused_with_who_brings_it(site: Path) -> None:
    install(site, "acme-folder", "folder", MODULE.format(kind="folder"))
    with pytest.raises(ConfigurationError, match=r"'folder' is brought by acme-folder 1\.0 and linewarden itself"):
        read("folder", path="pictures")
    install(site, "acme-d", "acme-d", MODULE.format(kind="acme-d"))
    install(site, "rival", "acme-d", MODULE.format(kind="acme-d"))
    with pytest.raises(ConfigurationError, match=r"brought by (acme-d 1\.0 and rival|rival 1\.0 and acme-d) 1\.0"):
        read("acme-d", address="usb:1")


def test_doctor_names_the_kinds_that_were_brought_and_what_is_wrong_with_them(site: Path) -> None:
    install(site, "acme-e", "acme-e", MODULE.format(kind="acme-e"))
    install(site, "acme-f", "acme-f", "raise OSError('no driver')")
    good, bad = doctor._cameras()
    assert (good.check, good.good) == ("camera of kind acme-e: acme-e 1.0", True)
    assert (bad.check, bad.good) == ("camera of kind acme-f: acme-f 1.0", False)
    assert "no driver" in bad.advice
