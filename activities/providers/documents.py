"""What can be told of a PDF without drawing it: is it one, is it locked, how many pages has it. Pure."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER_WITHIN = 1024
_MAX_INFLATED = 64 * 1024 * 1024
"""Bytes of packed objects that are looked into: more are not worth the memory."""

_ENCRYPTED = re.compile(rb"/Encrypt[\s<\d]")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PACKED_OBJECTS = re.compile(rb"/Type\s*/ObjStm(?:(?!endobj).)*?stream\r?\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pdf:
    """`pages` is zero where they could not be counted."""

    encrypted: bool
    pages: int


def read_pdf(data: bytes) -> Pdf | None:
    """Look into a document; None for one that is no PDF."""
    if b"%PDF-" not in data[:_HEADER_WITHIN]:
        return None
    pages = len(_PAGE.findall(data)) + sum(len(_PAGE.findall(packed)) for packed in _inflated(data))
    return Pdf(encrypted=_ENCRYPTED.search(data) is not None, pages=pages)


def _inflated(data: bytes) -> Iterator[bytes]:
    """The packed objects of a document, in which newer ones keep their pages."""
    left = _MAX_INFLATED
    for found in _PACKED_OBJECTS.finditer(data):
        try:
            packed = zlib.decompressobj().decompress(data[found.end() :], max(left, 1))
        except zlib.error:
            continue  # packed in another way, or encrypted
        left -= len(packed)
        yield packed
        if left <= 0:
            return
