"""What a vendor takes at most, told before anything is sent (spec chat-loop.md 1.16). Pure.

A request beyond it would be refused each time it is tried, and in words for programmers.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from activities.providers.documents import read_pdf
from activities.providers.failures import display_name, provider_failure
from activities.providers.pictures import dimensions
from activities.providers.protocol import ModelCallError
from models.failures import FailureKind

File = Mapping[str, Any]
"""`media_type`, and `data` in base64."""


class Excess(Exception):
    """The request is not within the limits; the text says to people what is too large."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What the files of one request may be. None: the vendor has told no limit.

    Attributes:
        pictures: how many.
        picture_characters: of one, in base64.
        side_pixels: of a picture.
        many_pictures, side_pixels_of_many: the same for each where there are more than so many.
        pdf_pages: of one document.
        all_bytes: of all files together.
    """

    pictures: int
    picture_characters: int | None = None
    side_pixels: int | None = None
    many_pictures: int | None = None
    side_pixels_of_many: int | None = None
    pdf_pages: int | None = None
    all_bytes: int | None = None

    def side_of_each(self, pictures: int) -> int | None:
        """The longest side where there are so many pictures."""
        many = self.many_pictures is not None and pictures > self.many_pictures
        return self.side_pixels_of_many if many else self.side_pixels


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
        raise _too_large(size, most)


def check_files(files: Iterable[File], limits: FileLimits) -> None:
    """Look into every file. Takes its time: call it beside the event loop.

    Raises:
        Excess: one is too large, or cannot be read; or they are too many.
    """
    given = list(files)
    size = sum(_bytes_of(file["data"]) for file in given)
    if limits.all_bytes is not None and size > limits.all_bytes:
        raise _too_large(size, limits.all_bytes)
    pictures = [file for file in given if file["media_type"].startswith("image/")]
    if len(pictures) > limits.pictures:
        raise Excess(f"it holds {len(pictures)} pictures, and at most {limits.pictures} can be sent.")
    side = limits.side_of_each(len(pictures))
    for picture in pictures:
        _check_picture(picture, limits.picture_characters, side)
    for file in given:
        if file["media_type"] == "application/pdf":
            _check_pdf(file, limits.pdf_pages)


def _check_picture(picture: File, characters: int | None, side: int | None) -> None:
    data: str = picture["data"]
    if characters is not None and len(data) > characters:
        has, most = _megabytes(_bytes_of(data)), _megabytes(characters * 3 // 4)
        raise Excess(f"a picture in it has {has}, and at most {most} can be sent.")
    size = dimensions(_decoded(data))
    if size is not None and side is not None and max(size) > side:
        raise Excess(
            f"a picture in it has {size[0]} × {size[1]} pixels, and no side may have more than {side}."
        )


def _check_pdf(file: File, pages: int | None) -> None:
    document = read_pdf(_decoded(file["data"]))
    if document is None:
        raise Excess("a file in it is called a PDF and is none.")
    if document.encrypted:
        raise Excess("a PDF in it is protected by a password. Send it without one.")
    if pages is not None and document.pages > pages:
        raise Excess(f"a PDF in it has {document.pages} pages, and at most {pages} can be sent.")


def _too_large(size: int, most: int) -> Excess:
    return Excess(
        f"with its files it has {_megabytes(size)}, and at most {_megabytes(most)} can be sent. "
        "Start a new chat, or clear this one."
    )


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError:
        raise Excess("a file in it is not whole. Send it again.") from None


def _bytes_of(data: str) -> int:
    return len(data) * 3 // 4


def _megabytes(size: int) -> str:
    return f"{size / (1024 * 1024):.1f} MiB"
