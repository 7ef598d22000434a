"""The rules of the protocol that a recorded request was sent in."""

from collections.abc import Callable, Iterable
from typing import Any

from activities.providers.demo import RecordedRequest

from . import anthropic, completions, responses

_RULES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "messages": anthropic.broken_rules,
    "responses": responses.broken_rules,
    "completions": completions.broken_rules,
}


def broken_rules(requests: Iterable[RecordedRequest]) -> list[str]:
    """What the vendors would refuse of these requests, in words."""
    return [
        f"request {request.index} to {request.path}: {broken}"
        for request in requests
        for broken in _RULES[request.path.rpartition("/")[2]](request.body)
    ]
