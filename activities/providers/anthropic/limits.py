"""What the vendor takes at most, told before anything is sent (spec chat-loop.md 1.16). Pure.

A request beyond it would be refused each time it is tried, and in words for programmers.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import orjson

from activities.providers.documents import read_pdf
from activities.providers.failures import display_name, provider_failure
from activities.providers.pictures import dimensions
from activities.providers.protocol import ModelCallError
from models.failures import FailureKind

MAX_PICTURE_CHARACTERS = 5 * 1024 * 1024
"""Of one picture, in base64."""

MAX_PICTURES = 100
MAX_SIDE_PIXELS = 8000
MANY_PICTURES = 20
MAX_SIDE_OF_MANY_PIXELS = 2000
"""Sides of a picture, and of each where a request holds many."""

MAX_PDF_PAGES = 100
MAX_PDF_PAGES_OF_LONG_CONTEXT = 600

Source = Mapping[str, Any]


class Excess(Exception):
    """The request is not within the limits; the text says to people what is too large."""


def refusal(label: str, excess: Excess) -> ModelCallError:
    """The failure of a call that is not made."""
    failure = provider_failure(FailureKind.CONFIG, label)
    words = f"{display_name(label)} does not take this conversation: {excess}"
    return ModelCallError(failure.model_copy(update={"message": words[0].upper() + words[1:]}))


def check_size(body: Mapping[str, Any], most: int) -> None:
    """Weigh the whole body.

    Raises:
        Excess: it has more than `most` bytes.
    """
    size = len(orjson.dumps(body))
    if size > most:
        raise Excess(
            f"with its files it has {_megabytes(size)}, and at most {_megabytes(most)} can be sent. "
            "Start a new chat, or clear this one."
        )


def files_of(messages: Iterable[Mapping[str, Any]]) -> list[Source]:
    """The files with content in messages in wire form, those in tool results among them."""
    return [source for message in messages for source in _sources(message["content"])]


def check_files(files: Iterable[Source], *, long_context: bool) -> None:
    """Look into every file. Takes its time: call it beside the event loop.

    Raises:
        Excess: one is too large, or cannot be read; or they are too many.
    """
    given = list(files)
    pictures = [file for file in given if file["media_type"].startswith("image/")]
    if len(pictures) > MAX_PICTURES:
        raise Excess(f"it holds {len(pictures)} pictures, and at most {MAX_PICTURES} can be sent.")
    side = MAX_SIDE_PIXELS if len(pictures) <= MANY_PICTURES else MAX_SIDE_OF_MANY_PIXELS
    for picture in pictures:
        _check_picture(picture, side)
    pages = MAX_PDF_PAGES_OF_LONG_CONTEXT if long_context else MAX_PDF_PAGES
    for file in given:
        if file["media_type"] == "application/pdf":
            _check_pdf(file, pages)


def _sources(content: Any) -> Iterator[Source]:
    if not isinstance(content, list):
        return
    for block in cast("list[dict[str, Any]]", content):
        if block["type"] in ("image", "document"):
            source: Source = block["source"]
            if source.get("type") == "base64":
                yield source
        elif block["type"] == "tool_result":
            yield from _sources(block.get("content"))


def _check_picture(picture: Source, side: int) -> None:
    data: str = picture["data"]
    if len(data) > MAX_PICTURE_CHARACTERS:
        most = _megabytes(MAX_PICTURE_CHARACTERS * 3 // 4)
        raise Excess(f"a picture in it has {_megabytes(len(data) * 3 // 4)}, and at most {most} can be sent.")
    size = dimensions(_decoded(data))
    if size is not None and max(size) > side:
        raise Excess(
            f"a picture in it has {size[0]} × {size[1]} pixels, and no side may have more than {side}."
        )


def _check_pdf(file: Source, pages: int) -> None:
    document = read_pdf(_decoded(file["data"]))
    if document is None:
        raise Excess("a file in it is called a PDF and is none.")
    if document.encrypted:
        raise Excess("a PDF in it is protected by a password. Send it without one.")
    if document.pages > pages:
        raise Excess(f"a PDF in it has {document.pages} pages, and at most {pages} can be sent.")


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError:
        raise Excess("a file in it is not whole. Send it again.") from None


def _megabytes(size: int) -> str:
    return f"{size / (1024 * 1024):.1f} MiB"
