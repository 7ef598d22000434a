"""What is kept of much output."""

import pytest

from workspace.agent.capture import HeadTail
from workspace.protocol import HEAD_BYTES, MAX_OUTPUT_LINE_BYTES, TAIL_BYTES


def captured(*chunks: bytes) -> HeadTail:
    capture = HeadTail()
    for chunk in chunks:
        capture.write(chunk)
    return capture


def test_little_output_is_kept_whole() -> None:
    capture = captured("größe\n".encode(), b"", b"two")
    assert capture.text() == ("größe\ntwo", "")
    assert capture.original_bytes == capture.retained_bytes == 11


@pytest.mark.parametrize("size", [1, 7, 4096, 100_000])
def test_of_much_output_beginning_and_end_are_kept_however_it_comes(size: int) -> None:
    whole = b"".join(b"%09d\n" % number for number in range(20_000))
    capture = captured(*(whole[start : start + size] for start in range(0, len(whole), size)))
    head, tail = capture.text()
    assert head.encode() == whole[:HEAD_BYTES]
    assert tail.encode() == whole[-TAIL_BYTES:]
    assert capture.original_bytes == 200_000
    assert capture.retained_bytes == HEAD_BYTES + TAIL_BYTES


def test_exactly_what_can_be_kept_has_no_gap() -> None:
    whole = b"123456789\n" * ((HEAD_BYTES + TAIL_BYTES) // 10)
    capture = captured(whole)
    assert capture.text() == (whole.decode(), "")


@pytest.mark.parametrize("size", [1, 1000, 10_000])
def test_long_lines_are_cut(size: int) -> None:
    whole = b"a" * 5000 + b"\nshort\n" + b"b" * 3000
    capture = captured(*(whole[start : start + size] for start in range(0, len(whole), size)))
    cut = "a" * MAX_OUTPUT_LINE_BYTES + "\nshort\n" + "b" * MAX_OUTPUT_LINE_BYTES
    assert capture.text() == (cut, "")
    assert capture.original_bytes == len(whole)
    assert capture.retained_bytes == len(cut)


def test_what_is_no_text_is_replaced() -> None:
    assert captured(b"\xff\xfe ok \xc3").text() == ("\ufffd\ufffd ok \ufffd", "")


def test_a_character_is_not_cut_in_two() -> None:
    capture = captured(b"x", *["€\n".encode()] * 30_000)
    head, tail = capture.text()
    assert "\ufffd" not in head + tail
    assert set(head[1:] + tail) == {"€", "\n"}
