"""A record is one CloudEvents 1.0 event, or it is refused."""

import json
from base64 import b64encode

import pytest
from cloudevents.core.exceptions import CloudEventValidationError
from hypothesis import given
from hypothesis import strategies as st

from linewarden_schemas.base import Message
from linewarden_schemas.binding import bound, from_headers, to_headers
from linewarden_schemas.capture import Capture
from linewarden_schemas.envelope import EnvelopeError, Unwritable, decode, decode_frame, encode, encode_frame
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.samples import AT, FRAME_METADATA, SAMPLES

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("message", SAMPLES, ids=lambda m: m.TYPE)
def test_an_event_comes_back_as_it_was_sent(message: Message) -> None:
    encoded = encode(message, id="e1", source="/line1/x", time_ms=AT + 123, traceparent=TRACE)
    event = decode(encoded.headers, encoded.value)
    assert event.message == message
    assert event.id.startswith("e1.")
    assert (event.source, event.time_ms, event.traceparent) == ("/line1/x", AT + 123, TRACE)


def test_headers_are_those_of_the_binary_mode() -> None:
    headers = dict(encode(SAMPLES[0], id="e1", source="/line1/x", time_ms=AT).headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == SAMPLES[0].TYPE.encode()
    assert headers["content-type"] == b"application/json"


@given(st.binary(min_size=1, max_size=2000))
def test_a_picture_passes_through_untouched(picture: bytes) -> None:
    encoded = encode_frame(FRAME_METADATA, picture, source="/line1/ingest", traceparent=TRACE)
    frame = decode_frame(encoded.headers, encoded.value)
    assert encoded.value == picture == frame.picture
    assert frame.meta == FRAME_METADATA
    assert dict(encoded.headers)["content-type"] == b"image/jpeg"


@given(st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=30)), max_size=8), st.binary(max_size=60))
def test_garbage_is_an_envelope_error_and_nothing_else(headers: list[tuple[str, bytes]], value: bytes) -> None:
    with pytest.raises(EnvelopeError):
        decode(headers, value)
    with pytest.raises(EnvelopeError):
        decode_frame(headers, value)


@pytest.mark.parametrize("name", [n for n, _ in encode_frame(FRAME_METADATA, b"x", source="/a").headers])
@given(junk=st.binary(max_size=20))
def test_a_damaged_header_of_a_frame_is_refused_or_harmless(name: str, junk: bytes) -> None:
    headers = [(n, junk if n == name else v) for n, v in encode_frame(FRAME_METADATA, b"x", source="/a").headers]
    try:
        frame = decode_frame(headers, b"x")
    except EnvelopeError:
        return
    assert frame.picture == b"x"


def test_a_doubled_header_is_refused() -> None:
    encoded = encode(SAMPLES[0], id="e1", source="/line1/x", time_ms=AT)
    with pytest.raises(EnvelopeError, match="doubled"):
        decode((*encoded.headers, ("ce_id", b"e2")), encoded.value)


def test_an_unknown_type_is_named() -> None:
    encoded = encode_frame(FRAME_METADATA, b"x", source="/a")
    with pytest.raises(EnvelopeError, match=r"unknown type 'linewarden.frame.v1'"):
        decode(encoded.headers, encoded.value)


def test_a_value_that_does_not_fit_says_which_field() -> None:
    encoded = encode(SAMPLES[0], id="e1", source="/line1/x", time_ms=AT)
    with pytest.raises(EnvelopeError, match="line_id"):
        decode(encoded.headers, b"{}")


@pytest.mark.parametrize("message", SAMPLES, ids=lambda m: m.TYPE)
def test_the_short_way_writes_and_reads_what_the_package_does(message: Message) -> None:
    headers = encode(message, id="e1", source="/line1/x", time_ms=AT + 120, traceparent=TRACE).headers
    attributes = from_headers(dict(headers))
    assert to_headers(attributes) == bound(attributes) == headers
    assert from_headers(dict(headers)) == attributes


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce_id", b""), ("ce_id", None), ("ce_source", b""), ("ce_specversion", b"0.3"), ("ce_Bad Name", b"x")],
)
def test_an_event_of_a_known_shape_is_still_looked_at(name: str, value: bytes | None) -> None:
    encoded = encode(SAMPLES[0], id="e1", source="/line1/x", time_ms=AT)
    decode(encoded.headers, encoded.value)
    damaged = {**dict(encoded.headers), name: value or b""}
    if value is None:
        del damaged[name]
    with pytest.raises(EnvelopeError):
        decode(damaged.items(), encoded.value)


def test_a_writer_cannot_make_an_event_without_an_id() -> None:
    with pytest.raises(CloudEventValidationError):
        encode(SAMPLES[0], id="", source="/line1/x", time_ms=AT)


def test_source_and_id_tell_every_event_from_every_other_and_not_from_its_repetition() -> None:
    def named(message: Message) -> tuple[str, str]:
        encoded = encode(message, id="e1", source="/line1/x", time_ms=AT)
        event = decode(encoded.headers, encoded.value)
        return event.source, event.id

    capture = next(one for one in SAMPLES if isinstance(one, Capture))
    later = capture.model_copy(update={"captured_ms": capture.captured_ms + 1})
    everything = [*SAMPLES, later]
    assert len({named(message) for message in everything}) == len(everything)
    assert named(capture) == named(capture.model_copy())
    meta = FRAME_METADATA
    frame = dict(encode_frame(meta, b"", source="/line1/x").headers)
    of_frame = dict(encode(capture, id=meta.frame_id, source="/line1/x", time_ms=AT).headers)
    assert frame["ce_id"] != of_frame["ce_id"]


STRUCTURED = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


def structured(message: Message, **more: object) -> bytes:
    """One event as other tools write it in structured mode."""
    attributes = {"specversion": "1.0", "id": "7", "source": "/mes", "type": message.TYPE}
    event = attributes | {"time": "2026-01-01T00:00:00Z", "data": json.loads(message.to_json())}
    return json.dumps(event | more).encode()


@pytest.mark.parametrize("message", SAMPLES, ids=lambda one: one.TYPE)
def test_structured_mode_of_other_tools_is_read(message: Message) -> None:
    event = decode(STRUCTURED, structured(message))
    assert (event.message, event.id, event.source, event.time_ms) == (message, "7", "/mes", 1_767_225_600_000)


def test_a_frame_in_structured_mode_carries_its_picture_in_base64() -> None:
    binary = encode_frame(FRAME_METADATA, b"\xff\xd8picture", source="/line1/ingest")
    told = {name.removeprefix("ce_"): raw.decode() for name, raw in binary.headers}
    told |= {"datacontenttype": told.pop("content-type"), "data_base64": b64encode(binary.value).decode()}
    frame = decode_frame(STRUCTURED, json.dumps(told).encode())
    assert (frame.meta, frame.picture) == (FRAME_METADATA, b"\xff\xd8picture")


@pytest.mark.parametrize(
    ("headers", "value", "why"),
    [
        (STRUCTURED, b"[]", "no JSON object"),
        (STRUCTURED, b"{", "not a CloudEvent"),
        (STRUCTURED, b"[" * 100_000, "not a CloudEvent"),
        (STRUCTURED, structured(SAMPLES[0], id=None), "id is missing"),
        (STRUCTURED, structured(SAMPLES[0], id=[7]), "neither text nor a number"),
        (STRUCTURED, structured(SAMPLES[0], data_base64="AA=="), "data and data_base64"),
        (STRUCTURED, structured(SAMPLES[0], time="noon"), "time"),
        (STRUCTURED, structured(SAMPLES[0], data="text"), SAMPLES[0].TYPE),
        ((("Content-Type", b"application/cloudevents-batch+json"),), b"[]", "write binary mode"),
    ],
)
def test_what_is_no_event_in_structured_mode_is_refused(
    headers: tuple[tuple[str, bytes], ...], value: bytes, why: str
) -> None:
    with pytest.raises(EnvelopeError, match=why):
        decode(headers, value)


def test_what_its_own_reader_would_refuse_is_not_written() -> None:
    visit = next(one for one in SAMPLES if isinstance(one, VisitSnapshot))
    for changes in ({"forget_at_ms": 2**53 + 1}, {"reasons": ("r" * 2001,)}, {"revision": -2}):
        with pytest.raises(Unwritable):
            encode(visit.model_copy(update=changes), id="v", source="/line1/route", time_ms=0)
