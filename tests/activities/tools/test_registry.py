"""Running what a model asks for, whatever it asks."""

import pytest
from pydantic import BaseModel, Field, JsonValue

from activities.providers.protocol import ToolSpec
from activities.tools.outcome import ToolOutcome
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Tool, ToolContext, ToolError
from tests.activities.tools.calling import called


class DivideInput(BaseModel):
    """Two numbers."""

    number: int
    by: int = Field(default=1, description="the divisor")


async def run_divide(arguments: DivideInput, context: ToolContext) -> JsonValue:
    if arguments.number == 0:
        raise ToolError("Zero bores me. Give another number.")
    return arguments.number / arguments.by


class NothingInput(BaseModel):
    pass


async def run_echo(arguments: NothingInput, context: ToolContext) -> JsonValue:
    return {"bad \ud800": ["\udfff and 🦀", 1, None]}


DIVIDE = Tool("divide", "Divide.", DivideInput, run_divide, repeatable=True)
ECHO = Tool("echo", "Echo.", NothingInput, run_echo, repeatable=False)
REGISTRY = ToolRegistry([DIVIDE, ECHO])


def test_specs_hold_the_schema_of_the_arguments() -> None:
    assert REGISTRY.specs() == [
        ToolSpec(
            "divide",
            "Divide.",
            {
                "type": "object",
                "properties": {
                    "number": {"type": "integer"},
                    "by": {"type": "integer", "default": 1, "description": "the divisor"},
                },
                "required": ["number"],
            },
        ),
        ToolSpec("echo", "Echo.", {"type": "object", "properties": {}}),
    ]


def test_a_tool_is_found_by_its_name() -> None:
    assert REGISTRY.find("echo") is ECHO
    assert REGISTRY.find("nobody") is None


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="echo"):
        ToolRegistry([ECHO, ECHO])


async def test_a_result_of_a_tool_that_is_asked_rightly() -> None:
    asked: JsonValue = {"number": 6, "by": 3, "unknown key": True}
    assert await called(REGISTRY, "divide", asked) == ToolOutcome(2.0)


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        ("dance", {}, "There is no tool named 'dance'. The tools are: divide, echo."),
        ("divide", {"number": "x"}, "The arguments of divide are not valid. number: Input should be"),
        ("divide", None, "The arguments of divide are not valid. number: Field required."),
        ("divide", '{"number": ', "The arguments of divide are not valid. They must be a JSON object."),
        ("divide", [1], "The arguments of divide are not valid. They must be a JSON object."),
        ("divide", {"number": 0}, "Zero bores me. Give another number."),
        ("divide", {"number": 1, "by": 0}, "The tool divide failed: ZeroDivisionError: division by zero"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model(name: str, args: JsonValue, told: str) -> None:
    outcome = await called(REGISTRY, name, args)
    assert outcome.is_error
    assert isinstance(outcome.result, str)
    assert outcome.result.startswith(told)


async def test_results_are_valid_text() -> None:
    assert await called(REGISTRY, "echo", None) == ToolOutcome({"bad \ufffd": ["\ufffd and 🦀", 1, None]})
