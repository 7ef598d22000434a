"""Bytes of a wire: JSON, server-sent events, and texts cut into pieces. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any

from activities.providers.demo.script import Framing

CHARACTERS_PER_TOKEN = 4
_COMMENT = b': keep-alive\n\nevent: something.new\ndata: {"type":"something.new"}\n\n'


def encode(value: Any) -> bytes:
    """JSON as an API sends it; what cannot be UTF-8 (a lone surrogate in a tool result) becomes `?`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def event(payload: dict[str, Any]) -> bytes:
    """One server-sent event, named by the type of its payload."""
    return b"event: %s\ndata: %s\n\n" % (payload["type"].encode(), encode(payload))


def unnamed_event(payload: dict[str, Any]) -> bytes:
    """One server-sent event without a name."""
    return b"data: %s\n\n" % encode(payload)


def framed(frames: bytes, framing: Framing) -> Iterator[bytes]:
    """The same events written in an odd but legal way, in the chunks in which they go out."""
    if framing.comments:
        frames = _COMMENT + frames
    if framing.crlf:
        frames = frames.replace(b"\n", b"\r\n")
    size = framing.chunk_bytes or len(frames) or 1
    for start in range(0, len(frames), size):
        yield frames[start : start + size]


def tokens(characters: int) -> int:
    """A plausible count of tokens for a number of characters; at least one."""
    return max(1, characters // CHARACTERS_PER_TOKEN)


def by_words(text: str) -> list[str]:
    """Split a text behind every run of white space; joined, the parts are the text."""
    return re.findall(r"\S+\s*|\s+", text)


def by_count(text: str, count: int) -> list[str]:
    """Split a text into `count` parts of nearly equal length, or into its characters when it has fewer."""
    if not text:
        return []
    count = min(count, len(text))
    edges = [len(text) * index // count for index in range(count + 1)]
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def text_pieces(text: str, count: int | None) -> list[str]:
    """A text in `count` pieces, or in words."""
    return by_words(text) if count is None else by_count(text, count)
