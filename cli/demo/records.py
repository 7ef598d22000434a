"""What Postgres holds of a chat, read without any of the product's own code in between."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Row:
    """A message."""

    id: int
    role: str
    turn: int
    step: int
    content: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """Its words, without reasoning and tools."""
        return "".join(part["text"] for part in self.content if part["type"] == "text")


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step that ended."""

    turn: int
    step: int
    end: str


@dataclass(frozen=True, slots=True)
class Records:
    """A chat's rows.

    Attributes:
        status: The chat's.
        rows: Messages that clients may see, in order.
        steps: Ends of steps, in order.
        results: How many results of tools there are.
    """

    status: str
    rows: list[Row]
    steps: list[StepRow]
    results: int

    def of_turn(self, turn: int) -> list[Row]:
        return [row for row in self.rows if row.turn == turn]


async def read_records(database_url: str, chat_id: str) -> Records:
    """Read a chat's rows."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute("SELECT status FROM chats WHERE id = %s", (chat_id,))
        (status,) = await cursor.fetchone() or ("missing",)
        cursor = await connection.execute("SELECT count(*) FROM tool_results WHERE chat_id = %s", (chat_id,))
        (results,) = await cursor.fetchone() or (0,)
        rows = connection.cursor(row_factory=class_row(Row))
        await rows.execute(
            "SELECT id, role, turn, step, content FROM messages "
            "WHERE chat_id = %s AND visibility <> 'model' AND NOT deleted ORDER BY id",
            (chat_id,),
        )
        steps = connection.cursor(row_factory=class_row(StepRow))
        await steps.execute(
            'SELECT turn, step, "end" FROM steps WHERE chat_id = %s ORDER BY turn, step', (chat_id,)
        )
        return Records(status, await rows.fetchall(), await steps.fetchall(), results)
