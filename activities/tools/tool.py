"""What a tool is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, JsonValue

InputT = TypeVar("InputT", bound=BaseModel)

DEFAULT_TIMEOUT_SECONDS = 60.0


class ToolError(Exception):
    """A tool cannot do what it was asked; the text tells the model what is wrong and what would be right."""


class OutcomeUnknown(Exception):
    """Nobody can tell any more what became of a call; the text tells the model what may have happened and
    what to look at before it calls again."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom a tool works.

    Attributes:
        chat_id: the chat.
        call_id: names the call within its chat, and is the same for every attempt at it. Whatever a tool
            starts outside this process, it starts under this name, so that `recover` and `cancel` find it.
    """

    chat_id: UUID
    call_id: str


@dataclass(frozen=True, slots=True)
class Media:
    """A result that is no text.

    Attributes:
        media_type: for example `image/png`.
        data: the content in base64.
        text: what goes with it.
    """

    media_type: str
    data: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a tool gives to the chat, see `activities.tools.attaching`.

    Attributes:
        id: under which it will be known.
        media_type: of what is in it.
    """

    id: UUID
    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class WithFiles:
    """A result, and files beside it. They are the chat's, and shown, before the result is."""

    result: JsonValue
    files: tuple[Attachment, ...]


Result = JsonValue | Media | WithFiles


@dataclass(frozen=True, slots=True)
class Tool(Generic[InputT]):
    """Something the model may have done for it.

    Attributes:
        name: as the model calls it: letters, digits, `_` and `-`.
        description: tells the model what it does and when to use it.
        input_model: the arguments. Its JSON schema is shown to the model; unknown keys are ignored.
        run: does the work. Raises `ToolError` for what the model can mend.
        repeatable: running it twice does no harm, so that it is run again after a crash. Any other tool is
            run at most once.
        recover: for a tool that is not repeatable: an earlier attempt began the call and nobody knows how
            it ended. Finds out, by attaching to what still runs if need be, and answers what `run` would
            have. Raises `OutcomeUnknown` where that cannot be found out, as is assumed without it.
        cancel: the user interrupted the call, and it has been told so by `asyncio.CancelledError`, if it
            was still running here. Ends what goes on elsewhere, within a few seconds.
        timeout_seconds: a run that takes longer is cancelled and fails.
        exclusive: must be the only call of its step.
        stop_after: its success ends the turn.
        needs_approval: each call waits until a person approves it.
    """

    name: str
    description: str
    input_model: type[InputT]
    run: Callable[[InputT, ToolContext], Awaitable[Result]]
    repeatable: bool
    recover: Callable[[InputT, ToolContext], Awaitable[Result]] | None = None
    cancel: Callable[[InputT, ToolContext], Awaitable[None]] | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    exclusive: bool = False
    stop_after: bool = False
    needs_approval: bool = False
