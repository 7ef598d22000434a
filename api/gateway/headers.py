"""Which headers pass through the gateway. In both directions only those that are known to be of use.

A caller's own credentials never reach the vendor, nor anything by which the owner of the key could be made to
act for somebody else: which of the vendor's organizations and projects pays is the provider's business. Keys
that make a request idempotent are left out as well, because users who share a key share their names.
What the vendor says of the account stays here, too.
"""

from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers

_TO_VENDOR = frozenset({"accept", "accept-language", "content-type", "openai-beta", "user-agent"})
_TO_VENDOR_BEGINNINGS = ("anthropic-", "x-stainless-")

_TO_CALLER = frozenset(
    {
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "openai-processing-ms",
        "openai-version",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
    }
)
_TO_CALLER_BEGINNINGS = ("anthropic-ratelimit-", "x-ratelimit-")
_RENAMED = {"x-request-id": "x-upstream-request-id"}
"""Answers have a request id of ours."""


def to_vendor(given: Headers, own: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request as it goes on.

    Args:
        given: what the caller sent.
        own: what we put in place: key, length. Names in lower case.
    """
    passed: dict[str, str] = {}
    named = _named_in_connection(given)
    for name, value in given.items():
        known = name in _TO_VENDOR or name.startswith(_TO_VENDOR_BEGINNINGS)
        if known and name not in named:
            passed[name] = f"{passed[name]}, {value}" if name in passed else value
    # an answer is read on its way, so it must not be compressed
    return {"accept": "*/*", **passed, "accept-encoding": "identity", **own}


def to_caller(given: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as it goes back, as ASGI has them."""
    passed: list[tuple[bytes, bytes]] = []
    for name, value in given:
        lower = name.lower()
        there = _RENAMED.get(lower, lower)
        if lower in _RENAMED or lower in _TO_CALLER or lower.startswith(_TO_CALLER_BEGINNINGS):
            passed.append((there.encode("latin-1"), value.encode("latin-1")))
    return passed


def _named_in_connection(given: Headers) -> frozenset[str]:
    """Headers that are meant for the next hop only, which is us."""
    return frozenset(name.strip().lower() for name in given.get("connection", "").split(","))
