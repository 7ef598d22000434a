"""A vendor that answers what a test wrote down, and checks what it is asked."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.activities.providers.request_rules.checked import broken_rules
from tests.activities.providers.vendor import Vendor

_OPENAI = ("/responses", "/chat/completions")
_MESSAGES = "/messages"
"""Of everybody else: platforms have paths of their own."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class RawServer(Vendor):
    """A vendor whose requests must be such as it would take."""

    @property
    def base_url(self) -> str:
        return self.url

    @property
    def received(self) -> list[Received]:
        return [Received(one.target, dict(one.headers), json.loads(one.body)) for one in self.asked]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        for request in self.received:
            broken = broken_rules(request.path if request.path.endswith(_OPENAI) else _MESSAGES, request.body)
            assert not broken, (request.path, broken)


def sse(events: Iterable[dict[str, Any]], newline: bytes = b"\n") -> bytes:
    """Events as the vendor frames them."""
    return b"".join(
        b"event: %s%sdata: %s%s%s"
        % (event["type"].encode(), newline, json.dumps(event).encode(), newline, newline)
        for event in events
    )
