"""`python -m linewarden_runtime.kafka.apart.child PIPE RING`: takes records from the pipe and sends them.

Ends when it is told to or when the other end of the pipe closes, having sent what it took over.
"""

from __future__ import annotations

import mmap
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from linewarden_runtime.errors import DeliveryFailed, RuntimeFault, TooLarge
from linewarden_runtime.kafka.apart.shared import Report, Told
from linewarden_runtime.kafka.producer import KafkaPlainProducer
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.records import OutRecord


class Reporter:
    """Tells fates on a thread of its own, as many at a time as came meanwhile."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._report = Report(0, [], [])
        self._is_due = self._is_over = False
        # No Background: it ends with the pipe, and nobody is left to be told of a failure.
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def read(self) -> None:
        """One record was taken over."""
        with self._changed:
            self._report = self._report._replace(read=self._report.read + 1)
            if self._report.read >= 16:  # so few that the writer never waits long for room
                self._wake()

    def decided(self, number: int, failure: Exception | None, append_ms: int | None = None) -> None:
        """The fate of one record is known, and when the broker appended it."""
        with self._changed:
            if failure is None:
                self._report.delivered.append((number, append_ms))
            else:
                self._report.refused.append((number, isinstance(failure, TooLarge), str(failure)))
            self._wake()

    def close(self) -> None:
        """Tell what is left and end."""
        with self._changed:
            self._is_over = True
            self._wake()
        self._thread.join()

    def _wake(self) -> None:
        self._is_due = True
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_due)
                # Sent without the lock, so that the client's thread never waits for the pipe.
                report, self._report, self._is_due = self._report, Report(0, [], []), False
                is_over = self._is_over
            try:
                self._connection.send(report)
            except OSError:
                return  # nobody is left to be told
            if is_over:
                return


def main() -> None:
    """Serve the one writer at the other end of the pipe until it goes; a broker that is away is told it."""
    # A terminal's Ctrl-C reaches this process too; its writer drains first and then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe, ring = (int(argument) for argument in sys.argv[1:])
    connection: Connection[Any, Any] = Connection(pipe)
    settings, client = connection.recv()
    try:
        producer = KafkaPlainProducer(KafkaSettings.model_validate_json(settings), client)
    except RuntimeFault as fault:
        connection.send((type(fault).__name__, str(fault)))
        return
    connection.send(None)
    reporter = Reporter(connection)
    with memoryview(mmap.mmap(ring, 0, access=mmap.ACCESS_READ)) as memory:
        _serve(connection, memory, producer, reporter)
        # While the reporter still tells: this sends what is pending, and its fates are the last reports.
        producer.close()
    reporter.close()


def _serve(
    connection: Connection[Any, Any], memory: memoryview, producer: KafkaPlainProducer, reporter: Reporter
) -> None:
    while True:
        try:
            told = connection.recv()
        except (EOFError, OSError):
            return  # the writer is gone; what it told is on its way
        if told is None:
            return
        # The room is told free after the client has copied the value, never before.
        _send(Told(*told), memory, producer, reporter)
        reporter.read()


def _send(told: Told, memory: memoryview, producer: KafkaPlainProducer, reporter: Reporter) -> None:
    value = None if told.size is None else memory[told.offset : told.offset + told.size]
    record = OutRecord(told.topic, told.key, value, told.headers, told.partition)  # type: ignore[arg-type]  # copied by the client at once
    try:
        delivery = producer.send(record)
    except DeliveryFailed as failure:
        reporter.decided(told.number, failure)
    else:
        delivery.add_done_callback(lambda failure: reporter.decided(told.number, failure, delivery.append_ms()))


if __name__ == "__main__":
    main()
