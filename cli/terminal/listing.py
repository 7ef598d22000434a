"""`perdure chats` and `perdure show`: what is kept, read once."""

import asyncio
import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime

from cli.terminal.printer import Printer
from cli.terminal.shown import Asked, Failed, Noted
from cli.terminal.turn import error_text, shown_message
from perdure.client import ChatInfo, Message, Perdure, QueuedMessage, Server

_HEADINGS = ("ID", "STATUS", "UPDATED", "TITLE")


def run_chats(server: Server, *, archived: bool, limit: int, as_json: bool) -> None:
    """Print the caller's chats, last changed first."""
    chats = asyncio.run(_chats(server, archived, limit))
    if as_json:
        print(json.dumps([chat.to_json() for chat in chats], ensure_ascii=False))
    elif chats:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(table(chats, width)))
    else:
        print("No archived chats." if archived else 'No chats yet. Begin one:  perdure chat "Hello"')


def run_show(server: Server, chat_id: str, *, as_json: bool) -> None:
    """Print a chat with all its messages."""
    chat, messages, queue = asyncio.run(_chat(server, chat_id))
    if as_json:
        whole = {
            "chat": chat.to_json(),
            "messages": [message.to_json() for message in messages],
            "queued_messages": [queued.to_json() for queued in queue],
        }
        print(json.dumps(whole, ensure_ascii=False))
        return
    printer = Printer(sys.stdout, sys.stdout, colours=sys.stdout.isatty())
    printer.show(Noted(f"{chat.title} · {_state(chat)} · {chat.id}"))
    for message in messages:
        for shown in shown_message(message):
            printer.show(shown)
        printer.end()
    for queued in queue:
        printer.show(Asked(f"{queued.text}  (waits for the running turn)"))
    if chat.last_error is not None:
        printer.show(Failed(error_text(chat.last_error)))


def table(chats: Sequence[ChatInfo], width: int | None = None) -> list[str]:
    """Chats as lines of a table.

    Args:
        chats: The chats.
        width: Lines are cut to this many characters.
    """
    rows = [_HEADINGS] + [
        (chat.id, _state(chat), _moment(chat.updated_at), " ".join(chat.title.split())) for chat in chats
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    cells = [[cell.ljust(fill) for cell, fill in zip(row, [*widths, 0], strict=True)] for row in rows]
    lines = ["  ".join(row) for row in cells]
    return [line if not width or len(line) <= width else f"{line[: width - 1]}…" for line in lines]


def _state(chat: ChatInfo) -> str:
    return f"{chat.status}, archived" if chat.archived else chat.status


def _moment(stamp: datetime) -> str:
    """A time of the API, in the local time zone, to the minute."""
    return stamp.astimezone().strftime("%Y-%m-%d %H:%M")


async def _chats(server: Server, archived: bool, limit: int) -> list[ChatInfo]:
    async with Perdure.of(server) as perdure:
        return [chat async for chat in perdure.chats.list(archived=archived, limit=limit)]


async def _chat(server: Server, chat_id: str) -> tuple[ChatInfo, list[Message], list[QueuedMessage]]:
    async with Perdure.of(server) as perdure:
        chat = perdure.chats.open(chat_id)
        return await chat.info(), await chat.history(), await chat.queue()
