"""`perdure chats` and `perdure show`: what is kept, read once."""

import sys

from cli.terminal.answers import Columns, asked, moment, show_json, show_rows
from cli.terminal.printer import Printer
from cli.terminal.shown import Asked, Failed, Noted
from cli.terminal.turn import error_text, shown_message
from perdure.client import ChatInfo, Message, Perdure, QueuedMessage, Server


def _state(chat: ChatInfo) -> str:
    return f"{chat.status}, archived" if chat.archived else chat.status


COLUMNS: Columns[ChatInfo] = {
    "ID": lambda chat: chat.id,
    "STATUS": _state,
    "UPDATED": lambda chat: moment(chat.updated_at),
    "TITLE": lambda chat: " ".join(chat.title.split()),
}


def run_chats(server: Server, *, archived: bool, limit: int, as_json: bool) -> None:
    """Print the caller's chats, last changed first."""

    async def ask(perdure: Perdure) -> list[ChatInfo]:
        return [chat async for chat in perdure.chats.list(archived=archived, limit=limit)]

    chats = asked(server, ask)
    if chats or as_json:
        show_rows(chats, COLUMNS, as_json=as_json)
    else:
        print("No archived chats." if archived else 'No chats yet. Begin one:  perdure chat "Hello"')


def run_show(server: Server, chat_id: str, *, as_json: bool) -> None:
    """Print a chat with all its messages."""

    async def ask(perdure: Perdure) -> tuple[ChatInfo, list[Message], list[QueuedMessage]]:
        found = perdure.chats.open(chat_id)
        return await found.info(), await found.history(), await found.queue()

    chat, messages, queue = asked(server, ask)
    if as_json:
        show_json({"chat": chat, "messages": messages, "queued_messages": queue})
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
