"""All rows of one chat, to be judged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.durable.rows import Rows
from tests.durable.side_effects import Effects
from tests.soak.turns import EFFECTS


@dataclass(frozen=True)
class Evidence:
    """The rows of one chat, each list in its order.

    Attributes:
        messages: what was said and is in force; summaries and the like are not.
        steps, results: of turns in force.
        cut: messages that an edit took out of force.
        effects: lines that commands have written into a file.
        deeds: lines that tools have written into another: `began` or `done`, and for which word.
    """

    chat: Any
    messages: list[Any]
    queue: list[Any]
    steps: list[Any]
    results: list[Any]
    drafts: list[Any]
    cut: list[Any]
    effects: list[str]
    deeds: list[str]

    def of(self, role: str) -> list[Any]:
        return [message for message in self.messages if message.role == role]


@dataclass(frozen=True)
class Places:
    """Where what tools do can be seen: the workspaces of chats, and the file of all."""

    workspaces: Path
    deeds: Effects


async def rows_of(rows: Rows, chat: str, name: str, places: Places) -> Evidence:
    """Read them, of a chat whose words all begin with its name."""

    async def table(name: str, order: str) -> list[Any]:
        return await rows.ask(f"SELECT * FROM {name} WHERE chat_id = :chat ORDER BY {order}", chat=chat)

    (row,) = await rows.ask("SELECT * FROM chats WHERE id = :chat", chat=chat)
    said = [m for m in await table("messages", "id") if not m.compressed and m.visibility != "model"]
    in_force = [message for message in said if not message.deleted]
    cut = [message for message in said if message.deleted]
    turns = {message.turn for message in in_force}

    def in_history(done: Any) -> bool:
        """Whether a step, or a result, was not cut away: all of its turn, or what came behind a message that
        joined the turn and was edited."""
        joined = [m.step for m in cut if m.role == "user" and m.turn == done.turn]
        return done.turn in turns and all(done.step <= step for step in joined)

    effects = places.workspaces / chat / "files" / EFFECTS
    return Evidence(
        chat=row,
        messages=in_force,
        queue=await table("queued_messages", "position, id"),
        steps=[step for step in await table("steps", "turn, step") if in_history(step)],
        results=[result for result in await table("tool_results", "turn, step") if in_history(result)],
        drafts=await table("drafts", "created_at"),
        cut=cut,
        effects=effects.read_text().split() if effects.exists() else [],
        deeds=[line for line in places.deeds.all() if line.split()[1].startswith(f"{name}-")],
    )


def words(message: Any) -> str:
    """The text of a stored message."""
    return "".join(part["text"] for part in message.content if part["type"] == "text")


def parts(message: Any, kind: str) -> list[dict[str, Any]]:
    return [part for part in message.content if part["type"] == kind]
