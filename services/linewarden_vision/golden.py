"""Golden pictures of a bundle with the answers that every device must repeat."""

import io
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


_ANSWERS = TypeAdapter(list[GoldenAnswer])


@dataclass(frozen=True, slots=True)
class Golden:
    """Pictures (N, H, W[, 3]) uint8 with one answer each."""

    pictures: NDArray[np.uint8]
    answers: list[GoldenAnswer]

    def to_files(self) -> dict[str, bytes]:
        """Serialise as golden.npz and golden.json; equal content gives equal bytes."""
        packed = io.BytesIO()
        np.savez_compressed(packed, pictures=self.pictures)
        return {"golden.npz": packed.getvalue(), "golden.json": _ANSWERS.dump_json(self.answers, indent=1)}

    @classmethod
    def from_files(cls, npz: bytes, answers: bytes) -> "Golden":
        """Parse; raises BundleError for pickled arrays or when pictures and answers don't match."""
        try:
            with np.load(io.BytesIO(npz), allow_pickle=False) as archive:
                pictures = archive["pictures"]
            parsed = _ANSWERS.validate_json(answers)
        except (ValueError, KeyError, OSError) as error:
            raise BundleError(f"golden set cannot be read: {error}") from error
        if pictures.dtype != np.uint8 or len(pictures) != len(parsed) or not parsed:
            raise BundleError("golden pictures and golden answers don't match; build the bundle again")
        return cls(pictures, parsed)
