"""Reads of one statement: no BEGIN, no ROLLBACK, one round trip instead of three."""

from contextlib import AbstractAsyncContextManager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


def reading(engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]:
    """A connection on which every statement stands alone and sees the newest committed rows."""
    return engine.execution_options(isolation_level="AUTOCOMMIT").connect()


async def ping(engine: AsyncEngine) -> None:
    """Ask the database whether it is there.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: It is not.
    """
    async with reading(engine) as conn:
        await conn.execute(text("SELECT 1"))
