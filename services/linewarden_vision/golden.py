"""Golden pictures of a bundle with the answers that every device must repeat."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter

from linewarden_vision.errors import BundleError


class GoldenAnswer(BaseModel):
    """What the reference device (CPU, float32) said about one golden picture."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    margin: FiniteFloat
    suspicion: FiniteFloat = Field(ge=0, le=1)
    defect: bool
    doubtful: bool


Pictures = Sequence[NDArray[np.generic]] | NDArray[np.generic]
_ANSWERS = TypeAdapter(list[GoldenAnswer])


@dataclass(frozen=True, slots=True)
class Golden:
    """Pictures HxW or HxWx3, uint8 or uint16, of any sizes, with one answer each."""

    pictures: Pictures
    answers: list[GoldenAnswer]

    def to_files(self) -> dict[str, bytes]:
        """Serialise as golden.npz and golden.json; equal content gives equal bytes.

        The archive holds one stack where all pictures are alike, otherwise an array for each.
        """
        packed = io.BytesIO()
        kinds = {(picture.shape, picture.dtype) for picture in self.pictures}
        if len(kinds) == 1:
            np.savez_compressed(packed, pictures=np.stack(list(self.pictures)))
        else:
            named = {f"picture_{place:04d}": picture for place, picture in enumerate(self.pictures)}
            np.savez_compressed(packed, **named)
        return {"golden.npz": packed.getvalue(), "golden.json": _ANSWERS.dump_json(self.answers, indent=1)}

    @classmethod
    def from_files(cls, npz: bytes, answers: bytes) -> "Golden":
        """Parse; raises BundleError for pickled arrays or when pictures and answers don't match."""
        try:
            with np.load(io.BytesIO(npz), allow_pickle=False) as archive:
                pictures = _unpack(archive)
            parsed = _ANSWERS.validate_json(answers)
        except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise BundleError(f"golden set cannot be read: {error}") from error
        dtypes = {np.dtype(np.uint8), np.dtype(np.uint16)}
        fit = all(picture.dtype in dtypes and picture.ndim in {2, 3} for picture in pictures)
        if not fit or len(pictures) != len(parsed) or not parsed:
            raise BundleError("golden pictures and golden answers don't match; build the bundle again")
        return cls(pictures, parsed)


def _unpack(archive: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    if "pictures" in archive:
        return list(archive["pictures"])
    names = sorted(archive)
    if names != [f"picture_{place:04d}" for place in range(len(names))]:
        raise ValueError(f"arrays named {', '.join(names[:5])}")
    return [archive[name] for name in names]
