"""Payloads lie untouched in shared memory until they are read, and room comes back in order."""

import mmap

from hypothesis import given
from hypothesis import strategies as st

from linewarden_runtime.kafka.apart.shared import Ring

SIZE = 4096


@given(st.lists(st.binary(max_size=SIZE // 2), max_size=60), st.integers(1, 6))
def test_what_is_placed_is_read_as_it_was_however_often_the_ring_goes_round(payloads: list[bytes], most: int) -> None:
    ring = Ring(SIZE)
    lying: list[tuple[int, bytes]] = []
    with memoryview(mmap.mmap(ring.descriptor, 0, access=mmap.ACCESS_READ)) as reader:
        for payload in payloads:
            while len(lying) >= most or (offset := ring.place(payload)) is None:
                at, expected = lying.pop(0)
                assert bytes(reader[at : at + len(expected)]) == expected
                ring.free(1)
            lying.append((offset, payload))
        for at, expected in lying:
            assert bytes(reader[at : at + len(expected)]) == expected
    ring.close()


def test_a_full_ring_takes_nothing_until_the_oldest_is_read() -> None:
    ring = Ring(SIZE)
    assert ring.place(b"a" * 3000) == 0
    assert ring.place(b"b" * 1000) == 3000
    assert ring.place(b"c" * 1000) is None
    ring.free(1)
    assert ring.place(b"c" * 1000) == 0
    ring.close()
    ring.close()
