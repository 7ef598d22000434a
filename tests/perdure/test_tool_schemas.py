"""What a model is told of a function."""

from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from perdure.client import Tool
from perdure.client.tools import tools_by_name


class Place(BaseModel):
    city: str
    country: str = "NO"


class Unit(Enum):
    CELSIUS = "c"
    KELVIN = "k"


async def weather(
    place: Place,
    unit: Unit = Unit.CELSIUS,
    days: Annotated[int, Field(description="How many.", ge=1, le=7)] = 1,
    tags: list[str] | None = None,
) -> str:
    """Tell the weather.

    For a few days.
    """
    return f"{place.city} {unit.name} {days} {tags}"


def test_name_docstring_and_parameters_are_told() -> None:
    told = Tool.of(weather).declaration()
    assert told["name"] == "weather"
    assert told["description"] == "Tell the weather.\n\nFor a few days."
    schema = told["input_schema"]
    assert schema["type"] == "object"
    assert schema["required"] == ["place"]
    assert schema["additionalProperties"] is False
    days = schema["properties"]["days"]
    assert (days["description"], days["minimum"], days["default"]) == ("How many.", 1, 1)
    assert schema["properties"]["unit"]["default"] == "c"


async def test_arguments_arrive_as_what_the_function_says_it_takes() -> None:
    outcome = await Tool.of(weather).run('{"place": {"city": "Oslo"}, "unit": "k"}')
    assert (outcome.output, outcome.is_error) == ("Oslo KELVIN 1 None", False)


@pytest.mark.parametrize("name", ["schema", "json", "copy", "_under", "self_"])
async def test_parameters_may_have_any_name(name: str) -> None:
    space: dict[str, Any] = {}
    exec(f"def echo({name}: str) -> str:\n    return {name}", space)
    tool = Tool.of(space["echo"])
    assert list(tool.input_schema["properties"]) == [name]
    assert (await tool.run(f'{{"{name}": "x"}}')).output == "x"


async def test_a_default_is_not_shared_between_calls() -> None:
    async def collect(word: str, seen: list[str] = []) -> list[str]:  # noqa: B006
        return [*seen, word]

    tool = Tool.of(collect)
    assert (await tool.run('{"word": "a"}')).output == ["a"]
    assert (await tool.run('{"word": "b"}')).output == ["b"]


async def test_results_are_sent_as_json() -> None:
    async def place() -> list[Place]:
        return [Place(city="Oslo")]

    async def number() -> float:
        return float("nan")

    assert (await Tool.of(place).run("{}")).output == [{"city": "Oslo", "country": "NO"}]
    assert (await Tool.of(number).run("{}")).output is None


def test_what_a_model_cannot_give_is_refused_when_it_is_registered() -> None:
    def variadic(*words: str) -> None: ...

    def positional(word: str, /) -> None: ...

    def opaque(thing: threading_lock) -> None: ...

    for function in (variadic, positional):
        with pytest.raises(TypeError, match="by name"):
            Tool.of(function)
    with pytest.raises(TypeError, match="cannot be described"):
        Tool.of(opaque)


class threading_lock:
    """A class that is no data."""


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="weather"):
        tools_by_name([weather, weather])
