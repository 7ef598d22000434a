"""All rows of one chat, to be judged."""

from dataclasses import dataclass
from typing import Any

from tests.durable.rows import Rows


@dataclass(frozen=True)
class Evidence:
    """The rows of one chat, each list in its order."""

    chat: Any
    messages: list[Any]
    queue: list[Any]
    steps: list[Any]
    results: list[Any]
    drafts: list[Any]

    def of(self, role: str) -> list[Any]:
        return [message for message in self.messages if message.role == role]


async def rows_of(rows: Rows, chat: str) -> Evidence:
    """Read them."""

    async def table(name: str, order: str) -> list[Any]:
        return await rows.ask(f"SELECT * FROM {name} WHERE chat_id = :chat ORDER BY {order}", chat=chat)

    (row,) = await rows.ask("SELECT * FROM chats WHERE id = :chat", chat=chat)
    return Evidence(
        chat=row,
        messages=[message for message in await table("messages", "id") if not message.deleted],
        queue=await table("queued_messages", "id"),
        steps=await table("steps", "turn, step"),
        results=await table("tool_results", "turn, step"),
        drafts=await table("drafts", "created_at"),
    )


def words(message: Any) -> str:
    """The text of a stored message."""
    return "".join(part["text"] for part in message.content if part["type"] == "text")


def parts(message: Any, kind: str) -> list[dict[str, Any]]:
    return [part for part in message.content if part["type"] == kind]
