"""A bus inside the process, for tests of stages: deterministic, with groups, transactions and fencing.

>>> from linewarden_runtime.ports import TopicSpec
>>> from linewarden_runtime.records import OutRecord
>>> broker = MemoryBroker()
>>> with broker.admin() as admin:
...     admin.create_topics([TopicSpec("line1.frames", partitions=1)])
['line1.frames']
>>> with broker.producer() as producer:
...     producer.send(OutRecord("line1.frames", b"visit", b"picture")).result()
>>> with broker.consumer(group="line1.inspect", topics=["line1.frames"]) as consumer:
...     [record.value for record in consumer.poll(0.0)]
[b'picture']

A failure is ordered before it shall happen, and comes where the real one would:

>>> broker.faults.order(Fault.DELIVERY)
>>> with broker.producer() as producer:
...     producer.send(OutRecord("line1.frames", b"visit", b"picture")).result()
Traceback (most recent call last):
linewarden_runtime.errors.DeliveryFailed: ordered by a test
"""

from linewarden_runtime.testing.broker import MemoryBroker
from linewarden_runtime.testing.faults import Fault

__all__ = ["Fault", "MemoryBroker"]
