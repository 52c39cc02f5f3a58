"""What onward asks of every kind of output: its settings, and to be opened for a run."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import BaseModel, ConfigDict

from linewarden_onward.interface import Output, OutputRun
from linewarden_schemas.base import Id


class OutputOptions(BaseModel):
    """The settings of one output; a kind of output is a subclass, whose `kind` is a Literal with itself as default.

    Secrets are never values here, only names of files. What a receiver needs is imported where it is opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    output_id: Id

    @property
    def has_gate(self) -> bool:
        """Whether it reports what a gate did, by `beat`."""
        return False

    @abstractmethod
    def open(self, run: OutputRun) -> Output:
        """The output, ready to be told.

        Raises:
            ConfigurationError: where what people set is not as it must be; the process ends.
            OutputAway: where the receiver does not answer; it is opened again after a while.
        """
