"""Aravis, the library of GigE Vision and USB3 Vision cameras, by ctypes: what is called of it, and nothing more.

Its own Python face needs PyGObject. A GError is raised as a `GenicamError`; every wait has an end.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import threading
from contextlib import suppress
from ctypes import c_bool, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from linewarden_ingest.cameras.device import Block, FoundCamera, GenicamError
from linewarden_runtime.errors import ConfigurationError

_SETTINGS_ERRORS = {"arv-gc-error-quark": None, "arv-device-error-quark": (0, 1, 4, 8)}
"""Domains, and codes of theirs, that say that a setting is wrong: no such feature, refused, or a bad value."""
_CONTROL_LOST = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
_CHECKED = 1
_NEVER = _FIXED = 0
_ALWAYS = 1
_NO_PACKET_SOCKET = 1
# By name: what is given back, and what is taken; those that may fail take a GError** as well.
_PLAIN: dict[str, tuple[Any, list[Any]]] = {
    "arv_buffer_get_frame_id": (c_uint64, [c_void_p]),
    "arv_buffer_get_image_data": (c_void_p, [c_void_p, ctypes.POINTER(c_size_t)]),
    "arv_buffer_get_image_height": (c_int, [c_void_p]),
    "arv_buffer_get_image_padding": (None, [c_void_p, ctypes.POINTER(c_int), ctypes.POINTER(c_int)]),
    "arv_buffer_get_image_pixel_format": (c_uint, [c_void_p]),
    "arv_buffer_get_image_width": (c_int, [c_void_p]),
    "arv_buffer_get_status": (c_int, [c_void_p]),
    "arv_buffer_get_system_timestamp": (c_uint64, [c_void_p]),
    "arv_buffer_new_allocate": (c_void_p, [c_size_t]),
    "arv_buffer_set_frame_id": (None, [c_void_p, c_uint64]),
    "arv_buffer_set_system_timestamp": (None, [c_void_p, c_uint64]),
    "arv_camera_get_device": (c_void_p, [c_void_p]),
    "arv_camera_gv_set_packet_size_adjustment": (None, [c_void_p, c_int]),
    "arv_camera_gv_set_stream_options": (None, [c_void_p, c_int]),
    "arv_camera_is_gv_device": (c_bool, [c_void_p]),
    "arv_camera_set_access_check_policy": (None, [c_void_p, c_int]),
    "arv_camera_set_range_check_policy": (None, [c_void_p, c_int]),
    "arv_get_device_address": (c_char_p, [c_uint]),
    "arv_get_device_id": (c_char_p, [c_uint]),
    "arv_get_device_model": (c_char_p, [c_uint]),
    "arv_get_device_protocol": (c_char_p, [c_uint]),
    "arv_get_device_serial_nbr": (c_char_p, [c_uint]),
    "arv_get_device_vendor": (c_char_p, [c_uint]),
    "arv_get_n_devices": (c_uint, []),
    "arv_gv_device_is_controller": (c_bool, [c_void_p]),
    "arv_stream_push_buffer": (None, [c_void_p, c_void_p]),
    "arv_stream_timeout_pop_buffer": (c_void_p, [c_void_p, c_uint64]),
    "arv_update_device_list": (None, []),
}
_FALLIBLE: dict[str, tuple[Any, list[Any]]] = {
    "arv_camera_clear_triggers": (None, [c_void_p]),
    "arv_camera_create_stream": (c_void_p, [c_void_p, c_void_p, c_void_p]),
    "arv_camera_execute_command": (None, [c_void_p, c_char_p]),
    "arv_camera_get_exposure_time": (c_double, [c_void_p]),
    "arv_camera_get_frame_rate": (c_double, [c_void_p]),
    "arv_camera_get_gain": (c_double, [c_void_p]),
    "arv_camera_get_integer": (c_int64, [c_void_p, c_char_p]),
    "arv_camera_get_pixel_format": (c_uint, [c_void_p]),
    "arv_camera_get_payload": (c_uint, [c_void_p]),
    "arv_camera_get_string": (c_char_p, [c_void_p, c_char_p]),
    "arv_camera_gv_get_packet_size": (c_uint, [c_void_p]),
    "arv_camera_gv_set_packet_size": (None, [c_void_p, c_int]),
    "arv_camera_is_feature_available": (c_bool, [c_void_p, c_char_p]),
    "arv_camera_new": (c_void_p, [c_char_p]),
    "arv_camera_new_with_device": (c_void_p, [c_void_p]),
    "arv_camera_set_exposure_time": (None, [c_void_p, c_double]),
    "arv_camera_set_frame_rate": (None, [c_void_p, c_double]),
    "arv_camera_set_gain": (None, [c_void_p, c_double]),
    "arv_camera_set_integer": (None, [c_void_p, c_char_p, c_int64]),
    "arv_camera_set_pixel_format": (None, [c_void_p, c_uint]),
    "arv_camera_set_string": (None, [c_void_p, c_char_p, c_char_p]),
    "arv_camera_set_trigger": (None, [c_void_p, c_char_p]),
    "arv_camera_start_acquisition": (None, [c_void_p]),
    "arv_camera_stop_acquisition": (None, [c_void_p]),
    "arv_gv_device_new": (c_void_p, [c_void_p, c_void_p]),
}


class _GError(ctypes.Structure):
    _fields_ = (("domain", ctypes.c_uint32), ("code", c_int), ("message", c_char_p))


class Aravis:
    """The library at `path`, with GObject's beside it."""

    def __init__(self, path: str) -> None:
        self.plain = ctypes.CDLL(path)
        self.gobject = ctypes.CDLL(ctypes.util.find_library("gobject-2.0") or "libgobject-2.0.so.0")
        self._gio = ctypes.CDLL(ctypes.util.find_library("gio-2.0") or "libgio-2.0.so.0")
        for name, (given, taken) in _PLAIN.items():
            self.declare(name, given, taken)
        for name, (given, taken) in _FALLIBLE.items():
            self.declare(name, given, [*taken, ctypes.POINTER(ctypes.POINTER(_GError))])
        self.gobject.g_object_unref.argtypes = self.gobject.g_error_free.argtypes = (c_void_p,)
        self.gobject.g_quark_to_string.restype = c_char_p
        self.gobject.g_signal_connect_data.argtypes = (c_void_p, c_char_p, c_void_p, c_void_p, c_void_p, c_int)
        self._gio.g_inet_address_new_from_string.restype = c_void_p
        self._gio.g_inet_address_new_from_string.argtypes = (c_char_p,)

    def declare(self, name: str, given: Any, taken: list[Any]) -> None:  # noqa: ANN401 - a type of C, or None
        """Say what a function of the library gives and takes."""
        function = getattr(self.plain, name)
        function.restype, function.argtypes = given, taken

    def call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the function gives
        """What a function that may fail gives.

        Raises:
            GenicamError: where it failed.
        """
        error = ctypes.POINTER(_GError)()
        given = getattr(self.plain, name)(*arguments, ctypes.byref(error))
        if error:
            told, domain = error.contents, self.gobject.g_quark_to_string(error.contents.domain).decode()
            codes = _SETTINGS_ERRORS.get(domain, ())
            message, of_settings = told.message.decode(errors="replace"), codes is None or told.code in codes
            self.gobject.g_error_free(error)
            raise GenicamError(message, is_of_settings=of_settings)
        return given

    def found(self) -> list[FoundCamera]:
        """The cameras that answer now; the search takes about a second."""
        self.plain.arv_update_device_list()
        told = ("id", "vendor", "model", "serial_nbr", "address", "protocol")
        asked = [getattr(self.plain, f"arv_get_device_{name}") for name in told]
        count = self.plain.arv_get_n_devices()
        return [FoundCamera(*((ask(one) or b"").decode(errors="replace") for ask in asked)) for one in range(count)]

    def open(self, name: str, interface: str | None = None) -> AravisDevice:
        """The camera of this id or address, under control; its answers go to the address `interface` of this machine.

        Raises:
            GenicamError: where it does not answer.
        """
        if interface is None:
            return AravisDevice(self, self.call("arv_camera_new", name.encode()))
        ends = [self._gio.g_inet_address_new_from_string(one.encode()) for one in (interface, name)]
        try:
            device = self.call("arv_gv_device_new", *ends)
        finally:
            for end in ends:
                self.gobject.g_object_unref(end)
        try:
            return AravisDevice(self, self.call("arv_camera_new_with_device", device))
        finally:
            self.gobject.g_object_unref(device)


class AravisDevice:
    """A camera that was opened, its features, and its stream. `lost` is set where control of it is lost."""

    def __init__(self, aravis: Aravis, camera: int) -> None:
        self._aravis, self._camera, self._stream = aravis, camera, None
        self.lost = threading.Event()
        self._on_lost = _CONTROL_LOST(lambda *_: self.lost.set())  # kept: C calls it from a thread of its own
        self._device = aravis.plain.arv_camera_get_device(camera)
        aravis.gobject.g_signal_connect_data(
            self._device, b"control-lost", ctypes.cast(self._on_lost, c_void_p), None, None, 0
        )
        aravis.plain.arv_camera_set_range_check_policy(camera, _CHECKED)
        aravis.plain.arv_camera_set_access_check_policy(camera, _CHECKED)

    @property
    def is_gige(self) -> bool:
        """Whether it speaks GigE Vision, else USB3 Vision."""
        return bool(self._aravis.plain.arv_camera_is_gv_device(self._camera))

    @property
    def is_ours(self) -> bool:
        """Whether nobody else controls it; a camera at USB is always that of who opened it."""
        return not self.is_gige or bool(self._aravis.plain.arv_gv_device_is_controller(self._device))

    def ask(self, what: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the function gives
        """Call `arv_camera_` and `what`; raises GenicamError."""
        return self._aravis.call(f"arv_camera_{what}", self._camera, *arguments)

    def has(self, feature: str) -> bool:
        """Whether it has the feature, now; raises GenicamError."""
        return bool(self.ask("is_feature_available", feature.encode()))

    def start(self, buffers: int, socket_bytes: int) -> None:
        """Begin to take pictures into a ring of buffers; what is missing is always asked for again.

        Raises:
            GenicamError: where it does not begin.
        """
        plain = self._aravis.plain
        if self.is_gige:
            # One way of receiving, that of every user; and no packet size but the one that was set.
            plain.arv_camera_gv_set_stream_options(self._camera, _NO_PACKET_SOCKET)
            plain.arv_camera_gv_set_packet_size_adjustment(self._camera, _NEVER)
        self._stream = self.ask("create_stream", None, None)
        if self.is_gige:
            for name, value in (
                (b"packet-resend", _ALWAYS),
                (b"socket-buffer", _FIXED),
                (b"socket-buffer-size", socket_bytes),
            ):
                self._aravis.gobject.g_object_set(c_void_p(self._stream), name, c_int(value), None)
        payload = self.ask("get_payload")
        for _ in range(buffers):
            plain.arv_stream_push_buffer(self._stream, plain.arv_buffer_new_allocate(payload))
        self.ask("start_acquisition")

    def pop(self, timeout_s: float) -> Block | None:
        """What came next, whole or not, or None where nothing came in time.

        The buffer goes back into the ring in any case, and only after its content was copied.
        """
        plain = self._aravis.plain
        buffer = plain.arv_stream_timeout_pop_buffer(self._stream, round(timeout_s * 1e6))
        if not buffer:
            return None
        try:
            return self._block(buffer)
        finally:
            # A block whose first packet is lost would be told with what the buffer's last one had.
            plain.arv_buffer_set_frame_id(buffer, 0)
            plain.arv_buffer_set_system_timestamp(buffer, 0)
            plain.arv_stream_push_buffer(self._stream, buffer)

    def close(self) -> None:
        """Stop it and give it up; a camera that does not answer any more is given up all the same."""
        if not self.lost.is_set():
            with suppress(GenicamError):
                self.ask("stop_acquisition")
        for one in (self._stream, self._camera):
            if one:
                self._aravis.gobject.g_object_unref(one)

    def _block(self, buffer: int) -> Block:
        plain = self._aravis.plain
        status, frame_id = plain.arv_buffer_get_status(buffer), plain.arv_buffer_get_frame_id(buffer)
        system_ms = plain.arv_buffer_get_system_timestamp(buffer) // 1_000_000
        if status != 0:
            return Block(status, frame_id, system_ms, 0, 0, 0, 0, b"")
        size, x, y = c_size_t(), c_int(), c_int()
        data = plain.arv_buffer_get_image_data(buffer, ctypes.byref(size))
        plain.arv_buffer_get_image_padding(buffer, ctypes.byref(x), ctypes.byref(y))
        return Block(
            status,
            frame_id,
            system_ms,
            plain.arv_buffer_get_image_width(buffer),
            plain.arv_buffer_get_image_height(buffer),
            plain.arv_buffer_get_image_pixel_format(buffer),
            x.value,
            ctypes.string_at(data, size.value) if data else b"",
        )


@cache
def aravis() -> Aravis:
    """The library: that of the package aravis-python, which is not imported, or else Debian's.

    Raises:
        ConfigurationError: where there is none, or what it needs is missing.
    """
    brought = importlib.util.find_spec("aravis")
    inside = (
        [Path(one) / "lib" / "libaravis-0.8.so.0" for one in (brought.submodule_search_locations or ())]
        if brought
        else []
    )
    path = next((str(one) for one in inside if one.exists()), None) or ctypes.util.find_library("aravis-0.8")
    if path is None:
        raise ConfigurationError(
            "cameras of kind 'genicam' need the library Aravis: pip install 'linewarden[cameras]', or on Debian "
            "apt install libaravis-0.8-0"
        )
    try:
        return Aravis(path)
    except AttributeError as error:
        raise ConfigurationError(f"{path} is too old: {error}; pip install 'linewarden[cameras]'") from error
    except OSError as error:
        raise ConfigurationError(
            f"{error}: Aravis needs GLib, libxml2 and libusb; on Debian apt install libglib2.0-0 libxml2 libusb-1.0-0"
        ) from error
