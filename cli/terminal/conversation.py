"""`perdure chat`: say something, follow the answer until the chat rests."""

import asyncio
import json
import signal
import sys
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass

from cli.errors import CommandError
from cli.terminal.printer import Printer
from cli.terminal.shown import Asked, Noted, Shown
from cli.terminal.turn import TurnView
from perdure.client import Chat, Conflict, ConnectionLost, Perdure, PerdureError, Server
from perdure.client.events import WireEvent

ANSWERED, FAILED, INTERRUPTED = 0, 1, 130

COMMANDS = ("/compact", "/clear", "/queue")
"""Words that are done to a chat instead of said in it."""


@dataclass(frozen=True)
class Accepted:
    """A message that the server has taken.

    Attributes:
        chat: The chat it is in.
        after_id: Messages up to this one are older than it; None in a new chat.
        queued: It waits for a running turn to end.
        own_messages: How many messages of the user enter history with it at once.
    """

    chat: Chat
    after_id: int | None = None
    queued: bool = False
    own_messages: int = 1


async def say(perdure: Perdure, text: str, chat_id: str | None = None) -> Accepted:
    """Send a message into a chat, by default into a new one."""
    if chat_id is None:
        return Accepted(await perdure.chats.create(text))
    chat = perdure.chats.open(chat_id)
    newest = (await chat.page(limit=1)).messages
    sent = await chat.send(text)
    after_id = newest[0].id if newest else None
    return Accepted(chat, after_id, sent.queued, own_messages=0 if sent.queued else 1)


def run(server: Server, text: str, chat_id: str | None, *, as_json: bool) -> int:
    """Say something and show the answer, or do one of `COMMANDS`.

    Ctrl-C stops the turn, which is then followed to its end; a second one leaves at once.

    Args:
        server: Whom to talk to.
        text: What to say.
        chat_id: Chat to go on with; None begins a new one.
        as_json: Write each event as a line of JSON, and nothing else, to standard output.

    Returns:
        Exit code: 0 answered, 1 the turn ended in an error, 130 it was interrupted.

    Raises:
        PerdureError: The message was not taken, or the stream was lost for good.
        CommandError: A command without a chat.
    """
    return asyncio.run(_Conversation(server, as_json=as_json).hold(text, chat_id))


class _Conversation:
    def __init__(self, server: Server, *, as_json: bool) -> None:
        self._as_json = as_json
        self._printer = Printer(sys.stderr, sys.stderr) if as_json else Printer.for_terminal()
        self._view = TurnView()
        self._perdure = Perdure.of(server, self._printer.note)
        self._chat: Chat | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def hold(self, text: str, chat_id: str | None) -> int:
        task = asyncio.current_task()
        assert task
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._ctrl_c, task)
        try:
            async with self._perdure:
                accepted = await self._begin(text, chat_id)
                if accepted is None:
                    return ANSWERED
                self._chat = accepted.chat
                # what was written to a file or a pipe cannot be taken back: it gets what is kept
                self._view = TurnView(previews=sys.stdout.isatty(), own_messages=accepted.own_messages)
                if accepted.queued:
                    self._note("a turn is running; this message waits until it ends")
                await self._follow(accepted)
        except asyncio.CancelledError:
            self._printer.end()
            if self._chat:
                self._note("left; the turn goes on without you")
            return INTERRUPTED
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            self._say_how_to_resume()
        if self._view.failed:
            return FAILED
        return INTERRUPTED if self._view.stopped else ANSWERED

    async def _begin(self, text: str, chat_id: str | None) -> Accepted | None:
        """Say the text, or do what it orders; None if nothing follows from that."""
        if text.strip() not in COMMANDS:
            return await say(self._perdure, text, chat_id)
        if chat_id is None:
            raise CommandError(f"{text.strip()} is for a chat that there is already: name it with --resume.")
        chat = self._perdure.chats.open(chat_id)
        match text.strip():
            case "/compact":
                newest = (await chat.page(limit=1)).messages
                await chat.compact()
                return Accepted(chat, newest[0].id if newest else None, own_messages=0)
            case "/clear":
                await chat.clear()
                self._note("the model has forgotten what was said; you can still read it")
            case _:
                await self._show_queue(chat)
        return None

    async def _show_queue(self, chat: Chat) -> None:
        queue = await chat.queue()
        if self._as_json:
            print(json.dumps([queued.to_json() for queued in queue], ensure_ascii=False))
            return
        for queued in queue:
            self._printer.show(Asked(queued.text))
        if not queue:
            self._note("no message waits")

    async def _follow(self, accepted: Accepted) -> None:
        async with aclosing(accepted.chat.stream(after_id=accepted.after_id)) as events:
            async for event in events:
                if isinstance(event, ConnectionLost):
                    self._note(f"connection lost ({event.reason}); connecting again")
                    continue
                self._show(event)
                if self._view.over:
                    break
        if self._stopping is not None:
            await self._stopping  # it knows whether the turn ended by itself
        self._printer.end()

    def _show(self, event: WireEvent) -> None:
        if self._as_json:
            print(json.dumps(event.to_json(), ensure_ascii=False), flush=True)
        self._show_all(self._view.show(event))

    def _show_all(self, shown: Iterable[Shown]) -> None:
        for one in list(shown):
            if not self._as_json:
                self._printer.show(one)

    def _note(self, text: str) -> None:
        self._printer.show(Noted(text))

    def _ctrl_c(self, task: asyncio.Task[int]) -> None:
        if self._chat is None or self._stopping:
            task.cancel()
        else:
            self._note("stopping the turn (Ctrl-C again leaves)")
            self._stopping = asyncio.create_task(self._stop(self._chat))

    async def _stop(self, chat: Chat) -> None:
        try:
            await chat.interrupt()
        except Conflict:
            return  # it has ended by itself
        except PerdureError as error:
            self._note(str(error))
        else:
            self._show_all(self._view.stop_asked())

    def _say_how_to_resume(self) -> None:
        if self._chat:
            print(f'\nGo on with:  perdure chat --resume {self._chat.id} "..."', file=sys.stderr, flush=True)
