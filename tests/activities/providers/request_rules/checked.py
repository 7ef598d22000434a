"""The demo model, with somebody looking over its shoulder."""

from collections.abc import Callable
from typing import Any

from activities.providers.demo import DemoModel
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
            broken = broken_rules(request.path, request.body)
            assert not broken, (broken, request.body)


_RULES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "/messages": anthropic.broken_rules,
    "/responses": responses.broken_rules,
    "/chat/completions": completions.broken_rules,
}


def broken_rules(path: str, body: dict[str, Any] | None) -> list[str]:
    """What the vendor of this path would not take of a request."""
    rules = next((rules for end, rules in _RULES.items() if path.endswith(end)), None)
    return rules(body) if rules and body is not None else []
