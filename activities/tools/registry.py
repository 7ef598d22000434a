"""The tools of a worker, by name: what the model is offered, and running what it asks for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from activities.providers.protocol import ToolSpec
from activities.tools.tool import Media, OutcomeUnknown, Tool, ToolContext, ToolError

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What the model is told of a call. `result` can be stored as JSON in UTF-8."""

    result: JsonValue
    is_error: bool = False


class ToolRegistry:
    """A fixed set of tools."""

    def __init__(self, tools: Iterable[Tool[Any]]) -> None:
        """Take the tools in.

        Raises:
            ValueError: two have the same name.
        """
        self._tools: dict[str, Tool[Any]] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are named {tool.name}")
            self._tools[tool.name] = tool
        self._specs = [
            ToolSpec(tool.name, tool.description, input_schema(tool.input_model))
            for tool in self._tools.values()
        ]

    def specs(self) -> list[ToolSpec]:
        """The tools as they are offered to a model."""
        return list(self._specs)

    def find(self, name: str) -> Tool[Any] | None:
        """The tool of this name."""
        return self._tools.get(name)

    async def run(self, name: str, raw_args: JsonValue, context: ToolContext) -> ToolOutcome:
        """Run a tool with arguments as the model wrote them. Whatever goes wrong is an error for the model.

        Args:
            raw_args: an object; None stands for no arguments; anything else is not valid.
        """
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(sorted(self._tools)) or "none"
            return _error(f"There is no tool named {name!r}. The tools are: {known}.")
        try:
            arguments = tool.input_model.model_validate({} if raw_args is None else raw_args)
        except ValidationError as error:
            return _error(f"The arguments of {name} are not valid. {_explain(error)}")
        try:
            result = await tool.run(arguments, context)
            if isinstance(result, Media):
                return _error(f"The tool {name} answered with media, which cannot be shown.")
            return ToolOutcome(valid_text(result))
        except (ToolError, OutcomeUnknown) as error:
            return _error(str(error))
        except Exception as error:  # noqa: BLE001
            return _error(f"The tool {name} failed: {type(error).__name__}: {error}")


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments, without what only repeats their names."""
    schema = model.model_json_schema()
    del schema["title"]
    schema.pop("description", None)
    schema.setdefault("properties", {})
    for field in schema["properties"].values():
        field.pop("title", None)
    return schema


def valid_text(value: JsonValue) -> JsonValue:
    """The value with every text fit for UTF-8: halves of surrogate pairs become U+FFFD."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [valid_text(item) for item in value]
        case dict():
            return {_SURROGATE.sub("\ufffd", key): valid_text(item) for key, item in value.items()}
        case _:
            return value


def _error(text: str) -> ToolOutcome:
    return ToolOutcome(valid_text(text), is_error=True)


def _explain(error: ValidationError) -> str:
    problems: list[str] = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(step) for step in problem["loc"])
        if place:
            problems.append(f"{place}: {problem['msg']}.")
        else:
            problems.append("They must be a JSON object.")
    return " ".join(problems)
