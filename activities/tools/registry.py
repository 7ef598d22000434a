"""The tools of a worker, by name: what the model is offered, and what it asks for made ready to run."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from activities.providers.protocol import ToolSpec
from activities.tools.outcome import ToolOutcome, failed
from activities.tools.prepared import PreparedCall
from activities.tools.tool import Tool


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

    def prepare(self, name: str, raw_args: JsonValue) -> PreparedCall | ToolOutcome:
        """Make a call ready with arguments as the model wrote them, or say what is wrong with it.

        Args:
            raw_args: an object; None stands for no arguments; anything else is not valid.
        """
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(sorted(self._tools)) or "none"
            return failed(f"There is no tool named {name!r}. The tools are: {known}.")
        try:
            arguments = tool.input_model.model_validate({} if raw_args is None else raw_args)
        except ValidationError as error:
            return failed(f"The arguments of {name} are not valid. {_explain(error)}")
        return PreparedCall(tool, arguments)


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments, without what only repeats their names."""
    schema = model.model_json_schema()
    del schema["title"]
    schema.pop("description", None)
    schema.setdefault("properties", {})
    for field in schema["properties"].values():
        field.pop("title", None)
    return schema


def _explain(error: ValidationError) -> str:
    problems: list[str] = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(step) for step in problem["loc"])
        if place:
            problems.append(f"{place}: {problem['msg']}.")
        else:
            problems.append("They must be a JSON object.")
    return " ".join(problems)
