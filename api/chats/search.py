"""The queries of the chat lists: `q`, `label` and `workspace_ids` (spec api.md 4.2, 4.6)."""

import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from api.errors import ApiError, invalid
from api.requests import without_nul
from models.store.listing import ChatFilter, Source

MAX_WORKSPACES = 25

_MAX_Q_CHARACTERS = 4096
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1"), True),
    **dict.fromkeys(("false", "f", "0"), False),
}
_SINGLE = ("title", "archived", "has_unread", "diff_url", "pr", "repo", "pr_title", "search")
_LISTS = ("source", "pr_status")
_OF_REPOSITORY = ("pr_status", "diff_url", "pr", "repo", "pr_title")
_NOT_BESIDE_SEARCH = ("title", "pr_title", "pr")
_PR_STATUSES = frozenset({"draft", "open", "merged", "closed"})


def parse_filter(q: str, labels: Sequence[str]) -> ChatFilter:
    """Read `key:value` terms, all of which must match; a value with spaces stands in double quotes.

    No chat has a branch or a pull request in this version: what asks for one is checked and finds nothing.

    Raises:
        ApiError: 400, a term cannot be understood.
    """
    terms = _terms(without_nul("q", q))
    beside_search = [key for key in _NOT_BESIDE_SEARCH if key in terms]
    if "search" in terms and beside_search:
        raise _wrong(f"search: cannot be combined with {beside_search[0]}:.")
    if "pr_status" in terms:
        _choices("pr_status", terms["pr_status"], _PR_STATUSES)
    if "pr" in terms and not re.fullmatch("0*[1-9][0-9]{0,17}", terms["pr"][0], re.ASCII):
        raise _wrong("pr: must be a positive number.")
    return ChatFilter(
        archived=bool(_boolean(terms, "archived")),
        title=_text(terms, "title"),
        has_unread=_boolean(terms, "has_unread"),
        sources=_sources(terms),
        words=_text(terms, "search"),
        of_repository=any(key in terms for key in _OF_REPOSITORY),
        labels=[_label(text) for text in labels],
    )


def checked_workspaces(ids: str) -> list[UUID]:
    """The ids in a comma-separated list.

    Raises:
        ApiError: 400, they are too many, or one is no UUID.
    """
    given = ids.split(",") if ids else []
    if len(given) > MAX_WORKSPACES:
        raise invalid(("workspace_ids", f"At most {MAX_WORKSPACES} ids can be given."))
    try:
        return [UUID(text.strip()) for text in given]
    except ValueError:
        raise invalid(("workspace_ids", "Must be UUIDs, separated by commas.")) from None


def _terms(q: str) -> dict[str, list[str]]:
    """Values by key, which are known ones; none is empty."""
    terms: defaultdict[str, list[str]] = defaultdict(list)
    for term in _split(q):
        key, colon, value = term.partition(":")
        key = key.lower()
        if not colon:
            raise _wrong(f"{term[:80]!r} is not of the form key:value.")
        if key not in (*_SINGLE, *_LISTS):
            raise _wrong(f"{key[:80]!r} is not a known key; known are {', '.join((*_SINGLE, *_LISTS))}.")
        if not value.strip():
            raise _wrong(f"{key}: must be followed by a value.")
        if key in _SINGLE and terms[key]:
            raise _wrong(f"{key}: can be given once only.")
        terms[key].append(value)
    return terms


def _split(q: str) -> list[str]:
    if len(q) > _MAX_Q_CHARACTERS:
        raise _wrong(f"Must have at most {_MAX_Q_CHARACTERS} characters.")
    lexer = shlex.shlex(q, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.quotes, lexer.escape, lexer.commenters = True, '"', "", ""
    try:
        return list(lexer)
    except ValueError as error:
        raise _wrong("A double quote is not closed.") from error


def _text(terms: dict[str, list[str]], key: str) -> str | None:
    return terms[key][0] if key in terms else None


def _boolean(terms: dict[str, list[str]], key: str) -> bool | None:
    if key not in terms:
        return None
    value = terms[key][0].lower()
    if value not in _BOOLEANS:
        raise _wrong(f"{key}: must be true or false.")
    return _BOOLEANS[value]


def _sources(terms: dict[str, list[str]]) -> frozenset[Source]:
    if "source" not in terms:
        return frozenset({Source.CREATED_BY_ME})
    return frozenset(map(Source, _choices("source", terms["source"], frozenset(Source))))


def _choices(key: str, values: Sequence[str], known: frozenset[str]) -> list[str]:
    """Values that are separated by commas or given in several terms."""
    chosen = [choice.strip().lower() for value in values for choice in value.split(",")]
    if not known.issuperset(chosen):
        raise _wrong(f"{key}: must be of {', '.join(sorted(known))}, separated by commas.")
    return chosen


def _wrong(problem: str) -> ApiError:
    return invalid(("q", problem))


def _label(text: str) -> tuple[str, str]:
    key, _, value = without_nul("label", text).partition(":")
    if not key or not value:
        raise invalid(("label", f"{text[:80]!r} is not of the form key:value."))
    return key, value
