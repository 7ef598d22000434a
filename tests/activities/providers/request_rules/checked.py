"""The demo model, with somebody looking over its shoulder."""

from typing import Any

from activities.providers.demo import DemoModel
from activities.providers.demo.recorder import RecordedRequest
from tests.activities.providers.request_rules.anthropic import broken_rules


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
            broken = _broken(request)
            assert not broken, (broken, request.body)


def _broken(request: RecordedRequest) -> list[str]:
    body: dict[str, Any] | None = request.body
    speaks_messages = "anthropic-version" in request.headers
    return broken_rules(body) if speaks_messages and body is not None else []
