"""What Anthropic takes at most (spec chat-loop.md 1.16), and the files of a request in its form. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from activities.providers.limits import File, FileLimits

MAX_PICTURE_CHARACTERS = 5 * 1024 * 1024

FILES = FileLimits(
    pictures=100,
    picture_characters=MAX_PICTURE_CHARACTERS,
    side_pixels=8000,
    many_pictures=20,
    side_pixels_of_many=2000,
    pdf_pages=100,
)
FILES_OF_LONG_CONTEXT = replace(FILES, pdf_pages=600)


def files_of(messages: Iterable[Mapping[str, Any]]) -> list[File]:
    """The files with content in messages in wire form, those in tool results among them."""
    return [source for message in messages for source in _sources(message["content"])]


def _sources(content: Any) -> Iterator[File]:
    if not isinstance(content, list):
        return
    for block in cast("list[dict[str, Any]]", content):
        if block["type"] in ("image", "document"):
            source: File = block["source"]
            if source.get("type") == "base64":
                yield source
        elif block["type"] == "tool_result":
            yield from _sources(block.get("content"))
