"""Which files are kept, whoever brings them: people or tools (spec api.md section 8). Pure.

What a file is, is told by its bytes. A name or a header may be wrong, or lie.
"""

import json
import re

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_NAME_BYTES = 255

ALLOWED = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "text/plain",
    "text/markdown",
    "text/csv",
    "application/json",
    "application/pdf",
)
"""Types that are kept."""

SHOWN_INLINE = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"))
"""What a browser shows without running anything in it."""

_UNDECLARED = ("", "application/octet-stream")
_BINARY = "application/octet-stream"

_SIGNATURES = (  # https://mimesniff.spec.whatwg.org, sections 6.1 and 7.1
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBPVP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)
_MARKUP = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype|\?xml|html|head|body|script|iframe|svg|style|title|table|div|img|p|a|br|h1)[\s>/]",
    re.IGNORECASE | re.DOTALL,
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SNIFFED = 1445
"""Bytes in which markup is looked for, as browsers do."""

_KINDS_OF_TEXT = {".md": "text/markdown", ".markdown": "text/markdown", ".csv": "text/csv"}


class MediaTypeRefused(ValueError):
    """A file that is not taken. The text says what it is or should be."""


def plain_name(written: str) -> str:
    """The name of a file without folders and without what cannot be printed; empty if nothing remains."""
    last = written.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in last if letter.isprintable()).strip()
    return "" if name in (".", "..") else name


def checked_media_type(declared: str, name: str, data: bytes) -> str:
    """The type under which a file is kept.

    Args:
        declared: as whoever brings it says, in the form of a Content-Type; parameters are ignored.
        name: the file's name. It only tells which kind of text a text is.

    Raises:
        MediaTypeRefused: it is no allowed type, or another one than declared.
    """
    claimed = declared.partition(";")[0].strip().lower()
    found = _detect(data)
    if found not in ALLOWED:
        raise MediaTypeRefused(f"Files like this one are not taken. Taken are: {', '.join(ALLOWED)}.")
    if found == "application/json":
        if claimed in (*_UNDECLARED, "application/json", "text/plain"):
            return found
        found = "text/plain"  # JSON is text, too: a CSV of one number, a Markdown of one word
    if found == "text/plain":
        return _kind_of_text(claimed, name)
    if claimed not in (*_UNDECLARED, found):
        raise MediaTypeRefused(f"The file was declared as {claimed} but is {found}.")
    return found


def _kind_of_text(claimed: str, name: str) -> str:
    if claimed in ("text/markdown", "text/csv"):
        return claimed
    if claimed not in (*_UNDECLARED, "text/plain"):
        raise MediaTypeRefused(f"The file was declared as {claimed} but is text/plain.")
    ending = re.search(r"\.[a-z]+$", name.lower())
    return _KINDS_OF_TEXT.get(ending[0], "text/plain") if ending else "text/plain"


def _detect(data: bytes) -> str:
    for signature, media_type in _SIGNATURES:
        if signature.match(data):
            return media_type
    if _CONTROL.search(data):
        return _BINARY
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _BINARY
    if _MARKUP.match(data.removeprefix(b"\xef\xbb\xbf")[:_SNIFFED]):
        return "text/html"
    return "application/json" if _is_json(text) else "text/plain"


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
