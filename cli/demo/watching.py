"""A reader of one turn: shows it, and remembers what it has seen and when."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from cli.demo.checks import NotSeen
from cli.terminal.conversation import Accepted
from cli.terminal.printer import Printer
from cli.terminal.shown import Said, Void
from cli.terminal.turn import TurnView
from perdure.client import ConnectionLost, MessageEvent, PartEvent
from perdure.client.events import WireEvent

_LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PartSeen:
    """A piece of an answer arrived.

    Attributes:
        at: When, on the monotonic clock.
        attempt: History version and attempt it belongs to.
    """

    at: float
    attempt: tuple[int, int]


class Watch:
    """What a reader has seen of a turn.

    Attributes:
        words: What is on the screen of the answer in progress.
        answers: What was on the screen of each answer when it had been kept, by message id.
        answered_at: When that was, on the monotonic clock.
        voided: What was on the screen of attempts that were given up.
        parts: The pieces, in order of arrival.
        message_ids: Of all messages, as often as they came.
    """

    def __init__(self, printer: Printer) -> None:
        self.words = ""
        self.answers: dict[int, str] = {}
        self.answered_at: dict[int, float] = {}
        self.voided: list[str] = []
        self.parts: list[PartSeen] = []
        self.message_ids: list[int] = []
        self._printer = printer
        self._view = TurnView(own_messages=1)
        self._pulse = asyncio.Event()

    @property
    def over(self) -> bool:
        return self._view.over

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds.

        Raises:
            NotSeen: It took too long.
        """
        try:
            async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
                while not condition():
                    self._pulse.clear()
                    await self._pulse.wait()
        except TimeoutError:
            raise NotSeen(f"{what}: not seen within {_LONGEST_WAIT_SECONDS:.0f} s") from None

    async def follow(self, accepted: Accepted) -> None:
        """Read the stream until the chat rests."""
        async with aclosing(accepted.chat.stream(after_id=accepted.after_id)) as events:
            async for event in events:
                if isinstance(event, ConnectionLost):
                    self._printer.note("connection lost; connecting again")
                else:
                    self._take(event)
                self._pulse.set()
                if self.over:
                    break
        self._printer.end()

    def _take(self, event: WireEvent) -> None:
        now = time.monotonic()
        for shown in self._view.show(event):
            self._printer.show(shown)
            match shown:
                case Said(text):
                    self.words += text
                case Void():
                    self.voided.append(self.words)
                    self.words = ""
                case _:
                    pass
        match event:
            case PartEvent(message_part=piece):
                self.parts.append(PartSeen(now, (piece.history_version, piece.generation_attempt)))
            case MessageEvent(message=message):
                self.message_ids.append(message.id)
                if message.role == "assistant":
                    self.answers[message.id], self.words = self.words, ""
                    self.answered_at[message.id] = now
            case _:
                pass


@asynccontextmanager
async def watching(accepted: Accepted, printer: Printer) -> AsyncGenerator[Watch]:
    """A reader at work; when the block ends well, the turn has ended."""
    watch = Watch(printer)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(watch.follow(accepted))
        try:
            yield watch
            await watch.until("the end of the turn", lambda: watch.over)
        finally:
            if not watch.over:
                following.cancel()
