import json
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

from linewarden_vision.bundle import read_bundle, write_bundle
from linewarden_vision.errors import BundleError
from tests.unit.vision.helpers import golden_of, small_card, small_network, write_small_bundle


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was loaded",))


def test_a_written_bundle_reads_back_under_its_digest(tmp_path: Path) -> None:
    digest = write_small_bundle(tmp_path / "b")
    bundle = read_bundle(tmp_path / "b", expected_digest=digest)
    assert bundle.digest == digest
    assert len(bundle.golden.answers) == 4


def test_equal_content_has_an_equal_digest_and_other_content_another(tmp_path: Path) -> None:
    first, second = write_small_bundle(tmp_path / "a"), write_small_bundle(tmp_path / "b")
    assert first == second
    network, card = small_network(), small_card(defect=0.125)
    assert write_bundle(tmp_path / "c", card, network.state_dict(), golden_of(card, network)) != first


def test_the_listing_satisfies_sha256sum(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "b")
    command = ["sha256sum", "--strict", "-c", "bundle.sha256"]
    told = subprocess.run(command, cwd=tmp_path / "b", check=True, capture_output=True, text=True).stdout
    files = {path.name for path in (tmp_path / "b").iterdir()} - {"bundle.sha256"}
    assert {line.removesuffix(": OK") for line in told.splitlines()} == files


@pytest.mark.parametrize("name", ["card.json", "golden.json", "golden.npz", "weights.safetensors", "bundle.sha256"])
def test_one_flipped_bit_in_any_file_is_detected(tmp_path: Path, name: str) -> None:
    digest = write_small_bundle(tmp_path / "b")
    path = tmp_path / "b" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BundleError):
        read_bundle(tmp_path / "b", expected_digest=digest)


def test_a_consistent_other_bundle_is_refused_by_the_expected_digest(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "b")
    with pytest.raises(BundleError, match="not ffffffffffff"):
        read_bundle(tmp_path / "b", expected_digest="f" * 64)


@pytest.mark.parametrize("change", ["missing", "extra", "nowhere"])
def test_a_folder_that_is_not_exactly_a_bundle_is_refused(tmp_path: Path, change: str) -> None:
    write_small_bundle(tmp_path / "b")
    if change == "missing":
        (tmp_path / "b" / "golden.json").unlink()
    if change == "extra":
        (tmp_path / "b" / "weights.pt").write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(BundleError):
        read_bundle(tmp_path / ("c" if change == "nowhere" else "b"))


@pytest.mark.parametrize("name", ["weights.safetensors", "golden.npz"])
def test_a_pickle_in_place_of_a_file_is_never_loaded(tmp_path: Path, name: str) -> None:
    write_small_bundle(tmp_path / "b")
    if name == "golden.npz":
        with (tmp_path / "b" / name).open("wb") as file:
            np.savez(file, pictures=np.array([_Bomb()], dtype=object))
    else:
        (tmp_path / "b" / name).write_bytes(pickle.dumps(_Bomb()))
    _relist(tmp_path / "b")
    with pytest.raises(BundleError):
        read_bundle(tmp_path / "b")


@pytest.mark.parametrize(
    "change",
    [{"unknown": 1}, {"schema_version": 2}, {"stage": "perfect"}, {"created": 20260101}],
)
def test_a_card_with_anything_unknown_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    write_small_bundle(tmp_path / "b")
    path = tmp_path / "b" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    _relist(tmp_path / "b")
    with pytest.raises(BundleError, match="cannot be used by this version"):
        read_bundle(tmp_path / "b")


def test_a_folder_with_other_files_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt"):
        write_small_bundle(tmp_path)


def _relist(folder: Path) -> None:
    names = ["card.json", "golden.json", "golden.npz", "weights.safetensors"]
    done = subprocess.run(["sha256sum", *names], cwd=folder, check=True, capture_output=True)
    (folder / "bundle.sha256").write_bytes(done.stdout)
