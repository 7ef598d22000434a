"""Names that models give: the title of a chat, the label of a turn. What is acceptable as one. Pure."""

import unicodedata
from collections.abc import Sequence
from typing import Any

PLACEHOLDER_TITLE = "New Chat"
MAX_TITLE = 80
MAX_LABEL = 60

_PROVISIONAL_WORDS = 6
_SOURCE = 2_000
_TITLE_WORDS = (2, 8)
_LABEL_WORDS = (2, 5)
_QUOTES = "\"'`“”‘’«»„"
_SUBJECTS = frozenset(
    ("a", "agent", "ai", "an", "assistant", "he", "i", "i'm", "i've", "it", "it's", "model", "she", "that")
    + ("the", "there", "they", "this", "user", "we", "we've", "you")
)
"""A label that begins with one of these is a sentence about somebody, not the name of what was done."""


def provisional_title(content: Sequence[dict[str, Any]]) -> str:
    """A title cut from the first words of a message, given in stored parts."""
    text = " ".join(part["text"] for part in content if part["type"] == "text")
    if not text:
        text = next((part["file_name"] for part in content if part["type"] == "file-reference"), "")
    words = _words(text[:_SOURCE])
    if not words:
        return PLACEHOLDER_TITLE
    title = " ".join(words[:_PROVISIONAL_WORDS])
    cut = len(words) > _PROVISIONAL_WORDS or len(title) > MAX_TITLE or len(text) > _SOURCE
    return f"{title[: MAX_TITLE - 1].rstrip()}…" if cut else title


def accepted_title(answer: object) -> str | None:
    """The title in a model's answer; None if it is none: 2 to 8 words, at most 80 characters, no quotes."""
    title = _unquoted(answer)
    return title if len(title) <= MAX_TITLE and _has_words(title, *_TITLE_WORDS) else None


def accepted_label(answer: object) -> str | None:
    """The label in a model's answer; None if it is none: 2 to 5 words that name what was done. A sentence is
    refused, and whatever begins with its subject."""
    label = _unquoted(answer)
    if not label or len(label) > MAX_LABEL or label[-1] in ".!?:;,。！？…":
        return None
    if label.split()[0].casefold().replace("’", "'") in _SUBJECTS:
        return None
    return label if _has_words(label, *_LABEL_WORDS) else None


def _unquoted(answer: object) -> str:
    if not isinstance(answer, str):
        return ""
    text = " ".join(_words(answer[:_SOURCE])).strip(_QUOTES).strip()
    return "" if any(quote in text for quote in '"“”«»„') else text


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isprintable() else " " for letter in text).split()


def _has_words(text: str, least: int, most: int) -> bool:
    """Whether there are so many words. Scripts that put none apart are not counted, but for being there."""
    if any(unicodedata.east_asian_width(letter) in "WF" for letter in text):
        return bool(text)
    return least <= len(text.split()) <= most
