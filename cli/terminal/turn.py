"""From a stream's events to what a person sees of a turn. Pure: no clock, no terminal, no connection."""

from collections.abc import Iterator, Sequence

from cli.terminal.preview import remainder
from cli.terminal.shown import Asked, Called, Failed, Noted, Returned, Said, Shown, Thought, Void
from perdure.client import (
    ChatFailure,
    ErrorEvent,
    Message,
    MessageEvent,
    Part,
    PartEvent,
    PreviewResetEvent,
    RetryEvent,
    StatusEvent,
)
from perdure.client.events import WireEvent

WORKER_LOST = "the worker was lost; starting this step again"
AFTER_FAILURE = "starting this step again"
CORRECTED = "this is the answer as it was kept"
STOPPED = "stopped; what was said so far is kept"
WAITS_FOR_CLIENT = "the chat waits for the results of tools that a client has to run"


class TurnView:
    """One turn of a chat, from the moment its message was accepted until the chat rests.

    Takes events of which each comes once (`perdure.client.novelty`).

    Args:
        previews: Show the answer while it is being written; else only what is kept.
        own_messages: The first so many messages of the user are those just sent, and are not shown.

    Attributes:
        over: The chat rests: the turn has ended, and those of the messages that waited behind it.
        failed: It rests in an error.
        stopped: A turn was interrupted.
    """

    def __init__(self, *, previews: bool = True, own_messages: int = 0) -> None:
        self.over = False
        self.failed = False
        self.stopped = False
        self._previews = previews
        self._own_messages = own_messages
        self._pieces: list[Part] = []
        self._kept: set[int] = set()
        self._files: set[str] = set()
        self._retrying = False

    def stop_asked(self) -> Iterator[Shown]:
        """The server has accepted an interrupt. Its status may pass too fast to be seen in the stream, and
        the turn's end may come before this answer."""
        if self.over and not self.stopped:
            yield Noted(STOPPED)
        self.stopped = True

    def show(self, event: WireEvent) -> Iterator[Shown]:
        """What this event brings to see."""
        match event:
            case MessageEvent(message=message):
                yield from self._message(message)
            case PartEvent(message_part=piece):
                if self._previews:
                    yield from self._piece(piece.part)
            case PreviewResetEvent():
                yield from self._reset()
            case StatusEvent(status=state):
                yield from self._status(state.status)
            case RetryEvent(retry=retry):
                self._retrying = True
                seconds = retry.delay_ms / 1000
                yield Noted(f"{retry.error} Trying again in {seconds:.0f} s (failure {retry.attempt}).")
            case ErrorEvent(error=error):
                self.failed = self.over = True
                yield Failed(error_text(error))
            case _:
                pass  # the queue is shown when its messages enter history

    def _message(self, message: Message) -> Iterator[Shown]:
        if message.id in self._kept:
            yield from self._attached(message.content)  # all that can be new in it
            return
        self._kept.add(message.id)
        if message.role == "user" and self._own_messages:
            self._own_messages -= 1
        elif message.role == "assistant":
            yield from self._rest_of([part for part in message.content if part.type != "file"])
            yield from self._attached(message.content)
        else:
            yield from shown_message(message)

    def _rest_of(self, content: Sequence[Part]) -> Iterator[Shown]:
        """What was kept of an answer, without what its preview has shown already."""
        rest = remainder(self._pieces, content)
        if rest is None:
            yield Void(CORRECTED)
        self._pieces = []
        self._retrying = False
        yield from shown_parts(content if rest is None else rest)

    def _piece(self, part: Part) -> Iterator[Shown]:
        if part.args_delta is not None:
            return  # a call is shown when it is complete
        self._retrying = False
        if part.type == "file":
            yield from self._attached([part])
        elif part.type != "tool-result":  # those are no part of the answer, and come again as messages
            self._pieces.append(part)
            yield from shown_parts([part])

    def _attached(self, content: Sequence[Part]) -> Iterator[Shown]:
        """Files that tools have given to the chat; each is told of twice, live and with its message."""
        for part in content:
            if part.type == "file" and part.file_id not in self._files:
                self._files.add(part.file_id)
                yield from shown_parts([part])

    def _reset(self) -> Iterator[Shown]:
        if self._pieces:
            yield Void(AFTER_FAILURE if self._retrying else WORKER_LOST)
        self._pieces = []

    def _status(self, status: str) -> Iterator[Shown]:
        match status:
            case "interrupting":
                self.stopped = True
            case "waiting":
                self.over = True
                if self.stopped:
                    yield Noted(STOPPED)
            case "error":
                self.failed = True  # over when the reason has come
            case "requires_action":
                self.over = True
                yield Noted(WAITS_FOR_CLIENT)
            case _:
                pass


def shown_message(message: Message) -> Iterator[Shown]:
    """A whole message."""
    if message.role == "user":
        yield Asked("\n".join(part.text or f"[{part.file_name or part.name}]" for part in message.content))
    else:
        yield from shown_parts(message.content)


def shown_parts(content: Sequence[Part]) -> Iterator[Shown]:
    """Parts of a message of the model or of a tool."""
    for part in content:
        match part.type:
            case "text" if part.text:
                yield Said(part.text)
            case "reasoning" if part.text:
                yield Thought(part.text)
            case "tool-call":
                yield Called(part.tool_name, part.args)
            case "tool-result":
                yield Returned(part.tool_name, part.result, part.is_error)
            case "file":
                yield Noted(f"attached: {part.name}")
            case _:
                pass


def error_text(error: ChatFailure) -> str:
    """Why a chat rests in an error."""
    return f"{error.message}\n{error.detail}" if error.detail else error.message
