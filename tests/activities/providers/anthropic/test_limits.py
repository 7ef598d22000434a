"""What is refused before it is sent, and in which words."""

import base64
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.providers.anthropic import AnthropicProvider
from activities.providers.anthropic.limits import FILES, FILES_OF_LONG_CONTEXT, MAX_PICTURE_CHARACTERS
from activities.providers.documents import Pdf, read_pdf
from activities.providers.limits import Excess, FileLimits, check_files, check_size
from activities.providers.pictures import dimensions
from activities.providers.protocol import ModelCallError
from models.failures import FailureKind

from . import answers
from .conversation import Conversation
from .raw_server import RawServer, sse


def png(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height) + b"\x08"
    )


def jpeg(width: int, height: int) -> bytes:
    size = struct.pack(">HBHH", 17, 8, height, width)
    return b"\xff\xd8\xff\xe0" + struct.pack(">H", 4) + b"ab" + b"\xff\xff\xc2" + size


def webp(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + sides


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height)


def pdf(pages: int, *, packed: bool = False, more: bytes = b"") -> bytes:
    objects = b"<< /Type /Pages >>" + b"<< /Type /Page >>" * pages
    if packed:
        objects = (
            b"<< /Type /ObjStm /Filter /FlateDecode >>\nstream\n" + zlib.compress(objects) + b"\nendstream"
        )
    return b"%PDF-1.7\n1 0 obj\n" + objects + b"\nendobj\n" + more


def source(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


@pytest.mark.parametrize("make", [png, jpeg, webp, gif])
def test_a_picture_tells_its_size(make: Any) -> None:
    assert dimensions(make(640, 480)) == (640, 480)
    for cut in range(len(make(640, 480)) - 1):
        assert dimensions(make(640, 480)[:cut]) in (None, (640, 480))


def test_the_older_forms_of_webp_tell_their_size_too() -> None:
    lossy = b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 640, 480)
    lossless = b"RIFF\0\0\0\0WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 639 | 479 << 14)
    assert dimensions(lossy) == dimensions(lossless) == (640, 480)
    assert dimensions(b"no picture") is None


def test_a_document_tells_its_pages_packed_or_not() -> None:
    assert read_pdf(pdf(3)) == Pdf(encrypted=False, pages=3)
    assert read_pdf(pdf(3, packed=True)) == Pdf(encrypted=False, pages=3)
    assert read_pdf(pdf(1, more=b"trailer << /Encrypt 5 0 R >>")) == Pdf(encrypted=True, pages=1)
    assert read_pdf(b"PK\x03\x04") is None


BIG = png(10, 10) + bytes(MAX_PICTURE_CHARACTERS)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([source(png(8001, 10))], "8001 × 10 pixels"),
        ([source(png(2001, 10))] * 21, "more than 2000"),
        ([source(png(1, 1))] * 101, "101 pictures"),
        ([source(BIG)], "a picture in it has"),
        ([source(pdf(101), "application/pdf")], "101 pages"),
        ([source(b"PK\x03\x04", "application/pdf")], "is none"),
        ([source(pdf(1, more=b"/Encrypt 5 0 R"), "application/pdf")], "password"),
        ([{"type": "base64", "media_type": "image/png", "data": "a"}], "not whole"),
    ],
)
def test_a_file_beyond_the_limits_is_refused(files: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(Excess, match=words):
        check_files(files, FILES)


def test_files_within_the_limits_pass() -> None:
    check_files([source(png(8000, 8000))] * 20, FILES)
    check_files([source(png(2000, 10))] * 100, FILES)
    check_files([source(pdf(100), "application/pdf"), source(b"of a kind that is new")], FILES)
    check_files([source(pdf(600), "application/pdf")], FILES_OF_LONG_CONTEXT)


def test_what_a_vendor_has_not_limited_passes_and_what_it_has_is_weighed_together() -> None:
    anything = FileLimits(pictures=2)
    check_files([source(png(99_999, 1)), source(pdf(5000), "application/pdf")], anything)
    half = source(png(1, 1) + bytes(950))
    check_files([half, half], FileLimits(pictures=2, all_bytes=1950))
    with pytest.raises(Excess, match="with its files"):
        check_files([half, half], FileLimits(pictures=2, all_bytes=1949))


def test_a_body_is_weighed() -> None:
    check_size({"a": "x"}, 9)
    with pytest.raises(Excess, match="at most"):
        check_size({"a": "xx"}, 9)


@pytest.fixture
async def talk() -> AsyncIterator[Conversation]:
    async with RawServer() as server:
        provider = AnthropicProvider(api_key="k", base_url=server.base_url)
        yield Conversation(server, provider)
        await provider.aclose()


async def test_a_call_beyond_the_limits_is_not_made(talk: Conversation) -> None:
    data = base64.b64encode(png(9000, 10)).decode()
    talk.say({"type": "file", "media_type": "image/png", "name": "wide.png", "data": data})
    with pytest.raises(ModelCallError) as raised:
        await talk.step()
    failure = raised.value.failure
    assert (failure.kind, failure.retryable, failure.context_overflow) == (FailureKind.CONFIG, False, False)
    assert "9000 × 10 pixels" in failure.message
    assert not talk.server.received


async def test_pictures_and_documents_are_sent_as_what_they_are(talk: Conversation) -> None:
    picture, document = source(png(1, 1)), source(pdf(2), "application/pdf")
    talk.say(
        {"type": "file", "media_type": "image/png", "data": picture["data"]},
        {"type": "file", "media_type": "application/pdf", "name": "a.pdf", "data": document["data"]},
        {
            "type": "file",
            "media_type": "text/plain",
            "name": "a.txt",
            "data": base64.b64encode(b"hi").decode(),
        },
    )
    talk.server.reply(sse(answers.stream(answers.TEXT)))
    await talk.step()
    assert talk.sent_blocks(0) == [
        {"type": "image", "source": picture},
        {"type": "document", "source": document, "title": "a.pdf"},
        {"type": "text", "text": "[file: a.txt]\nhi"},
    ]
