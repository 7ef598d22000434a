"""The demo model, with somebody looking over its shoulder."""

from collections.abc import Callable
from typing import Any

from activities.providers.demo import DemoModel
from activities.providers.demo.recorder import RecordedRequest
from tests.activities.providers.request_rules import anthropic, completions, responses


class CheckedModel(DemoModel):
    """A demo model that holds every request it was sent against the rules of its vendor."""

    def clear(self) -> None:
        self.check()
        super().clear()

    def check(self) -> None:
        """Look at the requests that are remembered.

        Raises:
            AssertionError: one of them is none that the vendor would take.
        """
        for request in self.requests:
            broken = broken_rules(request)
            assert not broken, (broken, request.body)


_RULES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "/messages": anthropic.broken_rules,
    "/responses": responses.broken_rules,
    "/chat/completions": completions.broken_rules,
}


def broken_rules(request: RecordedRequest) -> list[str]:
    """What its vendor would not take of a request."""
    body: dict[str, Any] | None = request.body
    rules = next((rules for path, rules in _RULES.items() if request.path.endswith(path)), None)
    return rules(body) if rules and body is not None else []
