"""Cameras of GenICam: of GigE Vision and USB3 Vision by the library Aravis, or whatever a GenTL producer sees."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, Self

import structlog
from pydantic import Field, model_validator

from linewarden_ingest.cameras.aravis import aravis
from linewarden_ingest.cameras.block_ids import BlockIds, UncountableBlock
from linewarden_ingest.cameras.device import Block, GenicamDevice, GenicamError
from linewarden_ingest.cameras.finding import opened
from linewarden_ingest.cameras.gentl import discovered, opened_by
from linewarden_ingest.cameras.interface import CameraFault, EndOfPictures, Shot, Trigger
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.cameras.pictures import Unreadable
from linewarden_ingest.cameras.pixel_formats import BY_CODE, FORMATS, picture_of
from linewarden_ingest.cameras.read_back import count_edges, put, put_feature
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import CameraCondition, Loss

SOCKET_BYTES = 4 << 20
_STATUS = {
    1: "cleared",
    2: "timeout",
    3: "missing packets",
    4: "wrong packet id",
    5: "size mismatch",
    6: "half filled",
    7: "aborted",
    8: "payload not supported",
    9: "its producer calls it incomplete",  # no code of Aravis, which has them up to 8
}
_log = structlog.get_logger(__name__)


class GenicamOptions(CameraOptions):
    """A camera by id, serial or address (`device`; the only one that is found without it).

    With `producer`, a vendor's GenTL producer (`.cti`) speaks to the camera instead of Aravis.

    `trigger` is `software` (at `rate_per_s`), a line of the camera as `Line0`, or None: free running, at `rate_per_s`
    or as the camera is set. What is not set stays as the camera has it. A camera that triggers itself, or is
    triggered from here, is lost where it gives nothing for `buffer_limit_s` beyond its period. `trigger_counter`
    `frame_id` makes the block id the visit's number: the line gives its first trigger later than `arm_s` after ingest's
    start, and a camera that is opened later than that, or twice, is refused. `edge_counter` names a counter of the
    camera, as `Counter0`, that is set to count the edges of its line: where they are not as many as its pictures, it
    ignored a trigger, and the pictures are doubted. After `shots` of them it has ended.
    """

    kind: Literal["genicam"] = "genicam"
    device: str | None = Field(None, min_length=1)
    producer: Path | None = None
    interface: IPv4Address | None = None
    width: int | None = Field(None, ge=1)
    height: int | None = Field(None, ge=1)
    offset_x: int | None = Field(None, ge=0)
    offset_y: int | None = Field(None, ge=0)
    pixel_format: (
        Literal["Mono8", "Mono10", "Mono12", "Mono16", "BayerGR8", "BayerRG8", "BayerGB8", "BayerBG8", "RGB8", "BGR8"]
        | None
    ) = None
    exposure_us: float | None = Field(None, gt=0)
    gain: float | None = Field(None, ge=0)
    trigger: str | None = Field(None, min_length=1)
    trigger_counter: Literal["frame_id"] | None = None
    edge_counter: str | None = Field(None, min_length=1)
    packet_size: int = Field(1400, ge=576, le=16_000)
    buffers: int = Field(16, ge=2, le=1000)
    buffer_limit_s: float = Field(5.0, gt=0)
    arm_s: float = Field(10.0, ge=0)
    shots: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _triggers_agree(self) -> Self:
        if self.is_triggered_by_line and self.rate_per_s is not None:
            raise ValueError(
                f"rate_per_s is for free running and trigger = 'software'; {self.trigger} has its own rate"
            )
        if self.trigger_counter and not self.is_triggered_by_line:
            raise ValueError(
                "trigger_counter needs a trigger that all cameras share: a line, such as trigger = 'Line0'"
            )
        if self.edge_counter and not self.is_triggered_by_line:
            raise ValueError("edge_counter counts the edges of a line, such as trigger = 'Line0'")
        aravis_only = self.model_fields_set & {"interface", "packet_size", "trigger_counter", "edge_counter"}
        if self.producer and aravis_only:
            raise ValueError(f"{', '.join(sorted(aravis_only))}: only without a producer")
        return self

    @property
    def brings_visits(self) -> bool:
        """Where the block id is the visit's number."""
        return self.trigger_counter is not None

    @property
    def begins_anew(self) -> bool:
        """Where visits are named by the run and the block id."""
        return self.trigger_counter is not None

    @property
    def is_triggered_by_line(self) -> bool:
        """Whether pictures come when the plant wants them."""
        return self.trigger not in {None, "software"}

    @classmethod
    def discover(cls) -> list[dict[str, str]]:
        """The cameras that answer a search of about a second; `device_id` is what `device` takes.

        Raises:
            ConfigurationError: where Aravis is missing, and no producer is there either.
        """
        by_producers = discovered()
        try:
            return [asdict(one) for one in aravis().found()] + by_producers
        except ConfigurationError:
            if not by_producers:
                raise
            return by_producers

    def open(self, run: CameraRun) -> GenicamCamera:
        """The camera, set, read back, and taking pictures.

        Raises:
            ConfigurationError: where it is not as it was set, several could be meant, or a library is missing.
            CameraFault: where it does not answer, or somebody else has control of it.
        """
        if self.trigger_counter and (run.first or run.clock.now_ms() > run.start_ms + self.arm_s * 1000):
            raise CameraFault(
                f"block ids count since a camera was opened, and this one is opened more than {self.arm_s:g} s after "
                "the run's start or once more: they would not be those of the station's other cameras; stop the line "
                "and start ingest anew"
            )
        try:
            device = self._device(run)
            try:
                limit_s = _set_up(device, self)
                device.start(self.buffers, SOCKET_BYTES)
            except BaseException:
                device.close()
                raise
        except GenicamError as error:
            raise CameraFault(f"camera {self.device or ''}: {error}") from error
        return GenicamCamera(device, self, run, limit_s)

    def _device(self, run: CameraRun) -> GenicamDevice:
        if self.producer is not None:
            return opened_by(self.producer, self.device, run.clock)
        return opened(aravis(), self.device, self.interface)


class GenicamCamera:
    """Takes what the device gives; `limit_s` is how long it may give nothing, None where the plant decides that."""

    def __init__(self, device: GenicamDevice, options: GenicamOptions, run: CameraRun, limit_s: float | None) -> None:
        self._device, self._options, self._run, self._limit_s = device, options, run, limit_s
        self._pace, self._first, self._index = options.pace(run), run.first, run.first
        self._ready: deque[Shot] = deque()
        self._ids = BlockIds()
        self._is_triggered = False
        self._silent_s = 0.0

    def poll(self, timeout_s: float) -> Shot | None:
        """The next picture, or a shot without one for each that was not whole or did not come.

        Raises:
            EndOfPictures: after `shots` of them.
            CameraFault: where the device is lost, or its block ids are not to be followed.
        """
        if self._options.shots is not None and self._index - len(self._ready) >= self._options.shots:
            raise EndOfPictures
        if not self._ready:
            if not self._triggered(timeout_s):
                return None
            block = self._device.pop(timeout_s)
            if block is None:
                self._count_silence(timeout_s)
                return None
            self._silent_s, self._is_triggered = 0.0, False
            self._take(block)
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Stop the device and give up control of it."""
        self._device.close()

    def _triggered(self, timeout_s: float) -> bool:
        """Whether a picture may come; gives the software's trigger when it is due."""
        if self._options.trigger != "software" or self._is_triggered:
            return True
        if not self._pace.reached(self._index - self._first, timeout_s):
            return False
        try:
            self._device.ask("execute_command", b"TriggerSoftware")
        except GenicamError as error:
            raise self._fault(str(error)) from error
        self._is_triggered = True
        return True

    def _count_silence(self, waited_s: float) -> None:
        if self._device.lost.is_set():  # looked at last: what came before is taken
            raise self._fault("control of it is lost")
        self._silent_s += waited_s
        if self._limit_s is not None and self._silent_s >= self._limit_s:
            # Not waited for any longer: a picture that comes late would be taken for the next part's.
            raise self._fault(f"it gave nothing for {self._silent_s:.1f} s")

    def _fault(self, reason: str) -> CameraFault:
        """With the shot that was due, unless only the plant knows whether one was."""
        due = None if self._options.is_triggered_by_line else self._lost(None, self._run.clock.now_ms(), reason)
        return CameraFault(f"camera {self._options.device or ''}: {reason}", due)

    def _take(self, block: Block) -> None:
        try:
            numbers = self._ids.place(None if block.status and not block.frame_id else block.frame_id)
        except UncountableBlock as error:
            raise self._fault(str(error)) from error
        if numbers is None:
            if self._ids.nameless > self._options.buffers:
                raise self._fault(f"the first packets of {self._ids.nameless} blocks did not come")
            return
        now_ms = block.system_ms or self._run.clock.now_ms()
        *missing, number = numbers
        if missing:
            _log.warning("block ids are missing", camera_id=self._options.camera_id, count=len(missing), before=number)
        for one in missing:
            self._ready.append(self._lost(one, now_ms, f"block {one} did not come"))
        self._ready.append(self._shot(block, number, now_ms))

    def _shot(self, block: Block, number: int, now_ms: int) -> Shot:
        if block.status:
            why = _STATUS.get(block.status, f"status {block.status}")
            return self._lost(number, now_ms, f"block {number} is not whole: {why}", CameraCondition.TORN)
        try:
            picture = picture_of(block)
        except Unreadable as error:
            return self._lost(number, now_ms, f"block {number}: {error}", CameraCondition.TORN)
        shot = Shot(self._index, now_ms, picture, trigger=self._trigger(number), doubt=self._doubt(number))
        self._index += 1
        return shot

    def _doubt(self, number: int) -> str | None:
        """Why a picture may be of another trigger than its number says; None where none was ignored.

        The counter is read after the picture came: one that is ahead by the next part's edge doubts for nothing, and a
        trigger that was ignored before is never hidden.
        """
        if self._options.edge_counter is None:
            return None
        try:
            edges = self._device.ask("get_integer", b"CounterValue")
        except GenicamError as error:
            raise self._fault(str(error)) from error
        if edges == number:
            return None
        return f"its line had {edges} triggers at picture {number}: a trigger was ignored, or the next part is too near"

    def _lost(
        self, number: int | None, now_ms: int, why: str, condition: CameraCondition = CameraCondition.LOST
    ) -> Shot:
        shot = Shot(
            self._index,
            now_ms,
            None,
            loss=Loss.CAMERA_FAULT,
            loss_detail=why,
            trigger=None if number is None else self._trigger(number),
            conditions=(condition,),
        )
        self._index += 1
        return shot

    def _trigger(self, number: int) -> Trigger | None:
        return Trigger(number, self._run.start_ms) if self._options.trigger_counter else None


def _set_up(device: GenicamDevice, options: GenicamOptions) -> float | None:
    """Set what is set and read it back; how long the camera may give nothing."""
    device.ask("stop_acquisition")  # which may go on since a process that was killed; settings are locked meanwhile
    if device.is_gige:
        put(device, "packet_size", options.packet_size, ["gv_set_packet_size"], ["gv_get_packet_size"])
        allowed = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
        if allowed < SOCKET_BYTES:
            _log.warning(
                "packets will be lost; allow larger socket buffers: sysctl -w net.core.rmem_max=4194304",
                camera_id=options.camera_id,
                allowed_bytes=allowed,
            )
    if options.pixel_format is not None:
        names = {one.code: name for name, one in FORMATS.items()}
        wanted = FORMATS[options.pixel_format].code
        put(device, "pixel_format", wanted, ["set_pixel_format"], ["get_pixel_format"], names)
    elif (code := device.ask("get_pixel_format")) not in BY_CODE:
        raise ConfigurationError(
            f"the camera's pixel format is 0x{code:08x}; set pixel_format, one of {', '.join(FORMATS)}"
        )
    _set_region(device, options)
    for feature, value, what in (("Exposure", options.exposure_us, "exposure_time"), ("Gain", options.gain, "gain")):
        if value is not None:
            if device.has(f"{feature}Auto"):
                put_feature(device, f"{feature}Auto", "Off")
            put(device, what, value, [f"set_{what}"], [f"get_{what}"])
    if device.has("AcquisitionMode") and device.ask("get_string", b"AcquisitionMode") != b"Continuous":
        put_feature(device, "AcquisitionMode", "Continuous")
    return _set_trigger(device, options)


def _set_region(device: GenicamDevice, options: GenicamOptions) -> None:
    for size_name, size, offset_name, offset in (
        ("Width", options.width, "OffsetX", options.offset_x),
        ("Height", options.height, "OffsetY", options.offset_y),
    ):
        if size is not None:
            if offset is not None:
                put_feature(device, offset_name, 0)  # the size may need the room
            put_feature(device, size_name, size)
        if offset is not None:
            put_feature(device, offset_name, offset)


def _set_trigger(device: GenicamDevice, options: GenicamOptions) -> float | None:
    if options.trigger is not None:
        source = "Software" if options.trigger == "software" else options.trigger
        put(device, "trigger", source, ["set_trigger"], ["get_string", b"TriggerSource"])
        put_feature(device, "TriggerMode", "On")
        if options.edge_counter is not None:
            count_edges(device, options.edge_counter, options.trigger)
        elif options.trigger_counter:
            _log.warning(
                "nothing sees a trigger that this camera ignores, after which its pictures are of other parts; set "
                "edge_counter, where it has one",
                camera_id=options.camera_id,
            )
        return None if options.is_triggered_by_line else options.buffer_limit_s
    device.ask("clear_triggers")
    if device.has("TriggerMode"):
        put_feature(device, "TriggerMode", "Off")
    if options.rate_per_s is not None:
        put(device, "rate_per_s", options.rate_per_s, ["set_frame_rate"], ["get_frame_rate"])
    rate_per_s: float = device.ask("get_frame_rate")
    return options.buffer_limit_s + 1 / max(rate_per_s, 0.001)
