"""Cameras come as JSON in the environment or as TOML, and what cannot work is refused with its mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linewarden_ingest.settings import FolderOptions, IngestOptions, IngestSettings, SpoolOptions, with_cameras
from linewarden_runtime.errors import ConfigurationError

FOLDER: dict[str, object] = {"kind": "folder", "camera_id": "cam0", "view_id": "view0", "path": "pictures"}


def options(*cameras: dict[str, object], **more: object) -> IngestOptions:
    return IngestOptions.model_validate({"cameras": list(cameras), **more})


def test_cameras_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWARDEN_INGEST__CAMERAS", json.dumps([FOLDER]))
    monkeypatch.setenv("LINEWARDEN_INGEST__SPOOL__OVERLOAD", "drop-oldest")
    read = with_cameras(IngestSettings.load().ingest)
    assert read.cameras == (FolderOptions.model_validate(FOLDER),)
    assert read.spool.overload == "drop-oldest"


def test_cameras_are_read_from_a_toml_file(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    file.write_text('line_id = "press"\n[[cameras]]\nkind = "folder"\ncamera_id = "a"\nview_id = "top"\npath = "p"\n')
    read = with_cameras(IngestOptions(config=file, heartbeat_s=9.0))
    assert (read.line_id, read.cameras[0].camera_id, read.heartbeat_s) == ("press", "a", 9.0)


def test_a_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    file.write_text("cameras = 3")
    with pytest.raises(ConfigurationError, match=r"line\.toml"):
        with_cameras(IngestOptions(config=file))


def test_no_camera_and_two_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no camera"):
        with_cameras(options())
    with pytest.raises(ConfigurationError, match="same camera_id"):
        with_cameras(options(FOLDER, FOLDER))


def test_several_cameras_of_a_station_must_bring_the_visit() -> None:
    other = FOLDER | {"camera_id": "cam1"}
    with pytest.raises(ConfigurationError, match="brings no visit numbers"):
        with_cameras(options(FOLDER, other))
    told: dict[str, object] = {"pattern": r"(?P<visit>\d+)"}
    assert len(with_cameras(options(FOLDER | told, other | told)).cameras) == 2


def test_a_spool_of_fewer_than_four_segments_is_refused() -> None:
    with pytest.raises(ValueError, match="four segments"):
        SpoolOptions(capacity_bytes=3 << 20, segment_bytes=1 << 20)
