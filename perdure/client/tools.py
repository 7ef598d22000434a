"""Functions of a program as tools of a model."""

import asyncio
import dataclasses
import inspect
import json
import logging
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import (
    ConfigDict,
    PydanticInvalidForJsonSchema,
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
)

from perdure.client.errors import PerdureError

ToolFunction = Callable[..., Any]

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)

log = logging.getLogger("perdure.client")


class ToolFailed(PerdureError):
    """Raise this in a tool to tell the model, in your own words, that it failed."""


@dataclass(frozen=True)
class Outcome:
    """What a tool has answered, as JSON."""

    output: Any
    is_error: bool = False


@dataclass(frozen=True)
class Tool:
    """A function that a model may call.

    Attributes:
        name: What the model calls it.
        description: What the model is told about it.
        input_schema: JSON schema of its arguments.
        function: What is called; one that is not async runs in a thread.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    function: ToolFunction
    _arguments: TypeAdapter[Any] = dataclasses.field(repr=False)

    @classmethod
    def of(cls, function: ToolFunction, *, name: str | None = None, description: str | None = None) -> "Tool":
        """A tool from a function: its name, its docstring, its parameters.

        Parameters are read by their annotations, as pydantic does; `Annotated[str, Field(description=...)]`
        tells the model more.

        Raises:
            TypeError: Its parameters cannot be told as a JSON object.
        """
        own_name = name or getattr(function, "__name__", "")
        try:
            arguments = TypeAdapter(_arguments_class(own_name, function))
            schema = arguments.json_schema()
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema) as error:
            raise TypeError(f"the tool {own_name!r} cannot be described: {error}") from error
        schema.pop("title", None)
        _tell_defaults(schema, function)
        told = description if description is not None else inspect.getdoc(function) or ""
        return cls(own_name, told, schema, function, arguments)

    def declaration(self) -> dict[str, Any]:
        """The tool as a chat is told of it."""
        return {"name": self.name, "description": self.description, "input_schema": self.input_schema}

    async def run(self, arguments: str) -> Outcome:
        """Call the function with arguments in JSON. Whatever goes wrong is an outcome, too."""
        try:
            given = self._given(arguments)
        except ValidationError as error:
            return Outcome(_told(error), is_error=True)
        try:
            return Outcome(json.loads(_ANYTHING.dump_json(await call(self.function, **given))))
        except ToolFailed as error:
            return Outcome(str(error), is_error=True)
        except Exception as error:
            log.exception("the tool %s failed", self.name)
            return Outcome(f"{type(error).__name__}: {error}", is_error=True)

    def _given(self, arguments: str) -> dict[str, Any]:
        validated: object = self._arguments.validate_json(arguments or "{}")
        return vars(validated)


def tools_by_name(tools: Iterable[Tool | ToolFunction]) -> dict[str, Tool]:
    """Tools, and functions that are made to tools, by their names.

    Raises:
        TypeError: A function cannot be one.
        ValueError: Two have one name.
    """
    found: dict[str, Tool] = {}
    for one in tools:
        tool = one if isinstance(one, Tool) else Tool.of(one)
        if tool.name in found:
            raise ValueError(f"two tools have the name {tool.name!r}")
        found[tool.name] = tool
    return found


async def call(function: Callable[..., Any], *positional: Any, **named: Any) -> Any:
    """Call a function of the program: as a coroutine, or in a thread if it is not async."""
    if inspect.iscoroutinefunction(function):
        return await function(*positional, **named)
    answer = await asyncio.to_thread(function, *positional, **named)
    return await answer if inspect.isawaitable(answer) else answer


def _arguments_class(name: str, function: ToolFunction) -> type[Any]:
    """A dataclass with a field for each parameter."""
    hints = typing.get_type_hints(function, include_extras=True)
    fields: list[tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"the tool {name!r} takes {parameter}: a model can only give arguments by name")
        fields.append((parameter.name, hints.get(parameter.name, Any), _field(parameter)))
    return dataclasses.make_dataclass(
        "Arguments", fields, kw_only=True, namespace={"__pydantic_config__": ConfigDict(extra="forbid")}
    )


def _field(parameter: inspect.Parameter) -> Any:
    if parameter.default is parameter.empty:
        return dataclasses.field()
    return dataclasses.field(default_factory=lambda: parameter.default)


def _tell_defaults(schema: dict[str, Any], function: ToolFunction) -> None:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty and parameter.default is not None:
            try:
                told = json.loads(_ANYTHING.dump_json(parameter.default))
            except ValueError:
                continue
            schema["properties"][parameter.name]["default"] = told


def _told(error: ValidationError) -> str:
    """What is wrong with arguments, in words for a model."""
    problems = [
        f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "The arguments are not valid. " + "; ".join(problems[:20])
