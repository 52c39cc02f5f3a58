"""Cameras come as JSON in the environment or as TOML, and what cannot work is refused with its mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.cameras.interface import Trigger
from linewarden_ingest.captures import CameraPlace, visit_id
from linewarden_ingest.settings import IngestOptions, IngestSettings, SpoolOptions, with_cameras
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.base import MOST_MS
from linewarden_schemas.ids import MOST_ID, frame_id

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


def test_names_of_which_no_id_could_be_made_are_refused_before_the_first_picture() -> None:
    def named(characters: int) -> IngestOptions:
        return options(FOLDER, line_id="l" * 40, station_id="s" * characters)

    longest = max(length for length in range(80) if fits(named(length + 1)))
    place = CameraPlace("l" * 40, "s" * (longest + 1), "cam0", "view0")
    made = visit_id(place, Trigger(9_999_999_999, MOST_MS))
    assert len(frame_id(made, "view0", MOST_MS, 2**32 - 1)) == MOST_ID
    with pytest.raises(ConfigurationError, match=r"station s+ and view view0 are 1 characters too long together"):
        with_cameras(named(longest + 2))


def fits(given: IngestOptions) -> bool:
    try:
        with_cameras(given)
    except ConfigurationError:
        return False
    return True


def test_a_spool_of_fewer_than_four_segments_is_refused() -> None:
    with pytest.raises(ValueError, match="four segments"):
        SpoolOptions(capacity_bytes=3 << 20, segment_bytes=1 << 20)
