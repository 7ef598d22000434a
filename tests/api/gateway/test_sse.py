"""Events are found wherever the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.gateway.sse import EventReader, EventTooLarge, ServerEvent

STREAM = (
    b": a comment\n"
    b'event: message_start\r\ndata: {"a": 1}\r\n\r\n'
    b"data:first\rdata: second\r\r"
    b"event: only a name\n\n"
    b"id: 7\nretry: 10\nevent:x\ndata\n\n"
    b'data: {"text": "gr\xc3\xbcn"}\n\n'
    b"data: never whole\n"
)
EVENTS = [
    ServerEvent("message_start", b'{"a": 1}'),
    ServerEvent("", b"first\nsecond"),
    ServerEvent("x", b""),
    ServerEvent("", '{"text": "grün"}'.encode()),
]


def read(pieces: list[bytes]) -> list[ServerEvent]:
    reader = EventReader(1000)
    return [event for piece in pieces for event in reader.feed(piece)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_the_same_events_are_found_however_the_stream_is_cut(cuts: list[int]):
    places = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[begin:end] for begin, end in zip(places, places[1:], strict=False)]) == EVENTS


def test_the_same_events_are_found_byte_by_byte():
    assert read([bytes([byte]) for byte in STREAM]) == EVENTS


def test_a_mark_of_byte_order_is_no_part_of_the_first_line():
    assert read([b"\xef\xbb\xbfdata: 1\n\n"]) == [ServerEvent("", b"1")]


@pytest.mark.parametrize("line", [b"data: " + b"x" * 400 + b"\n", b"x" * 400, b"data\n" * 100])
def test_an_event_that_nobody_wants_to_keep_is_refused(line: bytes):
    reader = EventReader(1000)
    for _ in range(2):
        assert list(reader.feed(line)) == []
    with pytest.raises(EventTooLarge):
        list(reader.feed(line))


def test_any_number_of_small_events_is_not_too_large():
    reader = EventReader(1000)
    assert sum(len(list(reader.feed(b"data: " + b"x" * 400 + b"\n\n"))) for _ in range(100)) == 100
