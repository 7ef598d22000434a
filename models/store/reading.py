"""Connections: for statements that stand alone, and for several that commit together.

The engine's connections commit every statement by itself (`runtime.database`). Most of what we do is one
statement, and without BEGIN and COMMIT it is one round trip instead of three. Nothing is awaited between
taking such a connection from the pool and having it, so that a cancelled task cannot lose one.
"""

from contextlib import AbstractAsyncContextManager
from functools import lru_cache

from sqlalchemy import func, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

UNFLUSHED = func.set_config("synchronous_commit", "off", True)
"""Put into a statement's RETURNING, it spares the statement the wait for the disk. Right where a crash of the
database may forget the row: whatever is built on it commits later, and flushes it along."""


def reading(engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]:
    """A connection on which every statement stands alone and sees the newest committed rows."""
    return engine.connect()


def transaction(engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]:
    """A connection in a transaction: committed at the end of the block, rolled back by an exception."""
    return _transacting(engine).begin()


async def ping(engine: AsyncEngine) -> None:
    """Ask the database whether it is there.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: It is not.
    """
    async with reading(engine) as conn:
        await conn.execute(text("SELECT 1"))


@lru_cache(maxsize=8)  # making one costs as much as a statement; a process has one engine
def _transacting(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="READ COMMITTED")
