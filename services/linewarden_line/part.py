"""What a job of the line's process is: it learns what the topics say, and tells what it makes of them."""

from __future__ import annotations

from typing import Protocol

from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.alarm import LineWord
from linewarden_schemas.base import Message


class LinePart(Protocol):
    """One job of the process; all of them live on its one thread, and none keeps anything but in the topics.

    Whatever fails ends the process, and whoever comes after it recalls and follows anew.
    """

    def recall(self, message: Message, record: InRecord) -> None:
        """Take one of the topics in `RECALLED`, in the order of the log; called before anything else."""

    def learn(self, message: Message, record: InRecord) -> None:
        """Take one of the topics in `FOLLOWED`, each once; what a transaction did not say is learnt again."""

    def due(self, now_ms: int) -> list[OutRecord]:
        """What is to be written now; all parts' records and the marks of what was read are one transaction."""

    def word(self, word: LineWord, now_ms: int) -> LineWord:
        """The process's word, with what this part adds to it."""
