"""kafka-python leaves sockets to the garbage collector when a connection fails or is closed with a request pending.

The interpreter warns of each, at whatever test happens to run then; here they are collected where they arise.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

UNCLOSED = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def sockets_of_the_client_library() -> Iterator[None]:
    """Collect what the test's clients left behind, after they were closed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
