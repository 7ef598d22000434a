"""What Postgres says, asked directly."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

# A deferred trigger runs inside COMMIT: nothing but the server's answer is left to come behind it.
_HOLD = """
CREATE FUNCTION hold_commit() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock({key}); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.chat_id = '{chat}' AND {when}) EXECUTE FUNCTION hold_commit();
"""
_HOLD_KEY = 20260101


class Rows:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def ask(self, sql: str, **values: Any) -> list[Any]:
        async with self.engine.connect() as conn:
            return list((await conn.execute(text(sql), values)).all())

    async def change(self, sql: str, **values: Any) -> None:
        """A hand on the database."""
        async with self.engine.begin() as conn:
            await conn.execute(text(sql), values)

    async def first_user(self) -> Any:
        return (
            await self.ask(
                "SELECT user_id AS id, organization_id FROM memberships ORDER BY created_at LIMIT 1"
            )
        )[0]

    async def until(self, sql: str, *, seconds: float = 20, **values: Any) -> list[Any]:
        """Ask until there is an answer with rows."""
        return await until(lambda: self.ask(sql, **values), seconds)

    @asynccontextmanager
    async def commit_held(
        self, table: str, chat: str, when: str = "true"
    ) -> AsyncGenerator[Callable[[], Awaitable[Any]]]:
        """Hold the answer to the next commit that writes to `table` for a chat. What is yielded waits until
        one is held; behind the block it is committed, and who asked for it hears so, or is dead by then.

        Args:
            when: Which rows count, as a condition on NEW.
        """
        async with self.engine.connect() as hand:
            await hand.execute(text(f"SELECT pg_advisory_lock({_HOLD_KEY})"))
            await self.change(_HOLD.format(key=_HOLD_KEY, table=table, chat=UUID(chat), when=when))
            held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = :key AND NOT granted"
            try:
                yield lambda: self.until(held, key=_HOLD_KEY)
            finally:
                await hand.execute(text(f"SELECT pg_advisory_unlock({_HOLD_KEY})"))
                await hand.commit()
                # waits for the commit: it wants the table for itself
                await self.change("DROP FUNCTION hold_commit CASCADE")

    async def sound(self, chat: str) -> None:
        """The invariants every chat at rest keeps, whatever happened to it."""
        (row,) = await self.ask("SELECT * FROM chats WHERE id = :chat", chat=chat)
        assert row.status in ("waiting", "error")
        assert row.open_calls == []
        assert (row.status == "error") == (row.last_error is not None)
        waiting = await self.ask("SELECT 1 FROM queued_messages WHERE chat_id = :chat", chat=chat)
        assert row.queued == len(waiting)
        doubled = await self.ask(
            "SELECT turn, step FROM messages WHERE chat_id = :chat AND role = 'assistant'"
            " AND NOT compressed AND NOT deleted GROUP BY turn, step HAVING count(*) > 1",
            chat=chat,
        )
        assert doubled == []
        history = await self.ask(
            "SELECT role, content FROM messages WHERE chat_id = :chat AND NOT deleted ORDER BY id", chat=chat
        )
        open_calls: list[str] = []
        by_vendor: list[str] = []
        for message in history:
            if message.role == "user":
                assert open_calls == [], "a call without a result before a user message"
            for part in message.content:
                # a call of the vendor stays open where the turn was stopped behind a pause: nobody else
                # can tell its result
                calls = by_vendor if part.get("provider_executed") else open_calls
                if part["type"] == "tool-call":
                    calls.append(part["tool_call_id"])
                elif part["type"] == "tool-result":
                    calls.remove(part["tool_call_id"])
        assert open_calls == []


async def until(ask: Callable[[], Awaitable[list[Any]]], seconds: float = 20) -> list[Any]:
    """Repeat a question that no event answers (another process's rows, a port) until it has an answer."""
    async with asyncio.timeout(seconds):
        while True:
            found = await ask()
            if found:
                return found
            await asyncio.sleep(0.02)
