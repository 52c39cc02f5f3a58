"""Packs linewarden for a machine without a network: wheels, their hashes, and a bill of materials.

`python -m scripts.offline [--extras all] [--out dist/offline]`, or `make offline`. The machine must have the Python and
the platform of the one that packs; `install.sh` in the folder installs what the hashes name, and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).parent.parent


def pack(extras: str, out: Path) -> list[Path]:
    """Build and gather the wheels of linewarden with its extras into `out`, whose former content goes; the wheels."""
    wheels = out / "wheels"
    shutil.rmtree(out, ignore_errors=True)
    wheels.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "-c", str(ROOT / "constraints.txt"), "-w", str(wheels)]
    subprocess.run([*pip, f"{ROOT}[{extras}]"], check=True)
    found = sorted(wheels.glob("*.whl"))
    (out / "requirements.txt").write_text("".join(map(_requirement, found)), encoding="utf-8")
    (out / "sbom.cdx.json").write_text(bill_of_materials(found), encoding="utf-8")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    script = (ROOT / "deploy/edge/install.sh").read_text(encoding="utf-8")
    (out / "install.sh").write_text(script.replace("@PYTHON@", python), encoding="utf-8")
    (out / "install.sh").chmod(0o755)
    return found


def bill_of_materials(wheels: list[Path]) -> str:
    """CycloneDX 1.6 as JSON: each wheel with its version, SHA-256 and licence."""
    licences = LicenseFactory()
    bom = Bom()
    for wheel in wheels:
        about = _metadata(wheel)
        said = about["License-Expression"]
        bom.components.add(
            Component(
                type=ComponentType.LIBRARY,
                name=about["Name"],
                version=about["Version"],
                purl=PackageURL("pypi", name=about["Name"].lower().replace("_", "-"), version=about["Version"]),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_sha256(wheel))],
                licenses=[licences.make_with_expression(said)] if said else (),
            )
        )
    return str(JsonV1Dot6(bom).output_as_string(indent=1))


def _requirement(wheel: Path) -> str:
    about = _metadata(wheel)
    return f"{about['Name']}=={about['Version']} --hash=sha256:{_sha256(wheel)}\n"


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as file:
        (name,) = [one for one in file.namelist() if one.count("/") == 1 and one.endswith(".dist-info/METADATA")]
        return BytesHeaderParser().parsebytes(file.read(name))


def _sha256(wheel: Path) -> str:
    with wheel.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Pack, and say what was packed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--extras", default="all", help="as in pip install 'linewarden[...]'")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "offline")
    given = parser.parse_args()
    wheels = pack(given.extras, given.out)
    size = sum(one.stat().st_size for one in wheels) / 1e6
    print(f"{len(wheels)} wheels, {size:.0f} MB, in {given.out}: carry the folder over and run install.sh there")


if __name__ == "__main__":
    main()
