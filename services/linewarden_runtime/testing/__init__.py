"""A bus inside the process, for tests of stages: deterministic, with groups, transactions and fencing."""

from linewarden_runtime.testing.broker import MemoryBroker
from linewarden_runtime.testing.faults import Fault

__all__ = ["Fault", "MemoryBroker"]
