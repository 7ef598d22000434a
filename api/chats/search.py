"""The query of the chat list: `q` and `label` (spec api.md 4.2)."""

import shlex
from collections.abc import Sequence

from api.errors import ApiError, invalid
from api.requests import without_nul
from models.store.chats import ChatFilter

_NOT_YET = ("has_unread", "pr_status", "source", "diff_url", "pr", "repo", "pr_title", "search")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def parse_filter(q: str, labels: Sequence[str]) -> ChatFilter:
    """Read `key:value` terms, all of which must match; a value with spaces stands in double quotes.

    Raises:
        ApiError: 400, a term cannot be understood.
    """
    title: str | None = None
    archived = False
    for term in _terms(without_nul("q", q)):
        key, colon, value = term.partition(":")
        match key.lower():
            case "title" if colon and value:
                title = value
            case "archived" if value.lower() in _BOOLEANS:
                archived = _BOOLEANS[value.lower()]
            case _:
                raise _not_understood(term, key, bool(colon))
    return ChatFilter(archived=archived, title=title, labels=[_label(text) for text in labels])


def _terms(q: str) -> list[str]:
    lexer = shlex.shlex(q, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.quotes, lexer.escape, lexer.commenters = True, '"', "", ""
    try:
        return list(lexer)
    except ValueError as error:
        raise invalid(("q", "A double quote is not closed.")) from error


def _not_understood(term: str, key: str, has_colon: bool) -> ApiError:
    if not has_colon:
        return invalid(("q", f"{term[:80]!r} is not of the form key:value."))
    if key.lower() in _NOT_YET:
        return invalid(("q", f"{key}: is not available in this version."))
    if key.lower() == "archived":
        return invalid(("q", "archived: must be true or false."))
    if key.lower() == "title":
        return invalid(("q", "title: must be followed by a text."))
    return invalid(("q", f"{key[:80]!r} is not a known key; known are title and archived."))


def _label(text: str) -> tuple[str, str]:
    key, _, value = without_nul("label", text).partition(":")
    if not key or not value:
        raise invalid(("label", f"{text[:80]!r} is not of the form key:value."))
    return key, value
