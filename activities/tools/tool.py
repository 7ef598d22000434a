"""What a tool is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, JsonValue

InputT = TypeVar("InputT", bound=BaseModel)


class ToolError(Exception):
    """A tool cannot do what it was asked; the text tells the model what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Tool(Generic[InputT]):
    """Something the model may have done for it.

    Attributes:
        name: as the model calls it: letters, digits, `_` and `-`.
        description: tells the model what it does and when to use it.
        input_model: the arguments. Its JSON schema is shown to the model; unknown keys are ignored.
        run: does the work. Raises `ToolError` for what the model can mend.
        repeatable: running it twice does no harm, so that it may be tried again after a crash.
    """

    name: str
    description: str
    input_model: type[InputT]
    run: Callable[[InputT], Awaitable[JsonValue]]
    repeatable: bool
