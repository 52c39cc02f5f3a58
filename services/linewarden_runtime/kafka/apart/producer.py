"""The writer's side of a producer in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import Pipe

from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, DeliveryFailed, TooLarge
from linewarden_runtime.kafka.apart.shared import Report, Ring, Told
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Closing
from linewarden_runtime.records import OutRecord
from linewarden_runtime.sizes import require_fit


class ApartDelivery:
    """The fate of one record."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decided = threading.Event()
        self._failure: DeliveryFailed | None = None
        self._append_ms: int | None = None
        self._callbacks: list[Callable[[Exception | None], None]] = []

    def done(self) -> bool:
        """Whether the fate is known."""
        return self._decided.is_set()

    def result(self, timeout_s: float | None = None) -> None:
        """Wait for the acknowledgement; raises DeliveryFailed, also when the time is over."""
        if not self._decided.wait(timeout_s):
            raise DeliveryFailed(f"no acknowledgement within {timeout_s} s")
        if self._failure is not None:
            raise self._failure

    def append_ms(self) -> int | None:
        """The broker's append time (epoch ms); None while undecided, after a failure, or if it keeps the producer's."""
        return self._append_ms

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        """Call from the thread that reads the reports, or at once where the fate is known."""
        with self._lock:
            if not self._decided.is_set():
                self._callbacks.append(callback)
                return
        callback(self._failure)

    def decide(self, failure: DeliveryFailed | None, append_ms: int | None = None) -> None:
        """Make the fate known, once: whoever waits goes on, and callbacks run on this thread."""
        with self._lock:
            self._failure, self._append_ms = failure, append_ms
            self._decided.set()
        for callback in self._callbacks:
            callback(failure)


class ApartProducer(Closing):
    """As `linewarden_runtime.ports.Producer` promises, with the client in a child process.

    The child ends with this process, whatever ends it. Should the child end first, everything pending fails.

    Raises:
        BrokerUnavailable: where no broker answers, or the child does not come up.
        ConfigurationError: where the client cannot be made from the settings.
    """

    def __init__(self, settings: KafkaSettings, client: str) -> None:
        self._settings = settings
        # Room for the largest record twice: a payload lies in one piece, and the end that it does not fit into is given
        # up.
        self._ring = Ring(2 * settings.max_record_bytes)
        self._pipe, theirs = Pipe()
        inherited = (theirs.fileno(), self._ring.descriptor)
        command = [sys.executable, "-m", "linewarden_runtime.kafka.apart.child", *map(str, inherited)]
        self._process = subprocess.Popen(command, pass_fds=inherited, stdin=subprocess.DEVNULL)
        # Only the child holds it now, so that the pipe closes with the child.
        theirs.close()
        self._changed = threading.Condition()
        self._pending: dict[int, ApartDelivery] = {}
        self._number = self._unread = 0
        self._is_over = False
        self._open(client)
        # No Background: where it ends, everything pending fails.
        self._listener = threading.Thread(target=self._listen, name="reports", daemon=True)
        self._listener.start()

    def _open(self, client: str) -> None:
        # None once the client is made, else the class of what was in its way, and its words.
        fault: tuple[str, str] | None = (BrokerUnavailable.__name__, "the sending process did not come up")
        with contextlib.suppress(OSError, EOFError):
            self._pipe.send((self._settings.model_dump_json(), client))
            if self._pipe.poll(20.0 + self._settings.bootstrap_timeout_ms / 1000):
                fault = self._pipe.recv()
        if fault is None:
            return
        self._reap(0.0)
        kind, text = fault
        if kind == ConfigurationError.__name__:
            raise ConfigurationError(text)
        raise BrokerUnavailable(f"{kind}: {text}")

    def send(self, record: OutRecord) -> ApartDelivery:
        """Hand over a record, waiting a bounded time for room; raises DeliveryFailed, TooLarge at once."""
        require_fit(record, self._settings.max_record_bytes)
        delivery = ApartDelivery()
        with self._changed:  # payloads are freed in the order in which they are told, so both go together
            told = self._place(record)
            self._pending[told.number] = delivery
            try:
                self._pipe.send(tuple(told))  # a plain tuple costs half of a named one
            except OSError as error:
                raise DeliveryFailed(f"the sending process is gone: {error}") from error
        return delivery

    def _place(self, record: OutRecord) -> Told:
        patience_s = self._settings.request_timeout_ms / 1000
        offset: int | None = None

        def has_room() -> bool:
            nonlocal offset
            # So few told and not taken over yet that telling one never blocks on a full pipe.
            if not self._is_over and self._unread < 64:
                offset = self._ring.place(record.value or b"")
            return self._is_over or offset is not None

        self._changed.wait_for(has_room, patience_s)
        if offset is None:
            raise DeliveryFailed("the sending process is gone" if self._is_over else f"no room for {patience_s} s")
        self._number, self._unread = self._number + 1, self._unread + 1
        size = None if record.value is None else len(record.value)
        return Told(self._number, record.topic, record.partition, record.key, record.headers, offset, size)

    def flush(self, timeout_s: float) -> None:
        """Wait until every record sent so far is decided."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._pending, timeout_s):
                raise BrokerUnavailable(f"records are pending after {timeout_s} s")

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._take_in(self._pipe.recv())
        with self._changed:
            self._is_over = True
            left = list(self._pending.values())
            self._pending.clear()
            self._changed.notify_all()
        # Failed only when none can come any more: the pipe is read to its end.
        for delivery in left:
            delivery.decide(DeliveryFailed("the sending process ended"))

    def _take_in(self, report: Report) -> None:
        with self._changed:
            self._ring.free(report.read)
            self._unread -= report.read
            delivered = [(self._pending.pop(number), append_ms) for number, append_ms in report.delivered]
            refused = [(self._pending.pop(number), big, why) for number, big, why in report.refused]
            self._changed.notify_all()
        # Without the lock: a callback may send again, which takes it.
        for delivery, append_ms in delivered:
            delivery.decide(None, append_ms)
        for delivery, is_too_large, why in refused:
            delivery.decide((TooLarge if is_too_large else DeliveryFailed)(why))

    def close(self) -> None:
        """Send what is pending, within a bounded time; then the process is ended by force."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._reap(self._settings.close_timeout_s + 2.0)
        self._listener.join()

    def _reap(self, patience_s: float) -> None:
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe.close()
        self._ring.close()
