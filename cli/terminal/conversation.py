"""`perdure chat`: say something, follow the answer until the chat rests."""

import asyncio
import json
import signal
import sys
from contextlib import aclosing
from dataclasses import dataclass

from cli.client import Client, LinkLost, NoServer, Refused, Server
from cli.client.shapes import Event
from cli.terminal.printer import Printer
from cli.terminal.shown import Noted
from cli.terminal.turn import TurnView

ANSWERED, FAILED, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True)
class Accepted:
    """A message that the server has taken.

    Attributes:
        chat_id: The chat it is in.
        after_id: Messages up to this one are older than it; None in a new chat.
        queued: It waits for a running turn to end.
    """

    chat_id: str
    after_id: int | None = None
    queued: bool = False


async def say(client: Client, text: str, chat_id: str | None = None) -> Accepted:
    """Send a message into a chat, by default into a new one."""
    if chat_id is None:
        return Accepted((await client.create_chat(text))["id"])
    newest = (await client.messages(chat_id, limit=1))["messages"]
    sent = await client.send(chat_id, text)
    return Accepted(chat_id, newest[0]["id"] if newest else None, sent["queued"])


def run(server: Server, text: str, chat_id: str | None, *, as_json: bool) -> int:
    """Say something and show the answer.

    Ctrl-C stops the turn, which is then followed to its end; a second one leaves at once.

    Args:
        server: Whom to talk to.
        text: What to say.
        chat_id: Chat to go on with; None begins a new one.
        as_json: Write each event as a line of JSON, and nothing else, to standard output.

    Returns:
        Exit code: 0 answered, 1 the turn ended in an error, 130 it was interrupted.

    Raises:
        ClientError: The message was not taken, or the stream was lost for good.
    """
    return asyncio.run(_Conversation(server, as_json=as_json).hold(text, chat_id))


class _Conversation:
    def __init__(self, server: Server, *, as_json: bool) -> None:
        self._as_json = as_json
        self._printer = Printer(sys.stderr, sys.stderr) if as_json else Printer.for_terminal()
        self._view = TurnView()
        self._client = Client(server, self._printer.note)
        self._chat_id: str | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def hold(self, text: str, chat_id: str | None) -> int:
        task = asyncio.current_task()
        assert task
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._ctrl_c, task)
        try:
            async with self._client:
                accepted = await say(self._client, text, chat_id)
                self._chat_id = accepted.chat_id
                # what was written to a file or a pipe cannot be taken back: it gets what is kept
                self._view = TurnView(previews=sys.stdout.isatty(), own_messages=0 if accepted.queued else 1)
                if accepted.queued:
                    self._note("a turn is running; this message waits until it ends")
                await self._follow(accepted)
        except asyncio.CancelledError:
            self._printer.end()
            if self._chat_id:
                self._note("left; the turn goes on without you")
            return INTERRUPTED
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            self._say_how_to_resume()
        if self._view.failed:
            return FAILED
        return INTERRUPTED if self._view.stopped else ANSWERED

    async def _follow(self, accepted: Accepted) -> None:
        async with aclosing(self._client.events(accepted.chat_id, accepted.after_id)) as events:
            async for event in events:
                if isinstance(event, LinkLost):
                    self._note(f"connection lost ({event.reason}); connecting again")
                    continue
                self._show(event)
                if self._view.over:
                    break
        self._printer.end()

    def _show(self, event: Event) -> None:
        shown = list(self._view.show(event))
        if self._as_json:
            print(json.dumps(event, ensure_ascii=False), flush=True)
            return
        for one in shown:
            self._printer.show(one)

    def _note(self, text: str) -> None:
        self._printer.show(Noted(text))

    def _ctrl_c(self, task: asyncio.Task[int]) -> None:
        if self._chat_id is None or self._stopping:
            task.cancel()
        else:
            self._note("stopping the turn (Ctrl-C again leaves)")
            self._stopping = asyncio.create_task(self._stop(self._chat_id))

    async def _stop(self, chat_id: str) -> None:
        try:
            await self._client.interrupt(chat_id)
        except Refused as refused:
            if refused.status != 409:  # it has ended by itself
                self._note(str(refused))
        except NoServer as error:
            self._note(str(error))
        else:
            self._view.stop_asked()

    def _say_how_to_resume(self) -> None:
        if self._chat_id:
            print(f'\nGo on with:  perdure chat --resume {self._chat_id} "..."', file=sys.stderr, flush=True)
