"""A folder that somebody writes pictures into: each is taken once, when it is whole, and then put away."""

from __future__ import annotations

import json
from collections import deque
from contextlib import ExitStack
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, Self

import structlog
from pydantic import Field, model_validator

from linewarden_ingest.cameras.arrivals import Arrivals, Stamp
from linewarden_ingest.cameras.interface import EncodedPicture, Receipt, Shot, Trigger
from linewarden_ingest.cameras.journal import TakenJournal, TakenShot
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.cameras.pictures import Encoding, Unreadable, from_bytes
from linewarden_ingest.cameras.sidecar import PictureLabel, compile_pattern, label_from_name
from linewarden_ingest.cameras.watched import FileUnusable, WatchedFolder
from linewarden_ingest.captures import require_short_ids
from linewarden_ingest.metrics import WATCHED
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.capture import Capture
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import Loss
from linewarden_vision.inspecting.refusal import PictureRefused

_HOUR_MS = 3_600_000
_STUCK_S = 10.0
_log = structlog.get_logger(__name__)


class WatchOptions(CameraOptions):
    """A folder that pictures are written into, as files.

    A file is taken when it was renamed into place, or has not changed for `settle_s`, and is whole; one that is not
    whole after `give_up_s` is a capture without its picture. When the shot is safe the file is moved to the folder
    `done` in it, or `failed`, or kept where it is. The folder is listed every `poll_s`, beside the events of the
    operating system. `pattern` is a regular expression with named groups, as of a folder. What is gone is remembered
    for `remember_h`, so that a copy of it that comes again is known.
    """

    kind: Literal["watch"] = "watch"
    path: Path
    pattern: str | None = None
    after: Literal["move", "keep"] = "move"
    settle_s: float = Field(0.5, gt=0)
    give_up_s: float = Field(60.0, gt=0)
    poll_s: float = Field(1.0, gt=0)
    remember_h: float = Field(24.0, gt=0)

    @model_validator(mode="after")
    def _waits_in_order(self) -> Self:
        if self.rate_per_s is not None:
            raise ValueError("a watched folder gives pictures as they are written; leave rate_per_s out")
        if self.give_up_s <= self.settle_s:
            raise ValueError("give_up_s must be more than settle_s, else no file could ever settle")
        return self

    @property
    def is_live(self) -> bool:
        """Never: a file may be copied into the folder twice."""
        return False

    @property
    def brings_visits(self) -> bool:
        """Whether the pattern tells the visit of each picture."""
        return "(?P<visit>" in (self.pattern or "")

    def open(self, run: CameraRun) -> WatchCamera:
        """The folder, whose files are taken from now on.

        Raises:
            ConfigurationError: where the pattern is none, or files cannot be moved.
            CameraFault: where the folder is not there; a share may be mounted later.
        """
        return WatchCamera(self, run)


@dataclass(frozen=True, slots=True)
class _Taking:
    """A file on its way into the spool; `lost` as its capture has it."""

    name: str
    stamp: Stamp
    digest: str
    lost: str | None = None

    @property
    def key(self) -> str:
        return json.dumps([self.name, self.stamp.size, self.stamp.mtime_ns, self.digest])


class WatchCamera:
    """Gives each file once; see `WatchOptions`. A visit from a name is named by the run, as a folder's."""

    def __init__(self, options: WatchOptions, run: CameraRun) -> None:
        self._options, self._run, self._clock = options, run, run.clock
        self._pattern = None if options.pattern is None else compile_pattern(options.pattern)
        self._folder = WatchedFolder(options.path)
        self._arrivals = Arrivals(options.settle_s, options.give_up_s)
        self._index = run.first
        self._look_at = self._unstick_at = 0.0
        self._forget_at_ms = 0
        self._ready: deque[str] = deque()
        self._gone: deque[str] = deque()
        self._on_the_way: dict[int, _Taking] = {}
        # What is not looked at again as long as it looks so: on its way, kept, or not to be moved now.
        self._handled: dict[str, Stamp] = {}
        self._stuck: set[str] = set()
        self._listed: frozenset[str] = frozenset()
        with ExitStack() as undone:
            self._journal = TakenJournal(run)
            undone.callback(self._journal.close)
            if options.after == "move":
                self._folder.prepare(self._journal.digest_of)
            else:
                self._handled = {one.name: Stamp(*json.loads(one.note)) for one in self._journal.all()}
            undone.pop_all()
        self._folder.follow()

    def poll(self, timeout_s: float) -> Shot | None:
        """The next file that is whole, or that never becomes it."""
        if not self._gone and not self._ready:
            self._look(timeout_s)
        if self._gone:
            return self._missed(self._gone.popleft())
        return self._take(self._ready.popleft()) if self._ready else None

    def close(self) -> None:
        """End the thread that waits for events; files that are on their way are put away by the next run."""
        self._folder.close()
        self._journal.close()

    def _look(self, timeout_s: float) -> None:
        """List the folder when something happened in it, or when it is time."""
        wait_s = min(self._look_at - self._clock.monotonic(), timeout_s)
        if wait_s > 0 and not self._folder.happened.is_set():
            self._clock.wait(self._folder.happened, wait_s)
        now = self._clock.monotonic()
        if now < self._look_at and not self._folder.happened.is_set():
            return
        listing = self._folder.listed()
        self._listed = frozenset(listing.pictures)
        self._count("refused", listing.refused)
        if now >= self._unstick_at:
            self._unstick_at = now + _STUCK_S
            self._handled = {name: stamp for name, stamp in self._handled.items() if name not in self._stuck}
            self._stuck.clear()
        self._handled = {name: stamp for name, stamp in self._handled.items() if name in self._listed}
        new = {name: stamp for name, stamp in listing.pictures.items() if self._handled.get(name) != stamp}
        self._gone.extend(self._arrivals.look(new, listing.renamed, now))
        self._ready.extend(self._arrivals.ready(now))
        self._look_at = min(now + self._options.poll_s, self._arrivals.next_at())
        self._forget()

    def _forget(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms >= self._forget_at_ms:
            self._journal.forget(now_ms - round(self._options.remember_h * _HOUR_MS), self._listed)
            self._forget_at_ms = now_ms + _HOUR_MS

    def _take(self, name: str) -> Shot | None:
        """The shot of a file, or None where it is known or must be waited for."""
        now = self._clock.monotonic()
        is_overdue = self._arrivals.is_overdue(name, now)
        try:
            data, stamp = self._folder.read(name)
        except FileNotFoundError:
            return None  # the next look tells that it is gone
        except FileUnusable as unusable:
            data, stamp, why = b"", unusable.stamp, str(unusable)
        else:
            if not is_overdue and not self._arrivals.is_as_seen(name, stamp):
                return None  # the next look sees the change
            why = ""
        picture: EncodedPicture | None = None
        if not why:
            try:
                picture = whole(data, self._options.raw_encoding)
            except Unreadable as unreadable:
                why = str(unreadable)
        if picture is None and not is_overdue:
            self._arrivals.put_off(name, now)
            return None
        return self._shot_of(name, data, stamp, picture, why)

    def _shot_of(self, name: str, data: bytes, stamp: Stamp, picture: EncodedPicture | None, why: str) -> Shot | None:
        taking = _Taking(name, stamp, digest(data))
        self._arrivals.forget(name)
        self._handled[name] = stamp
        if (known := self._journal.find(taking.key)) is not None:
            if known.shot not in self._on_the_way:
                self._count("known")
                self._put_away(replace(taking, lost=known.lost), known.shot)
            return None
        self._on_the_way[self._index] = taking
        receipt = Receipt(partial(self._given, self._index), partial(self._safe, self._index))
        # When it was written, never later than now: what lay here for long is late, and its visit diverts.
        captured_ms = max(0, min(stamp.mtime_ns // 1_000_000, self._clock.now_ms()))
        return replace(self._labelled(name, captured_ms, picture, why), receipt=receipt)

    def _given(self, index: int, capture: Capture) -> None:
        """Remember the file, before its record is written."""
        taking = self._on_the_way[index] = replace(self._on_the_way[index], lost=capture.lost)
        note, at_ms = json.dumps(astuple(taking.stamp)), self._clock.now_ms()
        self._journal.give(TakenShot(taking.key, index, taking.digest, taking.name, note, taking.lost, at_ms))

    def _safe(self, index: int) -> None:
        self._journal.safe(index)
        self._put_away(self._on_the_way.pop(index), index)

    def _missed(self, name: str) -> Shot:
        self._count("gone")
        return self._labelled(name, self._clock.now_ms(), None, "the file was gone before it was whole")

    def _labelled(self, name: str, captured_ms: int, picture: EncodedPicture | None, why: str) -> Shot:
        label = PictureLabel()
        try:
            if self._pattern is not None:
                label = label_from_name(name, self._pattern)
            if label.view_id is not None:
                require_short_ids(replace(self._run.place, view_id=label.view_id))
        except ConfigurationError as error:  # of a name that somebody wrote; the next may be right
            label, picture, why = PictureLabel(), None, why or str(error)
        if picture is None:
            _log.error("the file has no picture to take and its visit diverts", file=name, why=why)
        shot = Shot(
            self._index,
            captured_ms,
            picture,
            loss=Loss.UNREADABLE if picture is None else None,
            loss_detail=f"{name}: {why}" if picture is None else None,
            trigger=None if label.visit is None else Trigger(label.visit, self._run.start_ms),
            view_id=label.view_id,
            part=label.part,
        )
        self._index += 1
        return shot

    def _put_away(self, taking: _Taking, index: int) -> None:
        shelf: Literal["done", "failed"] = "done" if taking.lost is None else "failed"
        if self._options.after == "keep":
            self._count(shelf)
            return
        try:
            self._count(self._folder.put_away(taking.name, taking.stamp, taking.digest, index, shelf))
        except OSError as error:
            self._stuck.add(taking.name)
            self._count("stuck")
            _log.error("the file cannot be moved, and is tried again", file=taking.name, why=str(error))

    def _count(self, outcome: str, count: int = 1) -> None:
        WATCHED.labels(camera=self._run.place.camera_id, outcome=outcome).inc(count)


def whole(data: bytes, encoding: Encoding) -> EncodedPicture:
    """A file's bytes as a picture, where it ends as it must: a decoder takes one that is cut short.

    Raises:
        Unreadable: with the reason in words.
    """
    from linewarden_vision.pictures.reading import read_header  # noqa: PLC0415 - the supervisor stays small

    if not data:
        raise Unreadable("the file is empty")
    try:
        read_header(data)
    except PictureRefused as refused:
        raise Unreadable(refused.detail) from refused
    return from_bytes(data, encoding)
