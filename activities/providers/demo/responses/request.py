"""A Responses request: refused where OpenAI would refuse it, and what the demo model reads in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from activities.providers.demo.dialect import InvalidRequest
from activities.providers.demo.responses.items import Item, check_items, item_text
from activities.providers.demo.responses.settings import check_settings
from activities.providers.demo.shapes import as_object


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """The body of `POST /v1/responses`, with what was said before it. Implements `Conversation`.

    Attributes:
        items: the whole conversation, from all answers that this one continues.
    """

    body: dict[str, Any]
    items: list[Item]
    tool_names: frozenset[str] = field(default=frozenset())

    @property
    def model(self) -> str:
        return self.body["model"]

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def stored(self) -> bool:
        return self.body.get("store") is not False

    @property
    def include(self) -> list[str]:
        return self.body.get("include") or []

    @property
    def _last_typed(self) -> int:
        typed = (i for i in range(len(self.items) - 1, -1, -1) if self.items[i].get("role") == "user")
        return next((i for i in typed if item_text(self.items[i])), 0)

    @property
    def typed(self) -> str:
        # Messages in a row are one: after a turn without an answer, all that was typed since counts.
        end = self._last_typed
        start = end
        while start and self.items[start - 1].get("role") == "user":
            start -= 1
        return "\n".join(text for item in self.items[start : end + 1] if (text := item_text(item)))

    @property
    def step(self) -> int:
        return _answers(self.items[self._last_typed + 1 :])

    @property
    def answers(self) -> int:
        return _answers(self.items)

    @property
    def results(self) -> list[str]:
        last: list[str] = []
        for item in reversed(self.items):
            if item.get("type") != "function_call_output":
                break
            last.insert(0, _output_text(item["output"]))
        return last

    @property
    def forbids_tools(self) -> bool:
        return self.body.get("tool_choice") == "none"


def read_request(body: Any, kept: Mapping[str, list[Item]]) -> ResponsesRequest:
    """Read and check a decoded body.

    Args:
        kept: what was said up to the end of each stored answer, by its id.

    Raises:
        InvalidRequest: it breaks a rule.
    """
    settings = as_object(body)
    if settings is None:
        raise InvalidRequest("The body must be a JSON object.")
    check_settings(settings)
    given = settings.get("input")
    items: list[Item] = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    previous = settings.get("previous_response_id")
    before: list[Item] = []
    if previous is not None:
        if previous not in kept:
            raise InvalidRequest(
                f"Previous response with id '{previous}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        before = kept[previous]
    elif not items:
        raise InvalidRequest(
            "Missing required parameter: 'input'.", param="input", code="missing_required_parameter"
        )
    check_items(items, before, kept, stored=settings.get("store") is not False)
    names = frozenset(tool["name"] for tool in settings.get("tools") or () if tool["type"] == "function")
    return ResponsesRequest(settings, [*before, *items], names)


def _answers(items: list[Item]) -> int:
    """Runs of items that the model has made."""
    made = [_is_made_by_the_model(item) for item in items]
    return sum(now and not before for before, now in zip([False, *made], made, strict=False))


def _is_made_by_the_model(item: Item) -> bool:
    if item.get("type", "message") == "message":
        return item.get("role") == "assistant"
    return item["type"] != "function_call_output"


def _output_text(output: Any) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part["text"] for part in output if part["type"] == "input_text")
