"""What is done to a line. A strike does it, lets time pass, takes it away, and says what showed that it happened.

Each is called with the bed and a random source of the run, and raises `NotShown` where the fault did not happen.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.faults.matrix.bed import Bed

Seen = dict[str, object]
Strike = Callable[[Bed, Random], Seen]
