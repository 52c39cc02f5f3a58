"""The groups that made a bundle, as hashes: names of parts need not leave the plant, overlap is still seen."""

import hashlib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from linewarden_vision.errors import BundleError

GROUPS = "groups.json"


class TrainedGroups(BaseModel):
    """Hashes of every group that gave weights, normalisers, logistic or thresholds, sorted."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    hashes: list[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> "TrainedGroups":
        """Hash names; repeated ones count once."""
        return cls(hashes=sorted({hash_group(name) for name in names}))

    @classmethod
    def from_file(cls, content: bytes) -> "TrainedGroups":
        """The groups in a bundle's file; raises BundleError where it is not such a file."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise BundleError(f"{GROUPS} cannot be read: {error}") from error

    def to_files(self) -> dict[str, bytes]:
        """Return the file of a bundle by name."""
        return {GROUPS: self.model_dump_json(indent=1).encode() + b"\n"}

    def overlap(self, names: Iterable[str]) -> list[str]:
        """Return the names that made the bundle, sorted."""
        known = set(self.hashes)
        return sorted({name for name in names if hash_group(name) in known})


def hash_group(name: str) -> str:
    """Return 32 hex digits; equal names have equal hashes in every data set and bundle."""
    return hashlib.sha256(f"linewarden.group\0{name}".encode()).hexdigest()[:32]
