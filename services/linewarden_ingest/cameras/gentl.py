"""GenICam cameras by a vendor's GenTL producer (`.cti`), through harvesters: what is asked of a camera, no more.

harvesters gives back an incomplete buffer by itself and tells it only by an event, may wait without an end in `fetch`,
and shows pictures in memory that is written again: none of that reaches who asks here.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import math
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import structlog

from linewarden_ingest.cameras.device import Block, FoundCamera, GenicamError
from linewarden_ingest.cameras.finding import chosen
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError

SEARCH_PATH = "GENICAM_GENTL64_PATH"
"""The variable by which a vendor's installer tells the folders of its producers."""
TOO_LARGE, NO_PICTURE, INCOMPLETE = 5, 8, 9
_WAIT_S = 0.001  # a wait of GenTL keeps Python's lock: heartbeat and watchdog run in the pauses
_PAUSE_S = 0.002
_ASKED_AFTER_S = 1.0
_STEPS_OF_GENTL = ("GCInitLib", "TLOpen", "IFOpenDevice", "DevOpenDataStream", "DSQueueBuffer", "EventGetData")
_FEATURES = {
    "pixel_format": ("PixelFormat",),
    "exposure_time": ("ExposureTime", "ExposureTimeAbs"),  # the second as cameras before SFNC 2 call it
    "gain": ("Gain",),
    "frame_rate": ("AcquisitionFrameRate", "AcquisitionFrameRateAbs"),
}
_CODE_OF_GENAPI = re.compile(r" : \w+ thrown in .*", re.DOTALL)
_log = structlog.get_logger(__name__)


def discovered() -> list[dict[str, str]]:
    """The cameras that producers of `GENICAM_GENTL64_PATH` see, each with its `producer`; or what is wrong there."""
    folders = [Path(one) for one in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if one]
    told = []
    for path in sorted({one for folder in folders for one in folder.glob("*.cti")}):
        try:
            with closing(GentlProducer(path)) as producer:
                told += [{"producer": str(path), **asdict(one)} for one in producer.found()]
        except (ConfigurationError, GenicamError) as error:
            told.append({"producer": str(path), "fault": str(error)})
    return told


class GentlProducer:
    """The producer at `path` with the cameras that it sees now; one object at a time in a process.

    Raises:
        ConfigurationError: where it is no producer, or harvesters is missing.
        GenicamError: where it fails.
    """

    def __init__(self, path: Path) -> None:
        try:
            core = importlib.import_module("harvesters.core")
        except ModuleNotFoundError as error:
            raise ConfigurationError(f"{error}: a GenTL producer needs pip install 'linewarden[gentl]'") from error
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            raise ConfigurationError(f"producer {path} does not load: {error}") from error
        if missing := [one for one in _STEPS_OF_GENTL if not hasattr(library, one)]:  # harvesters would crash
            raise ConfigurationError(f"producer {path} is no GenTL producer: it has no {missing[0]}")
        self._core, self._words = core, _LastWords()
        logger = logging.Logger("harvesters", logging.WARNING)  # noqa: LOG001 - its words are told with the fault alone
        logger.addHandler(self._words)
        settings = core.ParameterSet({core.ParameterKey.LOGGER: logger})
        self._harvester = core.Harvester(config=settings)
        self._harvester.add_file(str(path))
        with _failures():
            self._harvester.update()
        if not self._harvester.device_info_list and self._words.last:
            raise GenicamError(f"producer {path}: {self._words.last}", is_of_settings=False)

    def found(self) -> list[FoundCamera]:
        """The cameras that it sees."""
        return [_found(one.property_dict) for one in self._harvester.device_info_list]

    def open(self, name: str | None, clock: Clock) -> GentlDevice:
        """The camera of this id or serial, or the only one, under our control.

        Raises:
            ConfigurationError: where several could be meant, or it has more than one stream.
            CameraFault: where it does not answer.
            GenicamError: where it cannot be had.
        """
        found = self.found()
        index = found.index(chosen(found, name))
        settings = self._core.ParameterSet({self._core.ParameterKey.ENABLE_AUTO_CHUNK_DATA_UPDATE: False})
        asked_to_stop = signal.getsignal(signal.SIGINT)
        try:
            with _failures():
                acquirer = self._harvester.create(index, config=settings)
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, asked_to_stop)  # harvesters takes it for itself
        if (streams := len(acquirer.data_streams)) != 1:
            raise ConfigurationError(f"camera {found[index].device_id} has {streams} streams; one alone can be read")
        return GentlDevice(self, self._core, acquirer, clock)

    def close(self) -> None:
        """Give up the producer and all that is of it."""
        with suppress(GenicamError), _failures():
            self._harvester.reset()


def _found(told: Mapping[str, Any]) -> FoundCamera:
    device_id, vendor, model, serial, protocol = (
        str(told.get(name) or "") for name in ("id_", "vendor", "model", "serial_number", "tl_type")
    )
    return FoundCamera(device_id, vendor, model, serial, address="", protocol=protocol)


def opened_by(path: Path, name: str | None, clock: Clock) -> GentlDevice:
    """The camera of this name that the producer sees, or the only one; raises as `GentlProducer` and its `open` do."""
    producer = GentlProducer(path)
    try:
        return producer.open(name, clock)
    except BaseException:
        producer.close()
        raise


class GentlDevice:
    """A camera that was opened. Its own thread copies what comes at once, so a block has the time when it came."""

    is_gige = False
    """Packets and sockets are the producer's to set."""

    def __init__(self, producer: GentlProducer, core: Any, acquirer: Any, clock: Clock) -> None:  # noqa: ANN401 - of harvesters
        self.lost = threading.Event()
        self._producer, self._acquirer, self._clock = producer, acquirer, clock
        self._nodes = acquirer.remote_device.node_map
        self._blocks: Queue[Block] = Queue()
        self._is_closed, self._is_incomplete = threading.Event(), False
        self._reader = threading.Thread(target=self._read, name="gentl", daemon=True)
        event = core.ImageAcquirer.Events.INCOMPLETE_BUFFER
        acquirer.add_callback(event, _callback(core, self._note_incomplete))

    def ask(self, what: str, *arguments: Any) -> Any:  # noqa: ANN401 - whatever the camera tells
        """Do or tell `what`, as of `GenicamDevice`."""
        with _failures():
            if what == "stop_acquisition":
                return self._nodes.get_node("AcquisitionStop").execute()
            if what == "execute_command":
                return self._nodes.get_node(arguments[0].decode()).execute()
            if what in {"set_trigger", "clear_triggers"}:
                return self._set_trigger(*arguments)
            verb, _, name = what.partition("_")
            by_name = name in {"integer", "string"}
            features = (arguments[0].decode(),) if by_name else _FEATURES[name]
            if what == "get_frame_rate" and not any(map(self.has, features)):
                return math.inf  # it tells none
            node = self._nodes.get_node(next(filter(self.has, features), features[0]))
            return _value(node, name) if verb == "get" else self._put(node, name, arguments[-1])

    def has(self, feature: str) -> bool:
        """Whether it has the feature, now."""
        with _failures():
            return bool(self._nodes.has_node(feature) and self._nodes.get_node(feature).get_access_mode() > 1)

    def start(self, buffers: int, socket_bytes: int) -> None:  # noqa: ARG002 - of GigE Vision by Aravis
        """Begin to take pictures into a ring of buffers, of as many as the producer needs at least."""
        self._blocks = Queue(buffers)
        with _failures():
            self._acquirer.num_buffers = max(buffers, self._acquirer.min_num_buffers)
            self._acquirer.start()
        self._reader.start()

    def pop(self, timeout_s: float) -> Block | None:
        """What came next, whole or not, or None where nothing came in time."""
        with suppress(Empty):
            return self._blocks.get(timeout=timeout_s)
        return None

    def close(self) -> None:
        """Stop it and give it up with its producer."""
        self._is_closed.set()
        if self._reader.is_alive():
            self._reader.join()
        with suppress(GenicamError), _failures():
            self._acquirer.destroy()
        self._producer.close()

    def _put(self, node: Any, name: str, wanted: Any) -> None:  # noqa: ANN401 - of GenApi
        if name == "frame_rate" and self.has("AcquisitionFrameRateEnable"):
            self._nodes.get_node("AcquisitionFrameRateEnable").value = True
        if name == "pixel_format":
            node.set_int_value(wanted)
        elif isinstance(wanted, bytes):
            node.from_string(wanted.decode())
        else:
            node.value = wanted

    def _set_trigger(self, source: bytes | None = None) -> None:
        """One picture for each rising edge of the source, or none triggered; no other trigger is left."""
        selectors = [self._nodes.get_node("TriggerSelector")] if self.has("TriggerSelector") else []
        for selector in selectors:
            for one in selector.symbolics:
                selector.value = one
                self._nodes.get_node("TriggerMode").value = "Off"
        if source is None:
            return
        for selector in selectors:
            selector.value = "FrameStart"
        if self.has("TriggerActivation"):
            self._nodes.get_node("TriggerActivation").value = "RisingEdge"
        self._nodes.get_node("TriggerSource").from_string(source.decode())

    def _note_incomplete(self) -> None:
        self._is_incomplete = True

    def _read(self) -> None:
        silent_s = 0.0
        try:
            while not self._is_closed.wait(_PAUSE_S):
                block = self._fetched()
                silent_s = 0.0 if block else silent_s + _PAUSE_S
                if silent_s >= _ASKED_AFTER_S:
                    silent_s = 0.0
                    self._see_it_answers()
                while block and not self._is_closed.is_set():
                    with suppress(Full):  # then the ring fills, and the block ids tell what was not taken
                        self._blocks.put(block, timeout=_ASKED_AFTER_S)
                        block = None
        except GenicamError as error:
            _log.warning("the producer gives no more", reason=str(error))
        finally:
            self.lost.set()  # whoever closes asks no more

    def _fetched(self) -> Block | None:
        self._is_incomplete = False
        with _failures():
            buffer = self._acquirer.try_fetch(timeout=_WAIT_S, is_raw=True)
        now_ms = self._clock.now_ms()
        if buffer is None:
            return Block(INCOMPLETE, 0, now_ms, 0, 0, 0, 0, b"") if self._is_incomplete else None
        try:
            with _failures():
                return _block(buffer, now_ms)
        finally:
            with _failures():
                buffer.parent.queue_buffer(buffer)

    def _see_it_answers(self) -> None:
        """Ask the camera itself; raises GenicamError where it does not answer any more."""
        with _failures():
            node = self._nodes.get_node("Width")
            node.node.invalidate_node()
            _ = node.value


def _value(node: Any, name: str) -> Any:  # noqa: ANN401 - of GenApi
    if name == "pixel_format":
        return node.get_int_value()
    return node.to_string().encode() if name == "string" else node.value


def _block(buffer: Any, now_ms: int) -> Block:  # noqa: ANN401 - of GenTL
    """What a complete buffer holds, copied: its bytes are those of the ring, though Python calls them constant."""
    gentl = importlib.import_module("genicam.gentl")
    kinds = gentl.PAYLOADTYPE_INFO_IDS
    frame_id = buffer.frame_id
    if buffer.has_received_larger_payload():
        return Block(TOO_LARGE, frame_id, now_ms, 0, 0, 0, 0, b"")
    if buffer.payload_type not in {kinds.PAYLOAD_TYPE_IMAGE, kinds.PAYLOAD_TYPE_CHUNK_DATA}:
        return Block(NO_PICTURE, frame_id, now_ms, 0, 0, 0, 0, b"")
    delivered = _info(gentl, buffer, "delivered_image_height", buffer.height)
    if delivered != buffer.height:
        return Block(INCOMPLETE, frame_id, now_ms, 0, 0, 0, 0, b"")
    begin, size = _info(gentl, buffer, "image_offset", 0), _info(gentl, buffer, "size_filled", buffer.size)
    return Block(
        0,
        frame_id,
        now_ms,
        buffer.width,
        buffer.height,
        buffer.pixel_format,
        _info(gentl, buffer, "padding_x", 0),
        bytes(memoryview(buffer.raw_buffer)[begin:size]),
    )


def _info(gentl: Any, buffer: Any, what: str, otherwise: int) -> int:  # noqa: ANN401 - of GenTL
    """What the buffer tells of itself, where its producer knows it."""
    try:
        return int(getattr(buffer, what))
    except (gentl.NotAvailableException, gentl.NotImplementedException):
        return otherwise


@contextmanager
def _failures() -> Iterator[None]:
    """Whatever GenApi or a producer calls an error is a GenicamError."""
    genapi, gentl = importlib.import_module("genicam.genapi"), importlib.import_module("genicam.gentl")
    try:
        yield
    except genapi.GenericException as error:
        is_of_link = isinstance(error, genapi.RuntimeException | genapi.TimeoutException)
        raise GenicamError(_CODE_OF_GENAPI.sub("", str(error)), is_of_settings=not is_of_link) from error
    except gentl.GenericException as error:
        raise GenicamError(str(error), is_of_settings=False) from error


def _callback(core: Any, told: Any) -> Any:  # noqa: ANN401 - of harvesters
    class Incomplete(core.Callback):  # type: ignore[misc]  # harvesters takes no other
        def emit(self, context: object = None) -> None:  # noqa: ARG002 - so harvesters calls it
            told()

    return Incomplete()


class _LastWords(logging.Handler):
    """The last that harvesters told of what went wrong."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
