"""Chats whose first step makes calls, and what is seen of those."""

from typing import Any
from uuid import uuid4

from activities.providers.demo import script_block
from tests.durable.caller import Body, Caller, Reader

THEIRS: Body = {"unsafe_dynamic_tools": [{"name": "theirs", "input_schema": {"properties": {}}}]}
"""What a chat is made with whose client runs the tool `theirs`."""


def call(name: str, word: str, **more: Any) -> Body:
    return {"name": name, "input": {"word": word, **more}}


async def asked(caller: Caller, *calls: Body, **more: Any) -> tuple[str, Reader]:
    """A chat whose first step makes these calls, and whose second says goodbye."""
    said = script_block({"text": "Let me see.", "tools": list(calls)}, {"text": "There."})
    chat = await caller.create(f"{said} {uuid4()}", **more)
    return chat, caller.read(chat)


async def results(caller: Caller, chat: str) -> list[Body]:
    """All results in history, in order."""
    stored = await caller.messages(chat)
    return [part for message in stored if message["role"] == "tool" for part in message["content"]]


def shown_results(reader: Reader) -> list[Body]:
    """The results a reader was shown before they were in history."""
    parts = [event["message_part"] for event in reader.seen if event["type"] == "message_part"]
    return [part for part in parts if part["role"] == "tool"]


async def sound(caller: Caller, reader: Reader, chat: str) -> None:
    """The turn ended well, and the reader has exactly the rows."""
    stored = await caller.messages(chat)
    said = [part["text"] for part in stored[0]["content"]]
    await caller.agree(reader, chat, said, ["Let me see.", "There."])


def awaited(reader: Reader) -> list[Body]:
    """The calls of the last `action_required` event."""
    events = [event for event in reader.seen if event["type"] == "action_required"]
    return events[-1]["action_required"]["tool_calls"] if events else []
